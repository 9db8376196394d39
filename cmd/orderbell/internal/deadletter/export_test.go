package deadletter

// Due is for tests, whose time does not pass.
var Due = due //nolint:gochecknoglobals // a function
