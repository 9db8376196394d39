package tenantlog

// Level is what relief cuts the largest logs to.
var Level = level //nolint:gochecknoglobals // for the tests
