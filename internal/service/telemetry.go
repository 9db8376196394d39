package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.26.0"
)

// telemetry is a program's metrics: always scraped at /metrics, and pushed by OTLP where an endpoint is set, since a
// function that has scaled to zero cannot be scraped.
type telemetry struct {
	meter    metric.Meter
	handler  http.Handler
	shutdown func(context.Context) error
}

// flushTimeout bounds the last push on SIGTERM: a collector that is away must not hold a pod up.
const flushTimeout = 3 * time.Second

func newTelemetry(ctx context.Context, name string, cfg Config) (*telemetry, error) {
	registry := prometheus.NewRegistry()
	scraped, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	if err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	options := []sdkmetric.Option{
		sdkmetric.WithReader(scraped),
		sdkmetric.WithResource(resource.NewSchemaless(semconv.ServiceName(name))),
	}
	if cfg.OTLPEndpoint != "" {
		pushed, err := otlpmetrichttp.New(ctx) // reads OTEL_EXPORTER_OTLP_ENDPOINT itself, as the specification has it
		if err != nil {
			return nil, fmt.Errorf("set up OTLP: %w", err)
		}
		options = append(options, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(pushed)))
	}
	provider := sdkmetric.NewMeterProvider(options...)
	return &telemetry{
		meter:   provider.Meter("orderbell/" + name),
		handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		shutdown: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, flushTimeout)
			defer cancel()
			if err := provider.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("flush metrics: %w", err)
			}
			return nil
		},
	}, nil
}
