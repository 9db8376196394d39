package bus

// ReadMessage is how a consumer reads a message, for tests that have no Kafka.
var ReadMessage = decode //nolint:gochecknoglobals // an alias
