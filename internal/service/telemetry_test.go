package service_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"orderbell/internal/dev/programtest"
	"orderbell/internal/dev/waittest"
	"orderbell/internal/service"
)

// collector receives what programs push.
type collector struct {
	*httptest.Server
	mu      sync.Mutex
	metrics []string
	about   map[string]string // the attributes of the latest push's resource
	spans   []string          // by name
	traces  map[string]string // trace id by span name
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{traces: map[string]string{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.take(r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) take(r *http.Request) error {
	var reader io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		zip, err := gzip.NewReader(r.Body)
		if err != nil {
			return err
		}
		reader = zip
	}
	body, err := io.ReadAll(reader)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.URL.Path == "/v1/metrics" {
		var request metrics.ExportMetricsServiceRequest
		if err := proto.Unmarshal(body, &request); err != nil {
			return err
		}
		for _, resource := range request.GetResourceMetrics() {
			c.about = map[string]string{}
			for _, a := range resource.GetResource().GetAttributes() {
				c.about[a.GetKey()] = a.GetValue().GetStringValue()
			}
			for _, scope := range resource.GetScopeMetrics() {
				for _, m := range scope.GetMetrics() {
					c.metrics = append(c.metrics, m.GetName())
				}
			}
		}
		return nil
	}
	var request traces.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &request); err != nil {
		return err
	}
	for _, resource := range request.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				c.spans = append(c.spans, s.GetName())
				c.traces[s.GetName()] = fmt.Sprintf("%x", s.GetTraceId())
			}
		}
	}
	return nil
}

func (c *collector) has(metric string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.metrics, metric)
}

// startBell starts the program of TestMain with env, and returns its address and its end: SIGTERM, and the exit.
func startBell(t *testing.T, env ...string) (base string, stop func()) {
	t.Helper()
	p := programtest.Start(t, os.Args[0], bellEnvironment(env...)...).WaitReady(t)
	return p.URL, func() {
		t.Helper()
		if err := p.Stop(time.Minute); err != nil {
			t.Error(err)
		}
		if err := p.Err(); err != nil {
			t.Errorf("exit after SIGTERM: %v", err)
		}
	}
}

// bellEnvironment is the environment of the program of TestMain. Its store answers, unless env says otherwise.
func bellEnvironment(env ...string) []string {
	return append(append(os.Environ(), "SERVICE_TEST_PROGRAM=1", "STORE_URL=/dev/null"), env...)
}

// call makes a request of the trace 4bf9…, and reads the head of its answer.
func call(t *testing.T, url string) io.Closer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return response.Body
}

// TestOTLP runs a program that pushes to a collector. Its interval is an hour, so that only the flush after SIGTERM can push
// what is expected.
func TestOTLP(t *testing.T) {
	t.Parallel()
	t.Run("metrics are pushed while the program runs", func(t *testing.T) {
		t.Parallel()
		c := newCollector(t)
		_, stop := startBell(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL, "OTEL_METRIC_EXPORT_INTERVAL=50")
		waittest.Until(t, "a push has the runtime's metrics", func() bool { return c.has("orderbell.runtime.goroutines") })
		stop()
	})
	t.Run("each instance has an id, and OTEL_RESOURCE_ATTRIBUTES applies", func(t *testing.T) {
		t.Parallel()
		c := newCollector(t)
		port := programtest.Port(t)
		p := programtest.StartAt(t, port, os.Args[0], bellEnvironment("OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL,
			"OTEL_RESOURCE_ATTRIBUTES=k8s.namespace.name=shops,service.name=other")...)
		if err := p.Stop(time.Minute); err != nil {
			t.Error(err)
		}
		host, err := os.Hostname()
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"service.name": "bell", "service.instance.id": host + ":" + port, "k8s.namespace.name": "shops",
		}
		for key, value := range want {
			if c.about[key] != value {
				t.Errorf("%s is %q, want %q; all: %v", key, c.about[key], value, c.about)
			}
		}
	})
	t.Run("SIGTERM flushes metrics and spans", func(t *testing.T) {
		t.Parallel()
		c := newCollector(t)
		base, stop := startBell(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL, "OTEL_METRIC_EXPORT_INTERVAL=3600000", "OTEL_BSP_SCHEDULE_DELAY=3600000")
		body := call(t, base+"/slow")
		if c.has("orderbell.http.request.duration") {
			t.Fatal("the request was pushed before the flush: this test shows nothing")
		}
		stop()
		_ = body.Close()
		if !c.has("orderbell.http.request.duration") {
			t.Errorf("pushed metrics: %v", c.metrics)
		}
		if got := c.traces["GET /"]; got != "4bf92f3577b34da6a3ce929d0e0e4736" {
			t.Errorf("the span GET / is in trace %q, want the request's; spans: %v", got, c.spans)
		}
	})
	t.Run("the sampler is OTEL_TRACES_SAMPLER's", func(t *testing.T) {
		t.Parallel()
		c := newCollector(t)
		base, stop := startBell(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL, "OTEL_TRACES_SAMPLER=always_off")
		body := call(t, base+"/slow")
		stop()
		_ = body.Close()
		if len(c.spans) > 0 {
			t.Errorf("spans: %v, want none", c.spans)
		}
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	base, stop := startBell(t)
	body := call(t, base+"/slow")
	defer body.Close() //nolint:errcheck // only read
	defer stop()
	text := read(t, base+"/metrics")
	if want := `orderbell_http_request_duration_seconds_count{method="GET",route="/",status="200"} 1`; !strings.Contains(text, want) {
		t.Errorf("no %s in\n%s", want, text)
	}
	var list []service.Metric
	if err := json.Unmarshal([]byte(read(t, base+"/metrics/list")), &list); err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(list, func(m service.Metric) bool { return m.Name == "orderbell_http_request_duration_seconds" })
	if at < 0 || list[at].Type != "histogram" || !slices.Equal(list[at].Labels, []string{"method", "route", "status"}) {
		t.Errorf("list: %+v", list)
	}
}

func read(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
