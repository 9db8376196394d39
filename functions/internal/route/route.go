// Package route serves a JSON API: paths with their methods, methods with the roles that may call them, and ETags for
// conditional requests.
//
// Every error is a problem (RFC 9457), including those for an unknown path or a wrong method.
package route

import (
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"orderbell/internal/auth"
	"orderbell/internal/problem"
	"orderbell/internal/user"
)

// Call is a method's handler, and the roles that may call it. Its handler's error is written as [problem.Handler] does.
type Call struct {
	Roles  []user.Role
	Handle func(http.ResponseWriter, *http.Request) error
}

// Methods are the calls of one path by method. GET serves HEAD too.
type Methods map[string]Call

// API is the handler of an API's paths.
type API struct {
	http.Handler
	routes []string
}

// Routes returns the routes, each as "GET /api/things/{id}", sorted. HEAD is implied.
func (a API) Routes() []string { return a.routes }

// New returns the handler of an API with the given paths, which are [http.ServeMux] patterns without a method. A
// request reaches its call with a principal, see [auth.Who].
func New(log *slog.Logger, verifier *auth.Verifier, paths map[string]Methods) API {
	mux := http.NewServeMux()
	var routes []string
	for path, methods := range paths {
		// A path is registered without its methods, so that a wrong method is a problem too.
		mux.Handle(path, problem.Handler(log, byMethod(log, verifier, methods)))
		for method := range methods {
			routes = append(routes, method+" "+path)
		}
	}
	slices.Sort(routes)
	mux.Handle("/", problem.Handler(log, func(_ http.ResponseWriter, r *http.Request) error {
		return problem.New(http.StatusNotFound, "there is no resource at %s: check the path", r.URL.Path)
	}))
	return API{mux, routes}
}

func byMethod(log *slog.Logger, verifier *auth.Verifier, methods Methods) func(http.ResponseWriter, *http.Request) error {
	handlers := map[string]http.Handler{}
	var allowed []string
	for method, c := range methods {
		handlers[method] = verifier.Require(c.Roles, problem.Handler(log, audited(verifier, c.Handle)))
		allowed = append(allowed, method)
	}
	if get, ok := handlers["GET"]; ok {
		handlers["HEAD"] = get // net/http leaves the body out
		allowed = append(allowed, "HEAD")
	}
	slices.Sort(allowed)
	return func(w http.ResponseWriter, r *http.Request) error {
		h, ok := handlers[r.Method]
		if !ok {
			return problem.New(http.StatusMethodNotAllowed, "%s is not a method of %s: use %s", r.Method, r.URL.Path, strings.Join(allowed, ", ")).
				With("Allow", strings.Join(allowed, ", "))
		}
		h.ServeHTTP(w, r)
		return nil
	}
}

// audited records the calls that are refused with 403 in the audit trail.
func audited(verifier *auth.Verifier, call func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := call(w, r)
		if p, unknown := auth.Who(r); err != nil && unknown == nil {
			verifier.Refused(r, p, err)
		}
		return err
	}
}

// Seconds returns d for Retry-After: whole seconds, rounded up, at least one.
func Seconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64(math.Ceil(d.Seconds()))), 10)
}
