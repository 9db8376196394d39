package origin

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"orderbell/internal/duration"
)

// Headers are the security headers of every answer of the origin, including errors.
type Headers struct {
	// HSTS is the max-age of Strict-Transport-Security; 0: no header.
	HSTS duration.Seconds `envconfig:"FRONTEND_HSTS_SECONDS" default:"0"`

	connect []string // the origins beside its own that the page talks to
}

// policy permits the page to load from its own origin only, and to connect to that and to the identity provider. No page may frame
// it.
func (h Headers) policy() string {
	const rest = "base-uri 'none'; form-action 'none'; object-src 'none'; frame-ancestors 'none'"
	if len(h.connect) == 0 {
		return "default-src 'self'; " + rest
	}
	return "default-src 'self'; connect-src 'self' " + strings.Join(h.connect, " ") + "; " + rest
}

// permissions turns off browser features that the page does not need.
const permissions = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), " +
	"microphone=(), midi=(), payment=(), usb=()"

// complete adds the headers that are not set yet.
func (h Headers) complete(header http.Header) {
	set := func(name, value string) {
		if header.Get(name) == "" {
			header.Set(name, value)
		}
	}
	set("Content-Security-Policy", h.policy())
	set("X-Content-Type-Options", "nosniff")
	set("Referrer-Policy", "same-origin")
	set("Permissions-Policy", permissions)
	if seconds := int(h.HSTS.Duration() / time.Second); seconds > 0 {
		set("Strict-Transport-Security", "max-age="+strconv.Itoa(seconds))
	}
}

// on wraps h so that its answers have the headers.
func (h Headers) on(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.complete(w.Header())
		next.ServeHTTP(w, r)
	})
}
