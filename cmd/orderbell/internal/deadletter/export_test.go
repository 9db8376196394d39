package deadletter

// Due is for tests, whose time does not pass.
var Due = due //nolint:gochecknoglobals // a function

// Told is for tests, for the same reason.
var Told = told //nolint:gochecknoglobals // a function
