//go:build alerts

package alerts_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"orderbell/internal/plot"
)

// board is what is read of a dashboard.
type board struct {
	Title, Description string
	Panels             []struct {
		Type, Title, Description string
		GridPos                  struct{ W int }
		Targets                  []struct{ Expr, LegendFormat string }
		Options                  struct{ Legend struct{ ShowLegend bool } }
		FieldConfig              struct {
			Defaults struct {
				Unit       string
				Thresholds struct{ Steps []struct{ Value float64 } }
			}
		}
	}
}

// tile is a panel on the page, or the title of a row.
type tile struct {
	Title, About, Unit string
	Width              int // 0: the title of a row
	Lines              []plot.Line
	Picture            template.HTML
}

const (
	tileWidth  = 480
	tileHeight = 190
)

// plotDashboards runs every query of every dashboard over the time of this test, and writes the panels to .report/dashboards.html,
// as a Grafana shows them. Each query must have values, and each line a legend of its own.
func (w *world) plotDashboards(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(component, "dashboards", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("dashboards: %d, %v", len(files), err)
	}
	page := struct {
		Told   string
		Boards []map[string]any
	}{Told: fmt.Sprintf("one run of the tests in test/alerts, %s, with the faults of every alert one after the other", time.Since(w.started).Round(time.Second))}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var b board
		if err := json.Unmarshal(content, &b); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		page.Boards = append(page.Boards, map[string]any{"Title": b.Title, "About": b.Description, "Tiles": w.tiles(t, b)})
	}
	out, err := os.Create(filepath.Join(root, ".report", "dashboards.html"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close() //nolint:errcheck // the template's error is looked at
	if err := template.Must(template.New("").Parse(dashboardsPage)).Execute(out, page); err != nil {
		t.Error(err)
	}
}

func (w *world) tiles(t *testing.T, b board) []tile {
	t.Helper()
	colours := []string{"#2563eb", "#c2410c", "#15803d", "#7e22ce", "#0e7490", "#be123c", "#a16207", "#64748b", "#4d7c0f", "#db2777"}
	var all []tile
	for _, p := range b.Panels {
		made := tile{Title: p.Title, About: p.Description, Width: p.GridPos.W, Unit: p.FieldConfig.Defaults.Unit}
		if p.Type == "row" {
			made.Width = 0
			all = append(all, made)
			continue
		}
		span := time.Since(w.started)
		for _, target := range p.Targets {
			lines, err := w.lines(t, target.Expr, target.LegendFormat, span)
			if err != nil || !slices.ContainsFunc(lines, hasValues) {
				t.Errorf("%s, panel %q: no values of %s in %d series (%v)", b.Title, p.Title, target.Expr, len(lines), err)
			}
			made.Lines = append(made.Lines, lines...)
		}
		names := map[string]bool{}
		for i := range made.Lines {
			l := &made.Lines[i]
			l.Colour = colours[i%len(colours)]
			if l.Name == "" || names[l.Name] || !p.Options.Legend.ShowLegend {
				t.Errorf("%s, panel %q: the legend is hidden, or %q is not the name of one line", b.Title, p.Title, l.Name)
			}
			names[l.Name] = true
		}
		chart := plot.Chart{
			Lines: made.Lines, To: span.Seconds(), Value: func(v float64) string { return shown(v, made.Unit) },
			Time: func(at float64) string { return time.Duration(at * float64(time.Second)).Round(time.Second).String() },
		}
		for _, s := range p.FieldConfig.Defaults.Thresholds.Steps {
			chart.Limit = max(chart.Limit, s.Value)
		}
		var picture strings.Builder
		if err := chart.Draw(&picture, 0, 0, tileWidth, tileHeight); err != nil {
			t.Fatal(err)
		}
		made.Picture = template.HTML(picture.String()) //nolint:gosec // plot escapes
		all = append(all, made)
	}
	return all
}

func hasValues(l plot.Line) bool {
	return slices.ContainsFunc(l.Points, func(p plot.Point) bool { return !math.IsNaN(p.Value) && !math.IsInf(p.Value, 0) })
}

// placeholder is a label's value in the format of a legend.
var placeholder = regexp.MustCompile(`{{(\w+)}}`)

// lines returns the series of a query over the last span.
func (w *world) lines(t *testing.T, expr, legend string, span time.Duration) ([]plot.Line, error) {
	t.Helper()
	step := max(span/240, time.Second).Round(time.Millisecond)
	end := time.Now()
	start := end.Add(-span)
	interval := max(4*time.Second, step+time.Second) // as Grafana has it for scrapes of a second
	query := url.Values{
		"query": {strings.ReplaceAll(expr, "$__rate_interval", fmt.Sprintf("%dms", interval.Milliseconds()))},
		"start": {start.UTC().Format(time.RFC3339Nano)}, "end": {end.UTC().Format(time.RFC3339Nano)},
		"step": {strconv.FormatFloat(step.Seconds(), 'f', -1, 64)},
	}
	body, err := get(t.Context(), w.prometheus.url+"/api/v1/query_range?"+query.Encode())
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Values [][2]json.RawMessage // seconds, and the value in quotes
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	var all []plot.Line
	for _, series := range answer.Data.Result {
		l := plot.Line{Name: placeholder.ReplaceAllStringFunc(legend, func(of string) string { return series.Metric[strings.Trim(of, "{}")] })}
		last := 0.0
		for _, pair := range series.Values {
			at, err1 := strconv.ParseFloat(string(pair[0]), 64)
			value, err2 := strconv.ParseFloat(strings.Trim(string(pair[1]), `"`), 64)
			if err := cmp.Or(err1, err2); err != nil {
				return nil, err
			}
			at -= float64(start.UnixNano()) / 1e9
			if last > 0 && at-last > 1.5*step.Seconds() { // a hole
				l.Points = append(l.Points, plot.Point{At: last, Value: math.NaN()})
			}
			l.Points, last = append(l.Points, plot.Point{At: at, Value: value}), at
		}
		all = append(all, l)
	}
	return all, nil
}

// shown is a value with its unit, as Grafana writes it.
func shown(v float64, unit string) string {
	switch {
	case unit == "percentunit":
		return fmt.Sprintf("%.3g %%", v*100)
	case unit == "bytes" && v < 1<<20:
		return fmt.Sprintf("%.3g KiB", v/(1<<10))
	case unit == "bytes":
		return fmt.Sprintf("%.3g MiB", v/(1<<20))
	case unit == "s" && v > 0 && v < 1:
		return fmt.Sprintf("%.3g ms", v*1000)
	case unit == "s" && v >= 3600:
		return fmt.Sprintf("%.3g h", v/3600)
	case unit == "s" && v >= 120:
		return fmt.Sprintf("%.3g min", v/60)
	case unit == "s":
		return fmt.Sprintf("%.3g s", v)
	case unit == "reqps":
		return fmt.Sprintf("%.3g req/s", v)
	case unit == "cps":
		return fmt.Sprintf("%.3g /s", v)
	}
	return fmt.Sprintf("%.4g", v)
}

const dashboardsPage = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Orderbell: dashboards</title>
<style>
body { font: 13px sans-serif; margin: 16px; width: 1560px; background: #f4f4f5 }
h1 { font-size: 18px; margin: 24px 0 4px }
section { display: grid; grid-template-columns: repeat(24, 1fr); gap: 8px }
h2 { grid-column: 1 / -1; font-size: 14px; margin: 10px 0 0 }
figure { margin: 0; padding: 8px; background: #fff; border: 1px solid #ddd }
figcaption { font-weight: bold; min-height: 32px } figcaption small { display: block; font-weight: normal; color: #555 }
svg { width: 100%; font: 11px sans-serif } p { margin: 0 0 6px }
.legend span { margin-right: 10px; white-space: nowrap } i { display: inline-block; width: 12px; height: 3px; margin-right: 4px; vertical-align: middle }
</style>
<p>The panels of k8s/components/observability/dashboards with the data of {{.Told}}. A dashed line is the limit of an alert.</p>
{{range .Boards}}<h1>{{.Title}}</h1><p>{{.About}}</p>
<section>{{range .Tiles}}{{if .Width}}
<figure style="grid-column: span {{.Width}}"><figcaption>{{.Title}}<small>{{.About}}</small></figcaption>
<svg viewBox="0 0 480 190">{{.Picture}}</svg>
<div class="legend">{{range .Lines}}<span><i style="background: {{.Colour}}"></i>{{.Name}}</span>{{end}}</div></figure>
{{else}}<h2>{{.Title}}</h2>{{end}}{{end}}</section>
{{end}}</html>
`
