package devstack

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"orderbell/cmd/orderbell/internal/traces"
)

// spans keeps the recent spans of all programs. A nil one keeps none.
type spans struct {
	collector *traces.Collector
	server    *http.Server
	url       string
}

// startSpans returns nil if the environment names another place for spans.
func startSpans(ctx context.Context) (*spans, error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" {
		return nil, nil //nolint:nilnil // documented
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for spans: %w", err)
	}
	s := &spans{collector: traces.NewCollector(), url: "http://" + listener.Addr().String()}
	s.server = &http.Server{Handler: s.collector, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.server.Serve(listener) }() // until stop
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
	if err := s.server.Close(); err != nil {
		return fmt.Errorf("stop the collector of spans: %w", err)
	}
	return nil
}
