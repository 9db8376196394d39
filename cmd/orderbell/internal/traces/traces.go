// Package traces keeps the spans that programs push over OTLP in memory, the recent ones, and prints a trace with a bar for
// each hop.
package traces

import (
	"cmp"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is one hop.
type Span struct {
	TraceID    string            `json:"trace_id"`
	ID         string            `json:"span_id"`
	ParentID   string            `json:"parent_id,omitempty"`
	Name       string            `json:"name"`
	Program    string            `json:"program"`
	Start      time.Time         `json:"start"`
	End        time.Time         `json:"end"`
	Error      string            `json:"error,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
}

const (
	maxTraces = 2000 // some 10 MB
	maxSpans  = 200  // of one trace
	maxBody   = 8 << 20
)

// Collector takes OTLP over HTTP. It keeps the newest traces.
type Collector struct {
	mux *http.ServeMux

	mu    sync.Mutex
	spans map[string][]Span // by trace
	order []string          // traces, the oldest first
}

// NewCollector returns an empty collector. It serves POST /v1/traces and /v1/metrics (which it drops), and GET /traces/{id}: the
// spans of a trace as JSON, in the order of their start.
func NewCollector() *Collector {
	c := &Collector{mux: http.NewServeMux(), spans: map[string][]Span{}}
	c.mux.HandleFunc("POST /v1/traces", c.take)
	c.mux.HandleFunc("POST /v1/metrics", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxBody)) // programs serve them at /metrics too
	})
	c.mux.HandleFunc("GET /traces/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(c.Trace(r.PathValue("id"))) // a client that has disconnected needs no answer
	})
	return c
}

// ServeHTTP implements [http.Handler].
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.mux.ServeHTTP(w, r) }

// Trace returns the spans of a trace, in the order of their start. It is empty for a trace that is not kept.
func (c *Collector) Trace(id string) []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	spans := append([]Span{}, c.spans[id]...)
	slices.SortStableFunc(spans, func(a, b Span) int { return a.Start.Compare(b.Start) })
	return spans
}

// Newest returns up to n of the traces that have all of the named spans, the newest first. The spans of each are in the order
// of their start.
func (c *Collector) Newest(n int, names ...string) [][]Span {
	found := [][]Span{}
	c.mu.Lock()
	ids := slices.Clone(c.order)
	c.mu.Unlock()
	for _, id := range slices.Backward(ids) {
		if len(found) == n {
			break
		}
		spans := c.Trace(id)
		missing := slices.ContainsFunc(names, func(name string) bool {
			return !slices.ContainsFunc(spans, func(s Span) bool { return s.Name == name })
		})
		if !missing && len(spans) > 0 {
			found = append(found, spans)
		}
	}
	return found
}

func (c *Collector) take(w http.ResponseWriter, r *http.Request) {
	var body io.Reader = http.MaxBytesReader(w, r.Body, maxBody)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, "the body is not gzip", http.StatusBadRequest)
			return
		}
		body = io.LimitReader(unzipped, maxBody)
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	var pushed collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(raw, &pushed); err != nil {
		http.Error(w, "the body is not OTLP in protobuf", http.StatusBadRequest)
		return
	}
	for _, resource := range pushed.GetResourceSpans() {
		program := attributes(resource.GetResource().GetAttributes())["service.name"]
		for _, scope := range resource.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				c.add(spanOf(program, s))
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.WriteHeader(http.StatusOK) // an empty message says that all were taken
}

func (c *Collector) add(s Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.spans[s.TraceID]
	if !ok {
		if len(c.order) >= maxTraces {
			delete(c.spans, c.order[0])
			c.order = c.order[1:]
		}
		c.order = append(c.order, s.TraceID)
	}
	if len(known) < maxSpans {
		c.spans[s.TraceID] = append(known, s)
	}
}

func spanOf(program string, s *tracepb.Span) Span {
	failed := ""
	if s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR {
		failed = cmp.Or(s.GetStatus().GetMessage(), "error")
	}
	return Span{
		TraceID: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()), ParentID: hex.EncodeToString(s.GetParentSpanId()),
		Name: s.GetName(), Program: program, Error: failed, Attributes: attributes(s.GetAttributes()),
		Start: time.Unix(0, int64(s.GetStartTimeUnixNano())).UTC(), //nolint:gosec // fits until 2262
		End:   time.Unix(0, int64(s.GetEndTimeUnixNano())).UTC(),   //nolint:gosec // as above
	}
}

func attributes(from []*commonpb.KeyValue) map[string]string {
	if len(from) == 0 {
		return nil
	}
	found := make(map[string]string, len(from))
	for _, kv := range from {
		v := kv.GetValue()
		if s, ok := v.GetValue().(*commonpb.AnyValue_StringValue); ok {
			found[kv.GetKey()] = s.StringValue
			continue
		}
		found[kv.GetKey()] = scalar(v)
	}
	return found
}
