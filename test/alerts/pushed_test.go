//go:build alerts && collector

package alerts_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCollector holds what the collector serves to what the functions serve themselves, which the rules and the dashboards are
// written for: the same names, types, labels and bounds of buckets, and the label program.
func TestCollector(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := w.startTrade(ctx)
	defer func() { cancel(); <-ended }()

	used := []string{"orderbell_event_duration_seconds_bucket", "orderbell_mail_total", "orderbell_http_request_duration_seconds_count"}
	eventually(t, "the functions' metrics at the collector", func() error {
		pushed, err := w.pushed(ctx)
		if err != nil {
			return err
		}
		all := map[string]bool{}
		for name, p := range w.state.Programs {
			if !isFunction(name) {
				if len(pushed[name]) > 0 {
					t.Fatalf("%s is scraped, and the collector has %d of its series", name, len(pushed[name]))
				}
				continue
			}
			body, err := get(ctx, p.URL+"/metrics")
			if err != nil {
				return err
			}
			own := map[string]bool{}
			for _, s := range samples(string(body)) {
				own[s.form()] = true
				all[s.name] = true
			}
			if diff := cmp.Diff(own, pushed[name]); diff != "" {
				return fmt.Errorf("%s itself (-), the collector (+):\n%s", name, diff)
			}
		}
		for _, name := range used {
			if !all[name] {
				return fmt.Errorf("no function has %s yet", name)
			}
		}
		return nil
	})
	eventually(t, "an exemplar at the collector", func() error {
		body, err := w.openMetrics(ctx)
		if err == nil && !exemplar.MatchString(body) {
			err = fmt.Errorf("no bucket of an event's duration has one in %d bytes", len(body))
		}
		return err
	})
	eventually(t, "a trace at the sink", func() error {
		got := w.collector.sink.programs()
		for _, want := range []string{"order-api", "outbox-relay", "order-created", "sse-gateway"} {
			if !slices.Contains(got, want) {
				return fmt.Errorf("no trace has a span of %s; the longest has %v", want, got)
			}
		}
		return nil
	})
	log, err := os.ReadFile(w.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(log), "\n") {
		if strings.Contains(line, "\twarn\t") || strings.Contains(line, "\terror\t") {
			t.Errorf("the collector complains: %s", line)
		}
	}
}

// exemplar has the trace of an event.
var exemplar = regexp.MustCompile(`(?m)^orderbell_event_duration_seconds_bucket{.*} \d+ # {.*trace_id="[0-9a-f]{32}"`)

// openMetrics returns what Prometheus gets from the collector.
func (w *world) openMetrics(ctx context.Context) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.collector.metrics+"/metrics", nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// pushed returns the forms of the series that the collector serves, by program.
func (w *world) pushed(ctx context.Context) (map[string]map[string]bool, error) {
	body, err := get(ctx, "http://"+w.collector.metrics+"/metrics")
	if err != nil {
		return nil, err
	}
	all := map[string]map[string]bool{}
	for _, s := range samples(string(body)) {
		program := s.labels["program"]
		if s.labels["job"] != program || s.labels["instance"] == "" {
			return nil, fmt.Errorf("%s has the labels %v, want job as program, and instance", s.name, s.labels)
		}
		for _, added := range []string{"program", "job", "instance"} {
			delete(s.labels, added)
		}
		if all[program] == nil {
			all[program] = map[string]bool{}
		}
		all[program][s.form()] = true
	}
	return all, nil
}

// sample is a line of the text format.
type sample struct {
	name, kind string
	labels     map[string]string
}

// form is what queries rely on: values of labels change, but not the bounds of buckets.
func (s sample) form() string {
	return fmt.Sprintf("%s %s %v le=%s", s.kind, s.name, slices.Sorted(maps.Keys(s.labels)), s.labels["le"])
}

var (
	typeLine   = regexp.MustCompile(`^# TYPE (\w+) (\w+)`)
	sampleLine = regexp.MustCompile(`^(\w+)(?:\{(.*)\})? `)
	labelPair  = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)
)

// samples reads the text format. target_info is left out: it has no form of its own.
func samples(text string) []sample {
	var all []sample
	kind := ""
	for _, line := range strings.Split(text, "\n") {
		if m := typeLine.FindStringSubmatch(line); m != nil {
			kind = m[2]
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil || m[1] == "target_info" {
			continue
		}
		s := sample{name: m[1], kind: kind, labels: map[string]string{}}
		for _, pair := range labelPair.FindAllStringSubmatch(m[2], -1) {
			s.labels[pair[1]] = pair[2]
		}
		all = append(all, s)
	}
	return all
}
