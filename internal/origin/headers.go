package origin

import (
	"net/http"
	"strconv"
	"time"

	"orderbell/internal/duration"
)

// Headers are those that protect whoever opens the page. They are on every answer of the origin, errors among them.
type Headers struct {
	// HSTS is for how long browsers ask by https alone; 0: they are not told.
	HSTS duration.Seconds `envconfig:"FRONTEND_HSTS_SECONDS" default:"0"`
}

// policy lets the page load from and talk to its own origin only, and no other page frame it.
const policy = "default-src 'self'; base-uri 'none'; form-action 'none'; object-src 'none'; frame-ancestors 'none'"

// permissions are what neither the page nor what it might load needs.
const permissions = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), " +
	"microphone=(), midi=(), payment=(), usb=()"

// complete sets what is not set.
func (h Headers) complete(header http.Header) {
	set := func(name, value string) {
		if header.Get(name) == "" {
			header.Set(name, value)
		}
	}
	set("Content-Security-Policy", policy)
	set("X-Content-Type-Options", "nosniff")
	set("Referrer-Policy", "same-origin")
	set("Permissions-Policy", permissions)
	if seconds := int(h.HSTS.Duration() / time.Second); seconds > 0 {
		set("Strict-Transport-Security", "max-age="+strconv.Itoa(seconds))
	}
}

// on has h answer with the headers.
func (h Headers) on(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.complete(w.Header())
		next.ServeHTTP(w, r)
	})
}
