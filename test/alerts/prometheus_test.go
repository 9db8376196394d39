//go:build alerts

package alerts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"orderbell/internal/backoff"
	"orderbell/internal/dev/process"
	"orderbell/internal/dev/programtest"
)

// prometheus is a running Prometheus, with the history of its alerts.
type prometheus struct {
	url   string
	rules []string // the names of all alerts

	mu      sync.Mutex
	history map[string][]change
	trouble error // of the last query
}

// change is the time at which an alert began to fire or resolved.
type change struct {
	at     time.Time
	firing bool
}

func startPrometheus(t *testing.T, w *world) *prometheus {
	t.Helper()
	dir := t.TempDir()
	files, alerts := shortened(t, w.pace, dir)
	config := filepath.Join(dir, "prometheus.yaml")
	var targets []map[string]any
	for name, address := range w.targets() {
		targets = append(targets, map[string]any{"targets": []string{address}, "labels": map[string]string{"program": strings.TrimSuffix(name, "-2")}})
	}
	jobs := []any{map[string]any{"job_name": "orderbell", "static_configs": targets}}
	if w.collector != nil {
		jobs = append(jobs, map[string]any{
			"job_name": "orderbell-functions", "honor_labels": true,
			"static_configs": []any{map[string]any{"targets": []string{w.collector.metrics}}},
		})
	}
	content, err := json.Marshal(map[string]any{ // JSON is YAML
		"global":         map[string]string{"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
		"rule_files":     files,
		"scrape_configs": jobs,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, content, 0o600); err != nil {
		t.Fatal(err)
	}
	port := programtest.Port(t)
	cmd := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), //nolint:noctx // process.Process ends it
		"--web.listen-address=127.0.0.1:"+port, "--log.level=warn")
	cmd.Stdout, cmd.Stderr = w.log, w.log
	running, err := process.Start(cmd)
	if err != nil {
		t.Fatalf("Prometheus (Debian's package prometheus): %v", err)
	}
	t.Cleanup(func() { _ = running.Stop(time.Minute) })
	p := &prometheus{url: "http://127.0.0.1:" + port, rules: alerts, history: map[string][]change{}}
	eventually(t, "Prometheus to be ready", func() error {
		_, err := get(t.Context(), p.url+"/-/ready")
		return err
	})
	go p.follow(t.Context())
	return p
}

// follow keeps the history until ctx ends.
func (p *prometheus) follow(ctx context.Context) {
	for backoff.Sleep(ctx, 200*time.Millisecond) {
		firing, err := p.firing(ctx)
		p.mu.Lock()
		if p.trouble = err; err == nil {
			for _, name := range p.rules {
				if changes := p.history[name]; (len(changes) > 0 && changes[len(changes)-1].firing) != firing[name] {
					p.history[name] = append(changes, change{time.Now(), firing[name]})
				}
			}
		}
		p.mu.Unlock()
	}
}

// firing returns the alerts that fire now.
func (p *prometheus) firing(ctx context.Context) (map[string]bool, error) {
	body, err := get(ctx, p.url+"/api/v1/alerts")
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct {
			Alerts []struct {
				State  string
				Labels struct{ Alertname string }
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, a := range answer.Data.Alerts {
		if a.State == "firing" {
			names[a.Labels.Alertname] = true
		}
	}
	return names, nil
}

// await waits until all of the alerts fire, or until none of them fires.
func (p *prometheus) await(ctx context.Context, alerts []string, fire bool) error {
	deadline := time.Now().Add(patience)
	for {
		p.mu.Lock()
		var missing []string
		for _, name := range alerts {
			changes := p.history[name]
			if (len(changes) > 0 && changes[len(changes)-1].firing) != fire {
				missing = append(missing, name)
			}
		}
		trouble := p.trouble
		p.mu.Unlock()
		if len(missing) == 0 {
			return nil
		}
		if time.Now().After(deadline) || !backoff.Sleep(ctx, 100*time.Millisecond) {
			word := "to resolve"
			if fire {
				word = "to fire"
			}
			return errors.Join(fmt.Errorf("waited %s for %s %s", patience, strings.Join(missing, ", "), word), trouble)
		}
	}
}

// others returns the other alerts that fire.
func (p *prometheus) others(alerts []string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for _, name := range slices.Sorted(maps.Keys(p.history)) {
		changes := p.history[name]
		if len(changes) > 0 && changes[len(changes)-1].firing && !slices.Contains(alerts, name) {
			names = append(names, name)
		}
	}
	return names
}

// times returns the time from injected until the alert fired, and from healed until it resolved.
func (p *prometheus) times(alert string, injected, healed time.Time) (fired, resolved time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.history[alert] {
		switch {
		case c.firing && c.at.After(injected) && fired == 0:
			fired = c.at.Sub(injected)
		case !c.firing && c.at.After(healed) && resolved == 0:
			resolved = c.at.Sub(healed)
		}
	}
	return fired, resolved
}

// get returns the body of a successful response.
func get(ctx context.Context, url string) ([]byte, error) {
	status, body, err := call(ctx, http.MethodGet, url, "", "")
	if err == nil && status >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s answers %d: %.200s", url, status, body)
	}
	return body, err
}
