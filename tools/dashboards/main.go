// Command dashboards writes the Grafana dashboards of k8s/components/observability as JSON into a folder. Each panel is a line
// of a table. `make alerts` runs every query against a Prometheus that scrapes a running system.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dashboards FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "dashboards:", err)
		os.Exit(1)
	}
}

// board is a dashboard of rows of panels.
type board struct {
	name, title, about string
	rows               []row
}

type row struct {
	title  string
	panels []panel
}

// panel shows queries over time. Limit is the value at which an alert begins, or 0 for no alert.
type panel struct {
	title, about string
	unit         string // as Grafana has them: s, bytes, percentunit, reqps, cps (per second), short
	limit        float64
	queries      []query
}

type query struct{ expr, legend string }

func write(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", folder, err)
	}
	for _, b := range []board{orders(), gateway(), programs()} {
		made, err := build(b)
		if err != nil {
			return fmt.Errorf("dashboard %s: %w", b.name, err)
		}
		content, err := json.MarshalIndent(made, "", "  ")
		if err != nil {
			return fmt.Errorf("dashboard %s: %w", b.name, err)
		}
		if err := os.WriteFile(filepath.Join(folder, b.name+".json"), append(content, '\n'), 0o644); err != nil {
			return fmt.Errorf("dashboard %s: %w", b.name, err)
		}
	}
	return nil
}

// build returns a dashboard in the older form, which every Grafana reads.
func build(b board) (dashboard.Dashboard, error) { //nolint:staticcheck // the newer form needs the newest Grafana
	source := "${datasource}"
	all := dashboard.NewDashboardBuilder(b.title).Uid("orderbell-"+b.name).Description(b.about).Tags([]string{"orderbell"}). //nolint:staticcheck // the same
																	Refresh("30s").Time("now-3h", "now").Timezone(common.TimeZoneBrowser).
																	WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Prometheus").Type("prometheus"))
	for _, r := range b.rows {
		all = all.WithRow(dashboard.NewRowBuilder(r.title))
		for _, p := range r.panels {
			made := timeseries.NewPanelBuilder().Title(p.title).Description(p.about).Unit(p.unit).Min(0).Span(8).Height(7).
				Datasource(common.DataSourceRef{Type: new("prometheus"), Uid: &source}).
				Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom)).
				Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti))
			if p.limit > 0 {
				made = made.Thresholds(dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).
					Steps([]dashboard.Threshold{{Color: "green"}, {Color: "red", Value: &p.limit}})).
					ThresholdsStyle(common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeLine))
			}
			for _, q := range p.queries {
				made = made.WithTarget(prometheus.NewDataqueryBuilder().Expr(q.expr).LegendFormat(q.legend))
			}
			all = all.WithPanel(made)
		}
	}
	return all.Build()
}
