// Package origin is the single origin of browsers: it serves the front end and proxies /api to the programs, in
// `orderbell dev` and in a cluster.
package origin

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"syscall"
	"time"

	"orderbell/internal/backoff"
	"orderbell/internal/paths"
	"orderbell/internal/problem"
	"orderbell/internal/server"
)

// Route proxies a path to a program.
type Route struct {
	// Path is a prefix of whole segments: /api/orders is also /api/orders/1, but not /api/ordersheet.
	Path   string
	Target *url.URL
	// ByName sends the target's own Host header instead of the browser's, because Knative's ingress routes by it.
	ByName bool
}

// Config configures an origin.
type Config struct {
	Routes   []Route
	Settings Settings     // GET /config.json
	Files    http.Handler // every path without a route
	Users    http.Handler // GET /dev/users; nil where there are no demo users
	Log      *log.Logger  // errors of proxied requests

	Headers Headers
}

// New returns the origin's handler.
func New(cfg Config) http.Handler {
	mux := http.NewServeMux()
	cfg.Headers.connect = cfg.Settings.origins()
	transport := newTransport()
	for _, r := range cfg.Routes {
		proxy := newProxy(r, transport, cfg.Headers, cfg.Log)
		if r.Path != paths.SSE {
			proxy = compressed(proxy)
		}
		mux.Handle(r.Path, proxy)
		mux.Handle(r.Path+"/", proxy)
	}
	mux.Handle("GET "+SettingsPath, compressed(cfg.Headers.on(cfg.Settings)))
	if cfg.Users != nil {
		mux.Handle("GET /dev/users", compressed(cfg.Headers.on(cfg.Users)))
	}
	mux.Handle("/api/", cfg.Headers.on(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		problem.New(http.StatusNotFound, "no program serves %s: check the path", r.URL.Path).Write(w)
	})))
	mux.Handle("/", compressed(cfg.Headers.on(cfg.Files)))
	return mux
}

func newProxy(route Route, transport http.RoundTripper, headers Headers, logger *log.Logger) http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(route.Target)
			if from := server.From(r.In.Context()); from.IsValid() {
				r.Out.Header.Set("X-Forwarded-For", from.String()) // values of trusted proxies only; those of clients are removed
			}
			r.SetXForwarded()
			if !route.ByName {
				r.Out.Host = r.In.Host // links and cookies use the browser's address
			}
		},
		Transport: transport,
		ModifyResponse: func(r *http.Response) error {
			headers.complete(r.Header) // the program's own headers are stricter
			return nil
		},
		FlushInterval: -1, // events must not be buffered
		ErrorLog:      logger,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			headers.complete(w.Header())
			var tooLarge *http.MaxBytesError
			switch {
			case errors.As(err, &tooLarge):
				problem.New(http.StatusRequestEntityTooLarge, "the body must have at most %d bytes", tooLarge.Limit).Write(w)
				return
			case r.Context().Err() != nil: // net/http cancels it for a body that is late too; a client that has left does not read this
				problem.New(http.StatusRequestTimeout, "the request did not arrive completely in time: send it again").Write(w)
				return
			}
			logger.Printf("%s %s: %v", r.Method, route.Path, err) // the rest of the path may be secret
			problem.New(http.StatusBadGateway, "the program that serves %s does not answer: try again in a second", r.URL.Path).
				With("Retry-After", "1").Write(w)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// ReverseProxy would drop a query parameter that cannot be parsed, and the program would answer a different request.
		var refused *problem.Problem
		if err := problem.CheckQuery(r); errors.As(err, &refused) {
			headers.complete(w.Header())
			refused.Write(w)
			return
		}
		proxy.ServeHTTP(w, r)
	})
}

const (
	// dialPatience covers the restart of a crashed program: a request that was not sent yet can be sent after it.
	dialPatience = 5 * time.Second
	dialAgain    = 50 * time.Millisecond
)

func newTransport() *http.Transport {
	var dialer net.Dialer
	return &http.Transport{
		// No proxy and no timeout of responses, because a stream may be silent for long.
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, dialPatience)
			defer cancel()
			for {
				conn, err := dialer.DialContext(ctx, network, addr)
				if err == nil || !errors.Is(err, syscall.ECONNREFUSED) {
					return conn, err
				}
				if !backoff.Sleep(ctx, dialAgain) {
					return nil, err
				}
			}
		},
		MaxIdleConnsPerHost: 256, // a load test goes through here
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true, // bytes pass unchanged
	}
}

// Listen returns listeners on port of the loopback interface, IPv4 and, if available, IPv6: a browser may resolve
// localhost to either. Port 0 takes a free one.
func Listen(ctx context.Context, port int) ([]net.Listener, error) {
	var lc net.ListenConfig
	four, err := lc.Listen(ctx, "tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, explainListen(port, err)
	}
	chosen := four.Addr().(*net.TCPAddr).Port
	six, err := lc.Listen(ctx, "tcp6", fmt.Sprintf("[::1]:%d", chosen))
	switch {
	case err == nil:
		return []net.Listener{four, six}, nil
	case errors.Is(err, syscall.EADDRINUSE) && port != 0:
		return nil, errors.Join(explainListen(port, err), four.Close())
	}
	return []net.Listener{four}, nil
}

func explainListen(port int, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("port %d is in use by another program: stop it, or choose another port with PORT=%d", port, port+1)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("port %d needs more rights than this user has: choose one from 1024 on with PORT", port)
	}
	return fmt.Errorf("listen on port %d: %w", port, err)
}

// Server serves an origin on its listeners.
type Server struct {
	http   *http.Server
	failed chan error
}

// Serve starts to serve h. It owns the listeners from then on.
func Serve(h http.Handler, listeners []net.Listener, log *slog.Logger) *Server {
	return ServeWithin(h, listeners, server.Public(), server.Config{MaxConnections: 100_000, MaxPerAddress: 1000}, log)
}

// ServeWithin is [Serve] with timeouts and limits of its own.
func ServeWithin(h http.Handler, listeners []net.Listener, t server.Timeouts, cfg server.Config, log *slog.Logger) *Server {
	limits := server.NewLimits(cfg)
	s := &Server{http: server.New(h, t, limits, log), failed: make(chan error, len(listeners))}
	for _, l := range listeners {
		l = limits.Listen(l)
		go func() {
			if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				s.failed <- fmt.Errorf("serve %s: %w", l.Addr(), err)
			}
		}()
	}
	return s
}

// Failed receives an error if a listener breaks.
func (s *Server) Failed() <-chan error { return s.failed }

// Address is the address of listeners for a browser.
func Address(listeners []net.Listener) string {
	_, port, _ := strings.Cut(listeners[0].Addr().String(), ":")
	return "http://localhost:" + port
}

// Stop waits for requests under way until ctx ends, then closes the remaining connections, such as streams.
func (s *Server) Stop(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err == nil {
		return nil
	}
	if err := s.http.Close(); err != nil {
		return fmt.Errorf("close the origin: %w", err)
	}
	return nil
}
