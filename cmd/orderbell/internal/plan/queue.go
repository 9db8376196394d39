package plan

import (
	"math"
	"math/rand/v2"
	"time"
)

// payment is one paid order in transit. Times count from the start of the simulation.
type payment struct {
	id    int
	began time.Duration // the request to pay it
	phase int
	lane  int
	tries int // that failed
}

// step is the next step of a payment, a batch or a pod.
type step int

const (
	arrives   step = iota // at order-api
	checked               // by order-api, and next in its database
	queued                // in its partition
	applied               // a pod's batch, by PostgreSQL
	published             // by Redis, and the function has answered
	delivered             // to the last stream
	retried               // after its back-off
	started               // a pod
	second                // of the autoscaler is over
)

// event is a step with its time. Events of the same time run in the order of their creation.
type event struct {
	at    time.Duration
	order uint64
	step  step
	payment
	batch []payment
	pod   *pod
}

// agenda is a binary heap of events, the next one first.
type agenda struct {
	heap []event
	made uint64
}

func (e *event) before(other *event) bool {
	return e.at < other.at || e.at == other.at && e.order < other.order
}

func (a *agenda) add(e event) {
	a.made++
	e.order = a.made
	a.heap = append(a.heap, e)
	for i := len(a.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !a.heap[i].before(&a.heap[parent]) {
			return
		}
		a.heap[i], a.heap[parent] = a.heap[parent], a.heap[i]
		i = parent
	}
}

// next takes the next event. The agenda must not be empty.
func (a *agenda) next() event {
	first, last := a.heap[0], len(a.heap)-1
	a.heap[0], a.heap[last] = a.heap[last], event{}
	a.heap = a.heap[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if a.heap[child].before(&a.heap[least]) {
				least = child
			}
		}
		if least == i {
			return first
		}
		a.heap[i], a.heap[least] = a.heap[least], a.heap[i]
		i = least
	}
}

// station is a server with some cores and one queue, first in, first out.
type station struct {
	free []time.Duration // when each core is free: a binary heap, the earliest first
	work time.Duration   // taken so far
	seen time.Duration   // work at the last call of load
}

func newStation(cores int) station { return station{free: make([]time.Duration, cores)} }

// serve returns the time at which work that arrives now is done. Calls must be in the order of time.
func (s *station) serve(now, work time.Duration) time.Duration {
	s.work += work
	done := max(s.free[0], now) + work
	i := 0
	for {
		least := 2*i + 1
		if least >= len(s.free) {
			break
		}
		if next := least + 1; next < len(s.free) && s.free[next] < s.free[least] {
			least = next
		}
		if s.free[least] >= done {
			break
		}
		s.free[i] = s.free[least]
		i = least
	}
	s.free[i] = done
	return done
}

// load returns the utilization of all cores by the work since the last call, per second: 1 means fully used.
func (s *station) load() float64 {
	share := (s.work - s.seen).Seconds() / float64(len(s.free))
	s.seen = s.work
	return share
}

// gauge is a value over time.
type gauge struct {
	n, most int
	mostAt  time.Duration
	at      time.Duration
	area    float64 // the integral of n, in seconds
}

func (g *gauge) add(now time.Duration, change int) {
	g.area += float64(g.n) * (now - g.at).Seconds()
	g.at = now
	if g.n += change; g.n > g.most {
		g.most, g.mostAt = g.n, now
	}
}

// chance draws random values. The same seed gives the same values.
type chance struct {
	random *rand.Rand
	spread float64
}

func newChance(seed uint64, spread float64) chance {
	return chance{random: rand.New(rand.NewPCG(seed, 0)), spread: spread}
}

// vary returns d times a log-normal factor whose mean is 1.
func (c chance) vary(d time.Duration) time.Duration {
	return time.Duration(float64(d) * math.Exp(c.spread*c.random.NormFloat64()-c.spread*c.spread/2))
}

// between draws from least to most.
func (c chance) between(least, most time.Duration) time.Duration {
	return least + time.Duration(c.random.Float64()*float64(most-least))
}

// gap draws the time to the next of n random arrivals within d.
func (c chance) gap(n int, d time.Duration) time.Duration {
	return time.Duration((1 - math.Pow(1-c.random.Float64(), 1/float64(n))) * float64(d))
}
