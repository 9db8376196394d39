package orderapi

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"
)

// Parts of a traceparent (W3C Trace Context §3.2): version-trace_id-parent_id-flags in lower-case hex.
const (
	traceParentSize = 2 + 1 + 32 + 1 + 16 + 1 + 2
	traceVersion    = "00"
)

// traceParent returns the request's trace context if it has a valid one, else a new one: an order's way to the screen
// can always be followed.
func traceParent(r *http.Request) string {
	if headers := r.Header.Values("Traceparent"); len(headers) == 1 {
		if tp, ok := parseTraceParent(headers[0]); ok {
			return tp
		}
	}
	var id [16 + 8]byte
	_, _ = rand.Read(id[:]) // never fails (package documentation)
	const sampled = "01"    // this span should be recorded
	return traceVersion + "-" + hex.EncodeToString(id[:16]) + "-" + hex.EncodeToString(id[16:]) + "-" + sampled
}

// parseTraceParent returns a valid traceparent in version 00; later versions begin with its fields.
func parseTraceParent(s string) (string, bool) {
	if len(s) < traceParentSize || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return "", false
	}
	version, trace, parent, flags := s[:2], s[3:35], s[36:52], s[53:55]
	for _, field := range []string{version, trace, parent, flags} {
		if strings.Trim(field, "0123456789abcdef") != "" {
			return "", false
		}
	}
	switch rest := s[traceParentSize:]; {
	case version == "ff", version == traceVersion && rest != "", rest != "" && rest[0] != '-':
		return "", false
	case strings.Trim(trace, "0") == "", strings.Trim(parent, "0") == "":
		return "", false
	}
	return traceVersion + "-" + trace + "-" + parent + "-" + flags, true
}
