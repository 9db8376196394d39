package orderapi

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"

	"orderbell/internal/tracing"
)

// traceOf returns the trace of the order's event: the request's trace. If the request has none, it is a new trace that is not
// sampled, so that the order's path can still be followed in the records.
func traceOf(r *http.Request) tracing.Parent {
	if p := tracing.Of(r.Context()); p.TraceParent != "" {
		return p
	}
	var id [16 + 8]byte
	_, _ = rand.Read(id[:]) // never fails (package documentation)
	return tracing.Parent{TraceParent: "00-" + hex.EncodeToString(id[:16]) + "-" + hex.EncodeToString(id[16:]) + "-00"}
}
