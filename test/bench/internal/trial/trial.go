// Package trial measures servers of event streams one after the other with the same clients. It alternates between them in
// rounds, so that disturbances of the machine affect all of them.
package trial

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"orderbell/test/bench/internal/crowd"
	"orderbell/test/bench/internal/pace"
)

// Size is how large each measurement is.
type Size struct {
	Rounds        int
	IdleClients   int
	Settle        time.Duration // how long idle clients are connected before memory is read
	SteadyClients int
	SteadyRate    int // messages a second
	SteadyFor     time.Duration
	BurstClients  int
	BurstMessages int
}

// Full is the size of the runs in the documents.
func Full() Size {
	return Size{
		Rounds: 3, IdleClients: 15_000, Settle: 15 * time.Second, SteadyClients: 5000, SteadyRate: 20,
		SteadyFor: 10 * time.Second, BurstClients: 1000, BurstMessages: 2000,
	}
}

// Short has every server and every figure once, in less than three minutes.
func Short() Size {
	return Size{
		Rounds: 1, IdleClients: 3000, Settle: 3 * time.Second, SteadyClients: 1500, SteadyRate: 20,
		SteadyFor: 3 * time.Second, BurstClients: 300, BurstMessages: 500,
	}
}

// Trial measures servers.
type Trial struct {
	Size
	Binary string   // the gateway's
	Crowds int      // client processes
	Env    []string // more of the gateway's environment
}

// Latency is the time that deliveries took.
type Latency struct{ P50, P99, P999 time.Duration }

// Figures are the results of one server in one round.
type Figures struct {
	Name          string
	MemoryPerConn float64 // bytes
	Connects      float64 // a second
	PerCPU        float64 // deliveries in a second of the server's CPU time, at the steady rate
	RedisShare    float64 // Redis's CPU time at the steady rate, as a part of the server's
	Steady        Latency
	Burst         float64 // deliveries a second
	BurstLatency  Latency
	Missing       int // deliveries, over all
	Repeated      int
	Closed        int // streams
}

// Run measures each of names in each round. It reports each result to progress.
func (t *Trial) Run(ctx context.Context, names []string, progress func(string)) ([]Figures, error) {
	var all []Figures
	for round := range t.Rounds {
		order := slices.Clone(names)
		if round%2 == 1 {
			slices.Reverse(order) // alternate the order
		}
		for _, name := range order {
			f := Figures{Name: name}
			for _, measure := range []func(context.Context, *Figures) error{t.idle, t.steady, t.burst} {
				if err := measure(ctx, &f); err != nil {
					return all, fmt.Errorf("%s: %w", name, err)
				}
			}
			progress(fmt.Sprintf("round %d of %d: %s", round+1, t.Rounds, f))
			all = append(all, f)
		}
	}
	return all, nil
}

// String returns all figures in one line.
func (f Figures) String() string {
	return fmt.Sprintf("%-12s %6.2f KiB/conn, %6.0f connects/s, %7.0f deliveries/CPU-s, p50/99/99.9 %s/%s/%s; "+
		"burst %8.0f/s, p99 %s; %d missing, %d repeated, %d closed", f.Name, f.MemoryPerConn/1024, f.Connects, f.PerCPU,
		f.Steady.P50, f.Steady.P99, f.Steady.P999, f.Burst, f.BurstLatency.P99, f.Missing, f.Repeated, f.Closed)
}

// idle opens streams on which nothing happens.
func (t *Trial) idle(ctx context.Context, f *Figures) error {
	s, err := t.startSubject(ctx, f.Name)
	if err != nil {
		return err
	}
	defer s.close()
	// Open one stream first, so that the server's one-time setup does not count as memory of connections.
	first, _, err := t.gather(ctx, s, 1, 0, 1)
	if err != nil {
		return err
	}
	defer first.stop()
	before, err := resident(s.server.PID())
	if err != nil {
		return err
	}
	crowds, took, err := t.gather(ctx, s, t.IdleClients, 0, t.Crowds)
	if err != nil {
		return err
	}
	defer crowds.stop()
	f.Connects = float64(t.IdleClients) / took.Seconds()
	select {
	case <-time.After(t.Settle):
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // the caller's own
	}
	after, err := resident(s.server.PID())
	if err != nil {
		return err
	}
	f.MemoryPerConn = float64(after-before) / float64(t.IdleClients)
	return nil
}

// steady publishes at a rate that the server can deliver.
func (t *Trial) steady(ctx context.Context, f *Figures) error {
	plan := pace.Plan{
		Messages: t.SteadyRate * int(t.SteadyFor/time.Second), Every: time.Second / time.Duration(t.SteadyRate),
	}
	r, err := t.deliver(ctx, f, t.SteadyClients, plan)
	if err != nil {
		return err
	}
	f.PerCPU = float64(r.deliveries) / r.cpu.Seconds()
	f.RedisShare = r.redis.Seconds() / r.cpu.Seconds()
	f.Steady = r.latency
	return nil
}

// burst publishes as fast as the server accepts.
func (t *Trial) burst(ctx context.Context, f *Figures) error {
	r, err := t.deliver(ctx, f, t.BurstClients, pace.Plan{Messages: t.BurstMessages})
	if err != nil {
		return err
	}
	f.Burst = float64(r.deliveries) / r.took.Seconds()
	f.BurstLatency = r.latency
	return nil
}

// result is the outcome of a plan.
type result struct {
	deliveries int
	took       time.Duration // from the first publication to the last delivery
	cpu        time.Duration // of the server
	redis      time.Duration
	latency    Latency
}

// silence is the time without a delivery after which a crowd stops waiting for missing messages.
const silence = 5 * time.Second

func (t *Trial) deliver(ctx context.Context, f *Figures, clients int, plan pace.Plan) (result, error) {
	s, err := t.startSubject(ctx, f.Name)
	if err != nil {
		return result{}, err
	}
	defer s.close()
	crowds, _, err := t.gather(ctx, s, clients, plan.Messages, t.Crowds)
	if err != nil {
		return result{}, err
	}
	defer crowds.stop()
	cpuBefore, redisBefore, err := s.cpu()
	if err != nil {
		return result{}, err
	}
	began, err := s.publish(ctx, plan)
	if err != nil {
		return result{}, err
	}
	received, err := crowds.await(crowd.Await{Messages: plan.Messages, Patience: silence})
	if err != nil {
		return result{}, err
	}
	cpuAfter, redisAfter, err := s.cpu()
	if err != nil {
		return result{}, err
	}
	f.Missing += received.Missing
	f.Repeated += received.Repeated
	f.Closed += received.Closed
	latency := hdrhistogram.Import(received.Latency)
	quantile := func(q float64) time.Duration { return time.Duration(latency.ValueAtQuantile(q)) * time.Microsecond }
	return result{
		deliveries: received.Deliveries, took: received.Last.Sub(began), cpu: cpuAfter - cpuBefore, redis: redisAfter - redisBefore,
		latency: Latency{P50: quantile(50), P99: quantile(99), P999: quantile(99.9)},
	}, nil
}

func (s *subject) cpu() (server, redis time.Duration, err error) {
	if server, err = cpu(s.server.PID()); err == nil && s.redis != nil {
		redis, err = cpu(s.redis.PID())
	}
	return server, redis, err
}
