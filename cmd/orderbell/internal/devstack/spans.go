package devstack

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"orderbell/cmd/orderbell/internal/traces"
	"orderbell/internal/origin"
)

// spans keeps the recent spans of all programs. A nil one keeps none.
type spans struct {
	collector *traces.Collector
	server    *origin.Server
	url       string
}

// startSpans returns nil if the environment names another place for spans.
func startSpans(ctx context.Context, log *slog.Logger) (*spans, error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" {
		return nil, nil //nolint:nilnil // documented
	}
	listeners, err := origin.Listen(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("listen for spans: %w", err)
	}
	s := &spans{collector: traces.NewCollector(), url: "http://" + listeners[0].Addr().String()}
	s.server = origin.Serve(s.collector, listeners, log)
	return s, nil
}

// environment is what the programs get to push their spans here, soon after they end.
func (s *spans) environment() []string {
	if s == nil {
		return nil
	}
	env := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + s.url}
	if os.Getenv("OTEL_BSP_SCHEDULE_DELAY") == "" {
		env = append(env, "OTEL_BSP_SCHEDULE_DELAY=200")
	}
	return env
}

func (s *spans) address() string {
	if s == nil {
		return ""
	}
	return s.url
}

func (s *spans) stop() error {
	if s == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // the programs have ended: what they still hold open is idle
	return s.server.Stop(ctx)
}
