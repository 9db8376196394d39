package event

import (
	"fmt"

	"orderbell/internal/text"
)

// InvalidError is an event that violates the contract. A function answers it with 400 and Reason in the header
// kne-reason; the broker then puts it on the dead-letter topic without a retry.
type InvalidError struct {
	Field  string // the attribute, extension or data field; "" for the whole event
	Reason string
}

func (e *InvalidError) Error() string {
	if e.Field == "" {
		return "invalid event: " + e.Reason
	}
	return "invalid event: " + e.Field + " " + e.Reason
}

// Invalid returns an *[InvalidError].
func Invalid(field, format string, args ...any) error {
	return &InvalidError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// ForeignSource returns the error of an event whose source may not speak for its tenant.
func ForeignSource(source, tenantID string) error {
	return Invalid("source", "%q may not send events for tenant %q: the operator allows it with orderbell source allow", Clip(source), Clip(tenantID))
}

// Clip shortens untrusted text for an error.
func Clip(s string) string { return text.ClipBytes(s, 80) }
