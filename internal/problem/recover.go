package problem

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"runtime/debug"
)

// requestIDHeader has the id of a request, which is also in the log lines of its errors.
const requestIDHeader = "X-Request-Id"

var validRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

type requestIDKey struct{}

// RequestID returns the id of a request within [Recover], or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// Recover serves h, and gives each request an id: the client's X-Request-Id where it is usable, else a new one. A panic is
// logged with its stack and answered with 500. [http.ErrAbortHandler] passes, since it ends an answer on purpose.
func Recover(log *slog.Logger, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if RequestID(r.Context()) == "" {
			id := r.Header.Get(requestIDHeader)
			if !validRequestID.MatchString(id) {
				id = rand.Text()
			}
			r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
			w.Header().Set(requestIDHeader, id)
		}
		answer := &tracker{ResponseWriter: w}
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			log.ErrorContext(r.Context(), "request handler panicked", "request_id", RequestID(r.Context()),
				"method", r.Method, "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
			switch {
			case answer.taken != nil: // the server no longer has the connection
				_ = answer.taken.Close()
				return
			case answer.begun:
				panic(http.ErrAbortHandler) // an incomplete answer must not look complete
			}
			unexpected(r).Write(w)
		}()
		h.ServeHTTP(answer, r)
	})
}

// unexpected is the answer to a request that failed without a fault of the client.
func unexpected(r *http.Request) *Problem {
	p := New(http.StatusInternalServerError, "an unexpected error occurred: report this request_id, under which the log has the cause")
	p.RequestID = RequestID(r.Context())
	return p
}

// tracker records whether an answer has begun, and a connection that was taken over.
type tracker struct {
	http.ResponseWriter

	begun bool
	taken net.Conn
}

// WriteHeader implements [http.ResponseWriter].
func (t *tracker) WriteHeader(status int) {
	t.begun = t.begun || status >= http.StatusOK || status == http.StatusSwitchingProtocols
	t.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (t *tracker) Write(b []byte) (int, error) {
	t.begun = true
	return t.ResponseWriter.Write(b)
}

// FlushError is for [http.ResponseController]: it sends the head of an answer.
func (t *tracker) FlushError() error {
	t.begun = true
	return http.NewResponseController(t.ResponseWriter).Flush() //nolint:wrapcheck // as [http.ResponseController] wants it
}

// Hijack is for [http.ResponseController].
func (t *tracker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err == nil {
		t.taken = conn
	}
	return conn, rw, err //nolint:wrapcheck // as [http.ResponseController] wants it
}

// Unwrap is for [http.ResponseController].
func (t *tracker) Unwrap() http.ResponseWriter { return t.ResponseWriter }
