package plan

import (
	"slices"
	"time"
)

// Comparison is a measured figure and the same figure of the simulation, over several seeds.
type Comparison struct {
	Run       string  `json:"run"`
	Figure    string  `json:"figure"`
	Measured  float64 `json:"measured"`
	Least     float64 `json:"simulated_least"`
	Simulated float64 `json:"simulated_median"`
	Most      float64 `json:"simulated_most"`
	Fitted    bool    `json:"fitted"` // the simulation's machine was fitted to this run

	of func(*Course) float64
}

// Deviation is the deviation of the median, as a fraction of the measured figure.
func (c Comparison) Deviation() float64 { return c.Simulated/c.Measured - 1 }

// seeds is enough to show the random variation.
const seeds = 20

// machine is the cluster test's: two cores that do everything, from the tills to PostgreSQL. Its values are read from one run, the
// spike of 5,000 payments of docs/cluster-spike.svg, made before functions applied events in batches:
//
//   - 172 events a second while the backlog shrinks and no payments arrive: 2 s ÷ 172 = 11.6 ms for an event.
//   - 125 events a second beside 295 payments a second: (2 s − 125 × 11.6 ms) ÷ 295 = 1.86 ms for a payment.
//   - pods were ready 3.1 to 8.4 s after they were wanted.
func machine() Cell {
	in := Default()
	return Cell{
		APICores: 2, DatabaseCores: 2, Accept: 1860 * time.Microsecond, Apply: 11600 * time.Microsecond, Path: in.Path, BatchFixed: in.BatchFixed,
		Batches: 3, BatchSize: 1,
		Concurrency: in.Concurrency, Target: float64(in.Concurrency*in.TargetPct) / 100, MaxScale: in.MaxScale, Window: in.Window,
		StartLeast: 3100 * time.Millisecond, StartMost: 8400 * time.Millisecond,
		RedisShards: 1, GatewayCores: 2, Retries: in.Retries, Backoff: in.Backoff, Spread: in.Spread,
	}
}

// kafkaBridge is machine with overlay channel: 4 events of each of 12 partitions in flight, and a short window.
func kafkaBridge() Cell {
	c := machine()
	c.Phases = []Phase{{Payments: 5000, For: 19100 * time.Millisecond}}
	c.Lanes, c.LaneLimit, c.Window, c.KillAfter = 12, 4, 10*time.Second, 1250
	return c
}

// kafkaBroker is machine with Knative's Kafka broker, one consumer, and 2,000 payments that came in taken.
func kafkaBroker(taken time.Duration, pollRecords int) Cell {
	c := machine()
	c.Phases = []Phase{{Payments: 2000, For: taken}}
	c.Lanes, c.LaneLimit, c.KillAfter = 1, pollRecords, 500
	return c
}

// Validate simulates the spikes of the cluster test and returns them beside what was measured: docs/knative.md.
func Validate() []Comparison {
	bridge, idle := kafkaBridge(), kafkaBridge()
	idle.StartLeast, idle.StartMost = Default().StartLeast, Default().StartMost
	drained := func(c *Course) float64 { return c.Drained.Seconds() }
	pods := func(c *Course) float64 { return float64(c.MostPods) }
	pod := func(n int) func(*Course) float64 { return func(c *Course) float64 { return c.since(n).Seconds() } }
	var all []Comparison
	of := func(run string, c Cell, fitted bool, figures ...Comparison) {
		courses := make([]Course, seeds)
		for i := range courses {
			c.Seed = uint64(i + 1)
			courses[i] = Simulate(c)
		}
		for _, f := range figures {
			values := make([]float64, seeds)
			for i := range courses {
				values[i] = f.of(&courses[i])
			}
			slices.Sort(values)
			f.Run, f.Fitted = run, fitted
			f.Least, f.Simulated, f.Most = values[0], (values[(seeds-1)/2]+values[seeds/2])/2, values[seeds-1]
			all = append(all, f)
		}
	}
	figure := func(name string, measured float64, of func(*Course) float64) Comparison {
		return Comparison{Figure: name, Measured: measured, of: of}
	}
	of("5,000 payments, kafka-bridge", bridge, true,
		figure("first pod ready, s", 8.7, pod(1)),
		figure("second pod ready, s", 9.0, pod(2)),
		figure("fourth pod ready, s", 11.9, pod(4)),
		figure("pods at most", 4, pods),
		figure("payments waiting at most", 3738, func(c *Course) float64 { return float64(c.MostWaiting) }),
		figure("most waiting at, s", 18.8, func(c *Course) float64 { return c.MostAt.Seconds() }),
		figure("drained, s", 40.6, drained),
		figure("back at zero, s", 51.2, func(c *Course) float64 { return c.Pods[len(c.Pods)-1].At.Seconds() }))
	of("the same, starts of an idle machine", idle, false,
		figure("first pod ready, s", 8.7, pod(1)), figure("drained, s", 40.6, drained))
	for _, spike := range []struct {
		run               string
		taken             time.Duration
		poll              int
		drained, mostPods float64
	}{
		{"2,000 payments, 50 in flight, load 8 to 13", 12510 * time.Millisecond, 50, 23.10, 3},
		{"2,000 payments, 50 in flight, load 8", 12550 * time.Millisecond, 50, 21.75, 5},
		{"2,000 payments, 500 in flight, load 3 to 5", 6970 * time.Millisecond, 500, 15.96, 8},
	} {
		of(spike.run, kafkaBroker(spike.taken, spike.poll), false, figure("drained, s", spike.drained, drained), figure("pods at most", spike.mostPods, pods))
	}
	return all
}

// since returns when n pods were ready first, 0 if they never were.
func (c *Course) since(n int) time.Duration {
	for _, change := range c.Pods {
		if change.Ready >= n {
			return change.At
		}
	}
	return 0
}
