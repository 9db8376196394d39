package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.26.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// telemetry is a program's metrics and traces. Metrics are always served at /metrics. With an OTLP endpoint, both are
// pushed, because a function that has scaled to zero cannot be scraped.
type telemetry struct {
	meter    metric.Meter
	tracer   trace.Tracer
	scrape   http.Handler
	catalog  *catalog
	requests metric.Float64Histogram
	shutdown func(context.Context) error
}

// flushTimeout bounds the last push on SIGTERM, so that a collector that is down does not delay the stop.
const flushTimeout = 3 * time.Second

func newTelemetry(ctx context.Context, name string, cfg Config) (*telemetry, error) {
	registry := prometheus.NewRegistry()
	scraped, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	about, err := about(ctx, name, cfg)
	if err != nil {
		return nil, err
	}
	t := &telemetry{
		tracer: noop.Tracer{}, catalog: &catalog{},
		scrape: promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}), // it has the exemplars
	}
	options := []sdkmetric.Option{sdkmetric.WithReader(scraped), sdkmetric.WithResource(about), sdkmetric.WithView(t.catalog.view)}
	var ends []func(context.Context) error
	if cfg.OTLPEndpoint != "" {
		// Both exporters read OTEL_EXPORTER_OTLP_* themselves, as specified, and the tracer provider reads
		// OTEL_TRACES_SAMPLER.
		pushed, err := otlpmetrichttp.New(ctx)
		if err != nil {
			return nil, fmt.Errorf("set up OTLP: %w", err)
		}
		options = append(options, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(pushed)))
		spans, err := otlptracehttp.New(ctx)
		if err != nil {
			return nil, fmt.Errorf("set up OTLP: %w", err)
		}
		traces := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(about))
		t.tracer = traces.Tracer("orderbell/" + name)
		ends = append(ends, traces.Shutdown)
	}
	metrics := sdkmetric.NewMeterProvider(options...)
	ends = append(ends, metrics.Shutdown)
	t.meter = metrics.Meter("orderbell/" + name)
	t.shutdown = func(ctx context.Context) error { return flush(ctx, ends) }
	if t.requests, err = newRequests(t.meter); err == nil {
		err = observeRuntime(t.meter)
	}
	if err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	return t, nil
}

// about is the resource of pushed metrics and spans. Several instances push at the same time, so each has an id: host:port, where
// the host is the pod. OTEL_RESOURCE_ATTRIBUTES may add or override attributes.
func about(ctx context.Context, name string, cfg Config) (*resource.Resource, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name this instance: %w", err)
	}
	r, err := resource.New(ctx, resource.WithAttributes(semconv.ServiceInstanceID(net.JoinHostPort(host, strconv.Itoa(cfg.Port)))),
		resource.WithFromEnv(), resource.WithAttributes(semconv.ServiceName(name)))
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return r, nil
}

// flush pushes the remaining traces and metrics, at the same time.
func flush(ctx context.Context, ends []func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	failed := make(chan error, len(ends))
	for _, end := range ends {
		go func() { failed <- end(ctx) }()
	}
	var errs []error
	for range ends {
		if err := <-failed; err != nil && !errors.Is(err, context.DeadlineExceeded) {
			errs = append(errs, fmt.Errorf("flush telemetry: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Observed is a part of a program that has metrics, such as a pool of connections.
type Observed interface {
	Observe(meter metric.Meter) error
}

// Observe registers the metrics of parts.
func (s *Service) Observe(parts ...Observed) error {
	for _, p := range parts {
		if err := p.Observe(s.Meter); err != nil {
			return fmt.Errorf("set up metrics: %w", err)
		}
	}
	return nil
}
