// Package receiver takes CloudEvents over HTTP and answers by Knative's delivery rules: 202 with an empty body for a
// handled event, a 4xx that is not retried for an invalid one, 409, 429 or 5xx for one that should be retried. Every refusal
// has its reason in the header kne-reason, which the broker copies to the dead letter. A request of an unknown sender
// is refused before its body is read.
package receiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/problem"
	"orderbell/internal/strictjson"
	"orderbell/internal/text"
	"orderbell/internal/tracing"
)

// Config bounds the time and size of one event.
type Config struct {
	// EventTimeout is below the broker's timeout of a delivery, so that the broker gets the reason.
	EventTimeout time.Duration `envconfig:"EVENT_TIMEOUT" default:"10s"`
}

// MaxBody bounds a request: [event.MaxData] as base64 in a structured event, and its attributes.
const MaxBody = 2 * event.MaxData

// Handle handles one CloudEvent. Its error decides the status: 400 for an *[event.InvalidError], 409 if Conflict() is true, 429 if
// Limited() is true, 503 if Temporary() is true or a deadline has passed, otherwise 500.
type Handle func(context.Context, cloudevent.Event) error

// Only returns the Handle of a function for events of type t: others, and those that break the contract, are refused.
func Only(t event.Type, next func(context.Context, event.Event) error) Handle {
	return func(ctx context.Context, ce cloudevent.Event) error {
		e, err := cloudevent.Parse(ce)
		if err != nil {
			return err
		}
		if e.Type != t {
			return &event.InvalidError{Field: "type", Reason: fmt.Sprintf("is %s, but this function takes %s: correct the filter of its Trigger", e.Type, t)}
		}
		return next(ctx, e)
	}
}

// Senders checks the sender of events. Check returns nil or the refusal.
type Senders interface {
	Check(r *http.Request) *problem.Problem
}

// Receiver is the HTTP handler of a function.
type Receiver struct {
	senders  Senders
	timeout  time.Duration
	handle   Handle
	log      *slog.Logger
	duration metric.Float64Histogram
}

// New returns the handler of events from senders.
func New(timeout time.Duration, senders Senders, log *slog.Logger, meter metric.Meter, handle Handle) (*Receiver, error) {
	duration, err := meter.Float64Histogram("orderbell.event.duration", metric.WithUnit("s"),
		metric.WithDescription("From an event's arrival at a function to its answer. Labels: status."),
		metric.WithExplicitBucketBoundaries(.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10))
	if err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	return &Receiver{senders: senders, timeout: timeout, handle: handle, log: log, duration: duration}, nil
}

// ServeHTTP takes POST /.
func (rc *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	p, id := rc.serve(w, r)
	status := http.StatusAccepted
	if p == nil {
		w.WriteHeader(status) // no body: the broker would parse it as an event and fail
	} else {
		status = p.Status
		rc.logRefusal(r.Context(), p, id)
		p.With("kne-reason", headerLine(p.Detail)).Write(w)
	}
	rc.duration.Record(context.WithoutCancel(r.Context()), time.Since(began).Seconds(),
		metric.WithAttributes(attribute.Int("status", status)))
}

func (rc *Receiver) logRefusal(ctx context.Context, p *problem.Problem, id string) {
	level := slog.LevelWarn
	if p.Status == http.StatusInternalServerError {
		level = slog.LevelError
	}
	rc.log.LogAttrs(ctx, level, "event not taken", slog.String("event_id", id), slog.Int("status", p.Status),
		slog.String("reason", p.Detail))
}

// serve returns nil for a handled event, otherwise the refusal. id is the event's id if it is known.
func (rc *Receiver) serve(w http.ResponseWriter, r *http.Request) (*problem.Problem, string) {
	if r.URL.Path != "/" {
		return problem.New(http.StatusNotFound, "there is no resource at %s: send events to POST /", r.URL.Path), ""
	}
	if r.Method != http.MethodPost {
		return problem.New(http.StatusMethodNotAllowed, "%s is not a method of this path: use POST", r.Method).With("Allow", http.MethodPost), ""
	}
	var bad *problem.Problem
	if err := problem.CheckQuery(r); errors.As(err, &bad) {
		return bad, ""
	}
	if p := rc.senders.Check(r); p != nil {
		return p, ""
	}
	ce, p := decode(w, r)
	if p != nil {
		return p, ""
	}
	ctx, cancel := context.WithTimeout(inTrace(r, *ce), rc.timeout)
	defer cancel()
	return refusal(ctx, rc.run(ctx, *ce)), ce.ID()
}

// inTrace returns the context of a request with an event. A structured event names its trace in the body, where the span of the
// request could not find it; the returned context is in that trace.
func inTrace(r *http.Request, ce cloudevent.Event) context.Context {
	parent, _ := cloudevent.Extension(ce, cloudevent.ExtTraceParent)
	if parent == "" || r.Header.Get("Ce-Traceparent") != "" {
		return r.Context()
	}
	state, _ := cloudevent.Extension(ce, cloudevent.ExtTraceState)
	return tracing.With(r.Context(), tracing.Parent{TraceParent: parent, TraceState: state})
}

