//go:build alerts

package alerts_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// queryDashboards runs every query of every dashboard in Prometheus, which has to accept it and to have data for it.
func (w *world) queryDashboards(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(component, "dashboards", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("dashboards: %d, %v", len(files), err)
	}
	queries := 0
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var board struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		if err := json.Unmarshal(content, &board); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, p := range board.Panels {
			for _, target := range p.Targets {
				queries++
				// Ten minutes include the faults from the beginning of the run.
				expr := strings.ReplaceAll(target.Expr, "$__rate_interval", "10m")
				body, err := get(t.Context(), w.prometheus.url+"/api/v1/query?query="+url.QueryEscape(expr))
				var answer struct {
					Data struct{ Result []json.RawMessage }
				}
				if err == nil {
					err = json.Unmarshal(body, &answer)
				}
				if err != nil || len(answer.Data.Result) == 0 {
					t.Errorf("%s, panel %q: %d series for %s (%v)", filepath.Base(file), p.Title, len(answer.Data.Result), expr, err)
				}
			}
		}
	}
	t.Logf("ran %d queries of %d dashboards", queries, len(files))
}
