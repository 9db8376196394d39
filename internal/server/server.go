// Package server creates every HTTP server of Orderbell, with timeouts and limits.
//
// A server has all four timeouts, bounded headers and bodies, and limits of connections, in all and from one address.
// An event stream outlives the timeouts: each of its writes has its own deadline.
package server

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"orderbell/internal/problem"
)

// Timeouts of a server.
type Timeouts struct {
	Header time.Duration // to send the headers
	Read   time.Duration // to send all of the request
	Write  time.Duration // from the headers to the end of the answer
	Idle   time.Duration // until the next request
	Stream time.Duration // for each write of a stream of events
}

// Public are the timeouts of a server on the Internet.
func Public() Timeouts {
	return Timeouts{Header: 5 * time.Second, Read: 15 * time.Second, Write: time.Minute, Idle: 2 * time.Minute, Stream: 30 * time.Second}
}

// Internal are the timeouts of a function: a sweep may take two minutes.
func Internal() Timeouts {
	t := Public()
	t.Write = 150 * time.Second
	return t
}

const (
	maxHeaders = 16 << 10 // of a request: a token and a trace need two
	maxBody    = 4 << 20  // above the largest event; each API has its own smaller bound
)

// New returns a server of h, within [problem.Recover]. Its listeners must be those of [Limits.Listen].
func New(h http.Handler, t Timeouts, limits *Limits, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           problem.Recover(log, limits.guard(bounded(h, t))),
		ReadHeaderTimeout: t.Header, ReadTimeout: t.Read, WriteTimeout: t.Write, IdleTimeout: t.Idle, MaxHeaderBytes: maxHeaders,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// bounded limits a request's body, and gives a stream its own deadlines.
func bounded(h http.Handler, t Timeouts) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if r.ContentLength == 0 {
			_ = control.SetReadDeadline(time.Time{}) // the request is read; the answer may take longer
		} else {
			if r.ContentLength > maxBody {
				w.Header().Set("Connection", "close")
				problem.New(http.StatusRequestEntityTooLarge, "the body must have at most %d bytes; it has %d", maxBody, r.ContentLength).Write(w)
				return
			}
			r.Body = &body{ReadCloser: http.MaxBytesReader(w, r.Body, maxBody), control: control}
		}
		h.ServeHTTP(&answer{ResponseWriter: w, control: control, timeout: t.Stream}, r)
	})
}

// body removes the read deadline once the request is read.
type body struct {
	io.ReadCloser

	control *http.ResponseController
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.control.SetReadDeadline(time.Time{}) // some writers have none
	}
	return n, err //nolint:wrapcheck // as [io.Reader] requires
}

// answer sets a deadline for each write of a stream.
type answer struct {
	http.ResponseWriter

	control *http.ResponseController
	timeout time.Duration
	begun   bool
	stream  bool
}

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	a.begun = a.begun || status >= http.StatusOK
	if strings.HasPrefix(a.Header().Get("Content-Type"), "text/event-stream") {
		a.stream = true
		_ = a.control.SetReadDeadline(time.Time{}) // some writers have none
		a.more()
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(p []byte) (int, error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	if a.stream {
		a.more()
	}
	return a.ResponseWriter.Write(p) //nolint:wrapcheck // as [io.Writer] requires
}

func (a *answer) more() { _ = a.control.SetWriteDeadline(time.Now().Add(a.timeout)) }

// Unwrap is for [http.ResponseController].
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