// run calls handle. A panic becomes an error of this event.
func (rc *Receiver) run(ctx context.Context, ce cloudevent.Event) (err error) {
	defer func() {
		if v := recover(); v != nil {
			rc.log.ErrorContext(ctx, "event handler panicked", "event_id", ce.ID(), "panic", v, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return rc.handle(ctx, ce)
}

func refusal(ctx context.Context, err error) *problem.Problem {
	if err == nil {
		return nil
	}
	var (
		invalid   *event.InvalidError
		conflict  interface{ Conflict() bool }
		limited   interface{ Limited() bool }
		temporary interface{ Temporary() bool }
	)
	switch {
	case errors.As(err, &invalid):
		return problem.New(http.StatusBadRequest, "%s", invalid.Error())
	case errors.As(err, &conflict) && conflict.Conflict():
		return problem.New(http.StatusConflict, "%v", err)
	case errors.As(err, &limited) && limited.Limited():
		return problem.New(http.StatusTooManyRequests, "%v", err).With("Retry-After", "1")
	case errors.As(err, &temporary) && temporary.Temporary(),
		errors.Is(err, context.DeadlineExceeded), ctx.Err() != nil:
		return problem.New(http.StatusServiceUnavailable, "%v", err)
	}
	return problem.New(http.StatusInternalServerError, "%v", err)
}

// decode reads the one event of a request, binary or structured.
func decode(w http.ResponseWriter, r *http.Request) (*cloudevent.Event, *problem.Problem) {
	if p := checkMedia(r.Header); p != nil {
		return nil, p
	}
	if p := problem.CheckEncoding(r.Header); p != nil {
		return nil, p
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, problem.New(http.StatusRequestEntityTooLarge, "the event must have at most %d bytes", MaxBody)
	case err != nil:
		return nil, problem.New(http.StatusBadRequest, "the event could not be read to its end: %v", err)
	}
	if err := checkOnce(r.Header); err != nil {
		return nil, malformed(err)
	}
	version := r.Header.Get("ce-specversion")
	if strings.HasPrefix(strings.ToLower(r.Header.Get("Content-Type")), cloudevent.StructuredJSON) {
		var fault *strictjson.Fault
		if version, fault = checkStructured(body); fault != nil {
			return nil, malformed(fault)
		}
	}
	if version != cloudevent.Version {
		return nil, problem.New(http.StatusBadRequest, "CloudEvents %s is not supported: use %s", event.Clip(version), cloudevent.Version)
	}
	ce, err := toEvent(r.Context(), r.Header, body)
	if err != nil {
		return nil, malformed(err)
	}
	return ce, nil
}

// malformed returns the refusal of a request that is not a CloudEvent. It clips the SDK's errors, which repeat the input.
func malformed(err error) *problem.Problem {
	return problem.New(http.StatusBadRequest, "malformed CloudEvent: %s", text.ClipBytes(event.Printable(err.Error()), 400))
}

// checkOnce refuses an attribute that occurs twice: the SDK would use one of its values.
func checkOnce(header http.Header) error {
	for name, values := range header {
		if strings.HasPrefix(name, "Ce-") && len(values) > 1 {
			return fmt.Errorf("header %s occurs more than once", strings.ToLower(name))
		}
	}
	return nil
}

// toEvent calls the SDK's decoder. The SDK may panic on malformed headers or JSON; such an event is invalid like any
// other.
func toEvent(ctx context.Context, header http.Header, body []byte) (ce *cloudevent.Event, err error) {
	defer func() {
		if v := recover(); v != nil {
			ce, err = nil, errors.New("an attribute has no name or cannot be read")
		}
	}()
	return binding.ToEvent(ctx, cehttp.NewMessage(header, io.NopCloser(bytes.NewReader(body))))
}

// checkMedia returns the refusal of a request that is not a single JSON event.
func checkMedia(header http.Header) *problem.Problem {
	given := header.Get("Content-Type")
	media, _, err := mime.ParseMediaType(given)
	if given != "" && err != nil {
		return problem.New(http.StatusUnsupportedMediaType, "Content-Type %q is malformed: use %s", given, cloudevent.JSON)
	}
	binary := header.Get("ce-specversion") != ""
	switch {
	case media == cloudevent.StructuredJSON:
		return nil
	case strings.HasPrefix(media, "application/cloudevents"):
		return unsupported(given, cloudevent.StructuredJSON)
	case media == cloudevent.JSON && binary:
		return nil
	case media == cloudevent.JSON:
		return problem.New(http.StatusBadRequest, "not a CloudEvent: send the header ce-specversion, or Content-Type %s",
			cloudevent.StructuredJSON)
	case media == "" && binary:
		return nil // an event without data has no media type; the handler decides whether that is allowed
	}
	return unsupported(given, cloudevent.JSON)
}

func unsupported(given, want string) *problem.Problem {
	return problem.New(http.StatusUnsupportedMediaType, "Content-Type must be %s, not %q", want, given).With("Accept", want)
}

// headerLine returns s as one line of at most 512 bytes of visible ASCII: the broker makes it an extension of the dead
// letter, and Kafka headers are for reading.
func headerLine(s string) string {
	const most = 512
	s = strings.ReplaceAll(s, "…", "...")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	if len(s) > most {
		s = s[:most-3] + "..."
	}
	return s
}
