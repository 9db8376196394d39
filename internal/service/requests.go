package service

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"orderbell/internal/server"
	"orderbell/internal/tracing"
)

func newRequests(meter metric.Meter) (metric.Float64Histogram, error) {
	return meter.Float64Histogram("orderbell.http.request.duration", metric.WithUnit("s"),
		metric.WithDescription("From a request's arrival to the head of its answer. Labels: method, route, status."),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10))
}

// observe registers the metrics of the connections.
func (s *Service) observe(limits *server.Limits) error {
	_, err := s.Meter.Int64ObservableGauge("orderbell.http.connections", metric.WithDescription("Open connections; streams that were taken over are not among them."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(limits.Open()))
			return nil
		}))
	if err != nil {
		return fmt.Errorf("set up metrics: %w", err)
	}
	_, err = s.Meter.Int64ObservableCounter("orderbell.http.refused", metric.WithDescription("Connections and requests that a limit of connections refused."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(limits.Refused.Load())
			return nil
		}))
	if err != nil {
		return fmt.Errorf("set up metrics: %w", err)
	}
	return nil
}

// measured wraps h: it counts and times requests by route, and creates a span for each. For both, a stream's request
// ends with the header of its answer.
func (s *Service) measured(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		ctx, span := s.startSpan(r)
		r = r.WithContext(ctx)
		answer := &head{ResponseWriter: w}
		finished := false
		var once bool
		answer.begun = func(status int) {
			if once {
				return
			}
			once = true
			route := routeOf(r)
			method := methodOf(r.Method)
			s.telemetry.requests.Record(context.WithoutCancel(ctx), time.Since(began).Seconds(), metric.WithAttributes(
				attribute.String("method", method), attribute.String("route", route), attribute.Int("status", status)))
			if r.Header.Get("Ce-Id") == "" {
				span.SetName(method + " " + route)
			}
			span.SetAttributes(tracing.AttrHTTPMethod.String(method), tracing.AttrHTTPRoute.String(route), tracing.AttrHTTPStatus.Int(status))
			if status >= http.StatusInternalServerError {
				span.SetStatus(codes.Error, http.StatusText(status))
			}
		}
		defer func() {
			if !finished { // it panics; the server answers
				answer.begun(http.StatusInternalServerError)
			}
			answer.begun(http.StatusOK) // nothing was written, or the connection was taken over
			span.End()
		}()
		h.ServeHTTP(answer, r)
		finished = true
	})
}

// startSpan begins the span of a request. Its parent is the trace of the CloudEvent, otherwise that of the request's
// header.
func (s *Service) startSpan(r *http.Request) (context.Context, trace.Span) {
	ctx := tracing.Into(r.Context(), s.telemetry.tracer)
	name, kind := r.Method, trace.SpanKindServer
	parent := tracing.Header(r.Header)
	if r.Header.Get("Ce-Id") != "" {
		name, kind = tracing.SpanProcess, trace.SpanKindConsumer
		if carried := r.Header.Get("Ce-Traceparent"); carried != "" {
			parent = tracing.Parent{TraceParent: carried, TraceState: r.Header.Get("Ce-Tracestate")}
		}
	}
	return tracing.Start(tracing.With(ctx, parent), name, trace.WithSpanKind(kind))
}

// routeOf returns the pattern that the request matched, without its method, so that the number of label values is
// bounded.
func routeOf(r *http.Request) string {
	pattern := r.Pattern
	if _, path, ok := strings.Cut(pattern, " "); ok {
		pattern = path
	}
	if pattern == "" {
		return "/"
	}
	return pattern
}

// methodOf maps unknown methods to one label value.
func methodOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// head calls a function when an answer begins.
type head struct {
	http.ResponseWriter

	begun func(status int)
}

// WriteHeader implements [http.ResponseWriter].
func (h *head) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		h.begun(status)
	}
	h.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (h *head) Write(b []byte) (int, error) {
	h.begun(http.StatusOK)
	return h.ResponseWriter.Write(b)
}

// Unwrap is for [http.ResponseController].
func (h *head) Unwrap() http.ResponseWriter { return h.ResponseWriter }
