package service

// LimitRepeated is the handler that every program's log goes through, for tests.
var LimitRepeated = limitRepeated //nolint:gochecknoglobals // an alias
