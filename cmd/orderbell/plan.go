package main

import (
	"fmt"
	"io"
	"math"
	"time"

	"github.com/spf13/cobra"

	"orderbell/cmd/orderbell/internal/console"
	"orderbell/cmd/orderbell/internal/plan"
)

func newPlanCommand() *cobra.Command {
	in := plan.Default()
	var asJSON, validate bool
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Compute how many pods, shards and databases a load needs, and simulate a spike",
		Long: `Compute how many pods, shards and databases a load needs, and simulate a spike.

The load is shared by cells of equal size, each a whole deployment with a database of its own. The command computes what the mean
load needs, then simulates one cell: from zero pods to the mean load, through a spike, until the spike is drained. It reaches no
server. Defaults are this repository's manifests and benchmarks; --json has the source of each. docs/capacity.md has the formulas, the
limits of the model, and its deviation from measurements.`,
		Example: `  orderbell plan
  orderbell plan --clients 20000 --tenants 2000 --payments 200 --core-price 1 --memory-price 0.1
  orderbell plan --payments 150000 --spike-factor 1      # sized for the peak
  orderbell plan --validate`,
		Args:    noArguments,
		PreRunE: func(*cobra.Command, []string) error { return in.Check() },
		RunE: work(func(cmd *cobra.Command, _ []string) error {
			switch {
			case validate && asJSON:
				return printJSON(cmd.OutOrStdout(), plan.Validate())
			case validate:
				return printValidation(cmd, plan.Validate())
			case asJSON:
				return printJSON(cmd.OutOrStdout(), map[string]any{"inputs": inputs(in), "plan": plan.Make(in)})
			}
			return printPlan(cmd, in, plan.Make(in))
		}),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	for _, f := range in.Fields() {
		switch v := f.Value.(type) {
		case *int:
			flags.IntVar(v, f.Flag, *v, f.Usage)
		case *float64:
			flags.Float64Var(v, f.Flag, *v, f.Usage)
		case *time.Duration:
			flags.DurationVar(v, f.Flag, *v, f.Usage)
		}
	}
	flags.BoolVar(&validate, "validate", false, "simulate the cluster test's spikes instead, and compare them with what was measured")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// planInput is an input with where its value comes from.
type planInput struct {
	Flag    string `json:"flag"`
	Value   string `json:"value"`
	Source  string `json:"source"`
	Assumed bool   `json:"assumed"`
}

// inputs returns the inputs with their sources. A value that differs from the default was given.
func inputs(in plan.Input) []planInput {
	defaults := plan.Default()
	usual := defaults.Fields()
	fields := in.Fields()
	all := make([]planInput, len(fields))
	for i, f := range fields {
		all[i] = planInput{Flag: "--" + f.Flag, Value: f.Text(), Source: f.Source, Assumed: f.Source == ""}
		switch {
		case f.Text() != usual[i].Text():
			all[i].Source, all[i].Assumed = "given", false
		case f.Source == "":
			all[i].Source = "assumed"
		}
	}
	return all
}

func printPlan(cmd *cobra.Command, in plan.Input, r plan.Result) error {
	return table(cmd, func(w io.Writer) {
		s := r.Sizing
		_, _ = fmt.Fprintf(w, "%d clients of %d tenants, %g payments/s, %.0f changes of orders/s\n\n", in.Clients, in.Tenants, in.Payments, s.Changes)
		row(w, "EACH OF", fmt.Sprintf("%d cells", s.Cells))
		row(w, "payments/s", fmt.Sprintf("%.0f", s.CellPayments))
		row(w, "partitions", count(s.Partitions))
		row(w, "consumers of a Trigger", count(s.Consumers))
		row(w, "pods of order-paid", count(s.FunctionPods))
		row(w, "shards of Redis", count(s.RedisShards))
		row(w, "gateways", fmt.Sprintf("%d, of which %.1f have a stream of a given tenant", s.Gateways, s.Watching))
		_, _ = fmt.Fprintln(w)
		row(w, "MEAN LOAD USES", "OF")
		for _, u := range s.Uses {
			row(w, fmt.Sprintf("%.0f %%", 100*u.Part), u.Resource)
		}
		_, _ = fmt.Fprintln(w)
		row(w, "ALL CELLS", "PODS", "CORES", "GIB", "HOW")
		for _, a := range s.Amounts {
			pods := ""
			if a.Pods > 0 {
				pods = count(a.Pods)
			}
			row(w, a.Part, pods, count(up(a.Cores)), count(up(a.Memory)), a.Why)
		}
		row(w, "together", "", count(up(s.Cores)), count(up(s.Memory)), "")
		if s.CostPerHour > 0 {
			row(w, "cost per hour", fmt.Sprintf("%.2f", s.CostPerHour), "at the given prices")
		}
		printSpike(w, in, r)
		_, _ = fmt.Fprintln(w, "\nassumed, neither measured nor configured here:")
		for _, i := range inputs(in) {
			if i.Assumed {
				row(w, i.Flag, i.Value)
			}
		}
	})
}

// printSpike prints what was simulated.
func printSpike(w io.Writer, in plan.Input, r plan.Result) {
	_, _ = fmt.Fprintf(w, "\na cell, simulated with seed %d: %d payments, %d delivered, %d dead letters\n\n", in.Seed, r.Course.Arrived, r.Course.Delivered, r.Course.Dead)
	row(w, "ORDER TO SCREEN", "PAYMENTS", "P50", "P99", "MAX")
	for _, p := range []struct {
		name   string
		course plan.PhaseCourse
	}{{"from zero pods", r.Warm}, {"mean load", r.Steady}, {fmt.Sprintf("spike ×%g for %s", in.SpikeFactor, in.SpikeFor), r.Spike}} {
		row(w, p.name, count(p.course.Payments), console.Seconds(p.course.P50), console.Seconds(p.course.P99), console.Seconds(p.course.Most))
	}
	_, _ = fmt.Fprintln(w)
	row(w, "first pod", console.Seconds(r.FirstPod))
	row(w, "pods at most", count(r.MostPods))
	row(w, "waiting at most", count(r.Course.MostWaiting))
	drained := fmt.Sprintf("%s after the spike began, %s after it ended", console.Seconds(r.Drained), console.Seconds(r.Drained-in.SpikeFor))
	if !r.InTime {
		drained += ", after --rest had ended: it takes longer"
	}
	row(w, "drained", drained)
	if len(r.Limits) == 0 {
		row(w, "bottleneck", "none: no queue stays")
	}
	for i, l := range r.Limits {
		name := "bottleneck"
		if i > 0 {
			name = "then"
		}
		row(w, name, fmt.Sprintf("%s (%d s)", l.Name, l.Seconds))
	}
}

func printValidation(cmd *cobra.Command, all []plan.Comparison) error {
	return table(cmd, func(w io.Writer) {
		row(w, "RUN", "FIGURE", "MEASURED", "SIMULATED", "FROM", "TO", "DEVIATION")
		run := ""
		for _, c := range all {
			name := c.Run
			if c.Fitted {
				name += " (fitted)"
			}
			if name == run {
				name = "″"
			} else {
				run = name
			}
			row(w, name, c.Figure, fmt.Sprintf("%.4g", c.Measured), fmt.Sprintf("%.4g", c.Simulated), fmt.Sprintf("%.4g", c.Least),
				fmt.Sprintf("%.4g", c.Most), fmt.Sprintf("%+.0f %%", 100*c.Deviation()))
		}
	})
}

func count(n int) string { return number(int64(n)) }

func up(x float64) int { return int(math.Ceil(x)) }
