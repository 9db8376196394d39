//go:build alerts

package alerts_test

import (
	"context"
	"encoding/json"
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	traces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // in which the collector sends

	"orderbell/internal/dev/process"
	"orderbell/internal/dev/programtest"
)

// collectorProgram is bin/collector. With it the world is as in production: programs push to the collector, and Prometheus scrapes
// the collector in place of the functions.
var collectorProgram = flag.String("collector", "", "OpenTelemetry Collector that functions push to; without it they are scraped") //nolint:gochecknoglobals // a flag

// isFunction reports whether scrape.yaml of the component does not name the program.
func isFunction(program string) bool {
	return !slices.Contains([]string{"sse-gateway", "outbox-relay", "kafka-bridge"}, program)
}

// collector runs with the component's collector.yaml. Only the addresses are others.
type collector struct {
	otlp, metrics string // addresses
	sink          sink
}

func startCollector(t *testing.T, w *world) *collector {
	t.Helper()
	c := &collector{otlp: "127.0.0.1:" + programtest.Port(t), metrics: "127.0.0.1:" + programtest.Port(t)}
	type settings = map[string]any
	endpoint := func(address string) settings { return settings{"endpoint": address} }
	content, err := json.Marshal(settings{ // JSON is YAML
		"receivers": settings{"otlp": settings{"protocols": settings{"http": endpoint(c.otlp)}}},
		"exporters": settings{"prometheus": endpoint(c.metrics), "otlp_grpc/traces": endpoint(c.sink.start(t))},
		"service":   settings{"telemetry": settings{"metrics": settings{"level": "none"}}}, // the port of its own metrics may be taken
	})
	if err != nil {
		t.Fatal(err)
	}
	addresses := filepath.Join(t.TempDir(), "addresses.yaml")
	if err := os.WriteFile(addresses, content, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(*collectorProgram, "--config", filepath.Join(component, "collector.yaml"), "--config", addresses) //nolint:noctx // process.Process ends it
	cmd.Stdout, cmd.Stderr = w.log, w.log
	running, err := process.Start(cmd)
	if err != nil {
		t.Fatalf("%v (run make bin/collector first)", err)
	}
	t.Cleanup(func() { _ = running.Stop(time.Minute) })
	eventually(t, "the collector", func() error {
		_, err := get(t.Context(), "http://"+c.metrics+"/metrics")
		return err
	})
	return c
}

// environment has the programs push every second.
func (c *collector) environment() []string {
	return []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + c.otlp, "OTEL_METRIC_EXPORT_INTERVAL=1000", "OTEL_BSP_SCHEDULE_DELAY=200"}
}

// sink takes traces by OTLP over gRPC, as Tempo and Jaeger do.
type sink struct {
	traces.UnimplementedTraceServiceServer

	mu    sync.Mutex
	spans map[string][]string // the programs of each trace
}

func (s *sink) start(t *testing.T) string {
	t.Helper()
	s.spans = map[string][]string{}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // until the test ends
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	traces.RegisterTraceServiceServer(server, s)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

// Export is the sink's only method.
func (s *sink) Export(_ context.Context, r *traces.ExportTraceServiceRequest) (*traces.ExportTraceServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, from := range r.GetResourceSpans() {
		name := ""
		for _, a := range from.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				name = a.GetValue().GetStringValue()
			}
		}
		for _, scope := range from.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				if id := string(span.GetTraceId()); !slices.Contains(s.spans[id], name) {
					s.spans[id] = append(s.spans[id], name)
				}
			}
		}
	}
	return &traces.ExportTraceServiceResponse{}, nil
}

// programs returns the programs of the trace that has most of them.
func (s *sink) programs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var most []string
	for _, names := range s.spans {
		if len(names) > len(most) {
			most = slices.Sorted(slices.Values(names))
		}
	}
	return most
}
