package traces_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.26.0"

	"orderbell/cmd/orderbell/internal/traces"
	"orderbell/internal/tracing"
)

// TestCollector pushes with OpenTelemetry's own exporter.
func TestCollector(t *testing.T) {
	t.Parallel()
	collector := traces.NewCollector()
	server := httptest.NewServer(collector)
	t.Cleanup(server.Close)
	exporter, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(server.URL+"/v1/traces"),
		otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	if err != nil {
		t.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter), sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName("order-api"))))
	ctx, parent := provider.Tracer("test").Start(context.Background(), "POST /api/orders")
	_, child := provider.Tracer("test").Start(ctx, tracing.SpanSend)
	child.SetAttributes(tracing.AttrHTTPStatus.Int(201), tracing.AttrTenant.String("demo"), tracing.AttrCold.Bool(true))
	tracing.End(child, errors.New("no leader"))
	parent.End()
	id := parent.SpanContext().TraceID().String()
	var got []traces.Span
	if err := json.Unmarshal(get(t, server.URL+"/traces/"+id), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Name != "POST /api/orders" || got[1].ParentID != got[0].ID || got[1].Error != "no leader" || got[0].Program != "order-api" {
		t.Errorf("%+v", got)
	}
	want := map[string]string{"http.response.status_code": "201", "orderbell.tenant_id": "demo", "orderbell.cold_start": "true"}
	if diff := cmp.Diff(want, got[1].Attributes); diff != "" {
		t.Error(diff)
	}
	_, other := provider.Tracer("test").Start(context.Background(), "GET /api/orders")
	other.End()
	newest := collector.Newest(5, tracing.SpanSend)
	if len(newest) != 1 || len(newest[0]) != 2 || newest[0][0].TraceID != id {
		t.Errorf("the newest traces with %s are %+v", tracing.SpanSend, newest)
	}
	if newest := collector.Newest(1); len(newest) != 1 || newest[0][0].Name != "GET /api/orders" {
		t.Errorf("the newest trace is %+v", newest)
	}
	if unknown := string(get(t, server.URL+"/traces/none")); unknown != "[]\n" {
		t.Errorf("an unknown trace is %q", unknown)
	}
	response, err := http.Post(server.URL+"/v1/traces", "application/x-protobuf", strings.NewReader("\xff\xff")) //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("a body that is not OTLP: %s", response.Status)
	}
}

// TestOldTracesGo pushes more traces than are kept.
func TestOldTracesGo(t *testing.T) {
	t.Parallel()
	c := traces.NewCollector()
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	exporter, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(server.URL+"/v1/traces"))
	if err != nil {
		t.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter, sdktrace.WithMaxQueueSize(10_000), sdktrace.WithBlocking()))
	var ids []string
	for range 2100 {
		_, span := provider.Tracer("test").Start(context.Background(), "span")
		ids = append(ids, span.SpanContext().TraceID().String())
		span.End()
	}
	if err := provider.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, id := range ids {
		kept += len(c.Trace(id))
	}
	if kept != 2000 || len(c.Trace(ids[0])) != 0 || len(c.Trace(ids[2099])) != 1 {
		t.Errorf("%d traces are kept; of the first %d, of the last %d", kept, len(c.Trace(ids[0])), len(c.Trace(ids[2099])))
	}
}

func TestPrint(t *testing.T) {
	t.Parallel()
	at := func(ms int) time.Time { return time.Unix(1800000000, 0).Add(time.Duration(ms) * time.Millisecond) }
	var out bytes.Buffer
	err := traces.Print(&out, []traces.Span{
		{ID: "a", ParentID: "client", Name: "POST /api/orders", Program: "order-api", Start: at(0), End: at(10)},
		{ID: "b", ParentID: "a", Name: "send orders.events", Program: "outbox-relay", Start: at(8), End: at(20), Error: "no \x1bleader"},
		{ID: "c", ParentID: "b", Name: "process event", Program: "order-paid", Start: at(20), End: at(40)},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"  POST /api/orders      order-api     |██████████                              |     0.0 ms + 10.0 ms",
		"    send orders.events  outbox-relay  |        ████████████                    |     8.0 ms + 12.0 ms  failed: no <U+001B>leader",
		"      process event     order-paid    |                    ████████████████████|    20.0 ms + 20.0 ms",
	}, "\n") + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	response, err := http.Get(url) //nolint:noctx,gosec // a test of a server of its own
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	return body.Bytes()
}
