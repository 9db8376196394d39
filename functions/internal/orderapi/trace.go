package orderapi

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"

	"orderbell/internal/tracing"
)

// traceOf returns the span that the order's event belongs to: the request's. Without one, since no spans are made and the
// client named none, it is a new trace that is not sampled: an order's way can still be followed in the records.
func traceOf(r *http.Request) tracing.Parent {
	if p := tracing.Of(r.Context()); p.TraceParent != "" {
		return p
	}
	var id [16 + 8]byte
	_, _ = rand.Read(id[:]) // never fails (package documentation)
	return tracing.Parent{TraceParent: "00-" + hex.EncodeToString(id[:16]) + "-" + hex.EncodeToString(id[16:]) + "-00"}
}
