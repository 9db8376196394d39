package main

// NewRoot and Execute are for the test that gives hostile arguments to every command.
var (
	NewRoot = newRoot //nolint:gochecknoglobals // a function
	Execute = execute //nolint:gochecknoglobals // a function
)
