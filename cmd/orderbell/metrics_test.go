package main_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"orderbell/internal/dev/waittest"
	"orderbell/internal/service"
)

// -update updates docs/metrics.md.
var update = flag.Bool("update", false, "update docs/metrics.md") //nolint:gochecknoglobals // a flag

const metricsHead = `# Metrics

<!-- generated: go test ./cmd/orderbell -run TestMetricsTable -update -->

Every program serves these at ` + "`GET /metrics`" + ` and, where ` + "`OTEL_EXPORTER_OTLP_ENDPOINT`" + ` is set, pushes them by OTLP, with a last
push on SIGTERM. ` + "`GET /metrics/list`" + ` has the programs' own list as JSON. ` + "`TestMetricsTable`" + ` compares this table with running
programs: a metric that is missing here, or no longer made, fails it, and so does a label that is not in the table.
OpenTelemetry adds ` + "`target_info`" + `.

`

// TestMetricsTable compares docs/metrics.md with the metrics that the programs of a running stack export.
func TestMetricsTable(t *testing.T) {
	t.Parallel()
	d := startDev(t, filepath.Join(t.TempDir(), "dev"))
	status, body := d.call(t, http.MethodPost, "/api/orders", newOrder)
	if status != http.StatusCreated {
		t.Fatalf("POST /api/orders: %d %s", status, body)
	}
	var order struct {
		ID string `json:"order_id"`
	}
	if err := json.Unmarshal([]byte(body), &order); err != nil {
		t.Fatal(err)
	}
	d.call(t, http.MethodPost, "/api/orders/"+order.ID+"/pay", "")
	waittest.Until(t, "the payment is a notification", func() bool {
		_, body := d.call(t, http.MethodGet, "/api/notifications", "")
		return strings.Contains(body, order.ID)
	})
	metrics := map[string]service.Metric{}
	programs := map[string][]string{} // by metric
	for name, p := range d.state.Programs {
		var list []service.Metric
		if err := json.Unmarshal(fetch(t, p.URL+"/metrics/list"), &list); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, m := range list {
			if known, ok := metrics[m.Name]; ok && !cmp.Equal(known, m) {
				t.Errorf("%s of two programs differs: %s", m.Name, cmp.Diff(known, m))
			}
			metrics[m.Name] = m
			programs[m.Name] = append(programs[m.Name], name)
		}
		holdToList(t, name, fetch(t, p.URL+"/metrics"), list)
	}
	table := metricsTable(metrics, programs, len(d.state.Programs))
	file := filepath.Join("..", "..", "docs", "metrics.md")
	if *update {
		if err := os.WriteFile(file, table, 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(table), string(written)); diff != "" {
		t.Errorf("docs/metrics.md is not what the programs export; update it with -update (-programs +document):\n%s", diff)
	}
}

// holdToList fails for a metric that a program exports and does not list, and for a label that the list does not have.
func holdToList(t *testing.T, program string, scraped []byte, list []service.Metric) {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(scraped))
	if err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	for name, family := range families {
		if name == "target_info" {
			continue
		}
		at := slices.IndexFunc(list, func(m service.Metric) bool { return m.Name == name })
		if at < 0 {
			t.Errorf("%s exports %s, and does not list it", program, name)
			continue
		}
		if got := strings.ToLower(family.GetType().String()); got != list[at].Type {
			t.Errorf("%s of %s is a %s, and is listed as a %s", name, program, got, list[at].Type)
		}
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if !slices.Contains(list[at].Labels, label.GetName()) {
					t.Errorf("%s of %s has the label %s, which its description does not name", name, program, label.GetName())
				}
			}
		}
	}
}

func metricsTable(metrics map[string]service.Metric, programs map[string][]string, all int) []byte {
	var b bytes.Buffer
	b.WriteString(metricsHead)
	b.WriteString("| metric | type | unit | labels | programs | meaning |\n|---|---|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		m := metrics[name]
		where := "all"
		if names := programs[name]; len(names) < all {
			slices.Sort(names)
			where = strings.Join(names, ", ")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", m.Name, m.Type, m.Unit, strings.Join(m.Labels, ", "), where, m.Meaning)
	}
	return b.Bytes()
}

func fetch(t *testing.T, url string) []byte {
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
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
