package service

import (
	"cmp"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// Metric describes one metric of a program, even if it has no value yet. docs/metrics.md is generated from these.
type Metric struct {
	Name    string   `json:"name"` // as exported to Prometheus
	Type    string   `json:"type"` // counter, gauge or histogram
	Unit    string   `json:"unit"` // "" for a plain count
	Labels  []string `json:"labels"`
	Meaning string   `json:"meaning"`
}

// catalog records every metric that a program creates.
type catalog struct {
	mu      sync.Mutex
	metrics map[string]Metric
}

// view is called for each new instrument. It does not change them.
func (c *catalog) view(i sdkmetric.Instrument) (sdkmetric.Stream, bool) {
	m := describe(i)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.metrics == nil {
		c.metrics = map[string]Metric{}
	}
	c.metrics[m.Name] = m
	return sdkmetric.Stream{}, false
}

// ServeHTTP lists the metrics by name.
func (c *catalog) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	list := make([]Metric, 0, len(c.metrics))
	for _, m := range c.metrics {
		list = append(list, m)
	}
	c.mu.Unlock()
	slices.SortFunc(list, func(a, b Metric) int { return cmp.Compare(a.Name, b.Name) })
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list) // the client may be gone
}

// labels matches the labels at the end of a metric's description.
var labels = regexp.MustCompile(`\s*Labels: ([a-z_, ]+)\.$`)

func describe(i sdkmetric.Instrument) Metric {
	m := Metric{Name: strings.ReplaceAll(i.Name, ".", "_"), Labels: []string{}, Meaning: i.Description}
	if found := labels.FindStringSubmatchIndex(i.Description); found != nil {
		m.Labels = strings.Split(i.Description[found[2]:found[3]], ", ")
		m.Meaning = i.Description[:found[0]]
	}
	switch i.Unit {
	case "s":
		m.Unit = "seconds"
	case "By":
		m.Unit = "bytes"
	}
	if m.Unit != "" && !strings.HasSuffix(m.Name, "_"+m.Unit) {
		m.Name += "_" + m.Unit
	}
	switch i.Kind { //nolint:exhaustive // the others are gauges
	case sdkmetric.InstrumentKindCounter, sdkmetric.InstrumentKindObservableCounter:
		m.Type = "counter"
		m.Name = strings.TrimSuffix(m.Name, "_total") + "_total"
	case sdkmetric.InstrumentKindHistogram:
		m.Type = "histogram"
	default:
		m.Type = "gauge"
	}
	return m
}
