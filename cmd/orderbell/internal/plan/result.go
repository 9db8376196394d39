package plan

import "time"

// Result is a plan.
type Result struct {
	Sizing   Sizing        `json:"sizing"`
	Limits   []Limit       `json:"bottlenecks"` // of the spike in a cell, until it is drained
	Warm     PhaseCourse   `json:"warm"`
	Steady   PhaseCourse   `json:"steady"`
	Spike    PhaseCourse   `json:"spike"`
	Drained  time.Duration `json:"drained_ns"` // from the start of the spike until all payments up to its end are on the screens
	InTime   bool          `json:"drained_in_time"`
	FirstPod time.Duration `json:"first_pod_ns"` // from the first payment until a pod is ready
	MostPods int           `json:"most_pods"`
	Course   Course        `json:"course"`
}

// steady is the part of the time before the spike whose payments count as mean load: its last half, since pods
// start in the first.
const steady = 2

func (in Input) phases(cells int) []Phase {
	rate := in.Payments / float64(cells)
	at := func(d time.Duration, factor float64) Phase {
		return Phase{Payments: up(rate * factor * d.Seconds()), For: d}
	}
	return []Phase{at(in.Warm-in.Warm/steady, 1), at(in.Warm/steady, 1), at(in.SpikeFor, in.SpikeFactor), at(in.Rest, 1)}
}

// Cell returns one of the cells of s. The cost of an order's other changes is added to that of its payment.
func (in Input) Cell(s Sizing) Cell {
	changes, others := time.Duration(in.Changes), time.Duration(in.Changes-1)
	c := Cell{
		Phases: in.phases(s.Cells), APICores: in.MaxScale * in.APICores, API: changes * in.API, DatabaseCores: in.DatabaseCores, Accept: changes*in.Accept + others*in.Apply, Path: in.Path,
		Lanes: min(in.Consumers, in.Partitions), LaneLimit: in.PollRecords,
		Concurrency: in.Concurrency, Target: float64(in.Concurrency*in.TargetPct) / 100, MaxScale: in.MaxScale, Window: in.Window,
		StartLeast: in.StartLeast, StartMost: in.StartMost,
		Batches: in.Batches, BatchSize: in.BatchSize, BatchFixed: in.BatchFixed, Apply: in.Apply, Function: in.Function,
		RedisShards: s.RedisShards, Redis: changes * duration(s.RedisWork),
		GatewayCores: s.Gateways * in.GatewayCores, Gateway: changes * duration(s.GatewayWork),
		Retries: in.Retries, Backoff: in.Backoff, Fail: in.Fail, Spread: in.Spread, Seed: uint64(in.Seed), //nolint:gosec // checked
	}
	if in.PerPartition > 0 {
		c.Lanes, c.LaneLimit = in.Partitions, in.PerPartition
	}
	return c
}

// Make sizes and simulates in, which must be checked.
func Make(in Input) Result {
	r := Result{Sizing: Size(in)}
	r.Course = Simulate(in.Cell(r.Sizing))
	r.Warm, r.Steady, r.Spike = r.Course.Phases[0], r.Course.Phases[1], r.Course.Phases[2]
	end := max(r.Warm.Last, r.Steady.Last, r.Spike.Last)
	r.Drained = end - in.Warm
	r.InTime = end <= in.Warm+in.SpikeFor+in.Rest
	r.Limits = r.Course.Limits(in.Warm, end)
	r.MostPods = r.Course.MostPods
	if len(r.Course.Pods) > 0 {
		r.FirstPod = r.Course.Pods[0].At
	}
	return r
}
