package plan

import (
	"math"
	"time"
)

// pod is an instance of the function. It collects events and applies a batch of them with one statement, some batches at a
// time (docs/adr/0016-a-function-applies-events-in-batches.md).
type pod struct {
	inFlight int // requests that it has not answered
	batches  int // under way
	waiting  []payment
	starting bool
	stopping bool // gets no more requests
	killed   bool
}

// PodChange is how many pods are ready from a time on.
type PodChange struct {
	At    time.Duration `json:"at_ns"`
	Ready int           `json:"ready"`
}

// autoscaler works like Knative's: it chooses the number of pods at which each has the target number of requests, averaged over a
// window, or over a tenth of it (panic mode) while that requires twice as many pods as are ready.
type autoscaler struct {
	pods       []*pod
	requests   gauge // at the activator and in pods
	seen       float64
	averages   []float64 // of each second, the last ones of a window
	seconds    int
	panicUntil time.Duration
	panicMost  int
	changes    []PodChange
}

// count returns the number of pods that take requests, and of those that are starting.
func (a *autoscaler) count() (ready, starting int) {
	for _, p := range a.pods {
		if p.starting {
			starting++
		} else {
			ready++
		}
	}
	return ready, starting
}

// note records the number of ready pods, if it has changed.
func (a *autoscaler) note(now time.Duration) {
	ready, _ := a.count()
	last := 0
	if n := len(a.changes); n > 0 {
		last = a.changes[n-1].Ready
	}
	if ready != last {
		a.changes = append(a.changes, PodChange{At: now, Ready: ready})
	}
}

// observe records the average of the last second.
func (a *autoscaler) observe(now, window time.Duration) {
	a.requests.add(now, 0)
	a.averages = append(a.averages, a.requests.area-a.seen)
	a.seen = a.requests.area
	if most := max(1, int(window.Seconds())); len(a.averages) > most {
		a.averages = a.averages[len(a.averages)-most:]
	}
	a.seconds++
}

// average returns the average of the last n seconds.
func (a *autoscaler) average(n int) float64 {
	last := a.averages[max(0, len(a.averages)-n):]
	sum := 0.0
	for _, v := range last {
		sum += v
	}
	return sum / float64(max(1, len(last)))
}

// want returns the desired number of pods.
func (a *autoscaler) want(now time.Duration, c *Cell) int {
	ready, _ := a.count()
	of := func(average float64) int { return int(math.Ceil(average / c.Target)) }
	n := of(a.average(len(a.averages)))
	sudden := of(a.average(max(1, int(c.Window.Seconds()/10))))
	if sudden >= 2*max(1, ready) {
		a.panicUntil = now + c.Window
	}
	if now < a.panicUntil {
		a.panicMost = max(a.panicMost, sudden, ready)
		n = a.panicMost
	} else {
		a.panicMost = 0
		n = max(n, ready/2) // max-scale-down-rate is 2
		if ready == 1 && a.average(len(a.averages)) == 0 {
			n = 0
		}
	}
	return min(n, c.MaxScale)
}

// scale starts and stops pods until their number is want.
func (s *simulation) scale(want int) {
	ready, starting := s.scaler.count()
	for ; ready+starting < want; starting++ {
		p := &pod{starting: true}
		s.scaler.pods = append(s.scaler.pods, p)
		s.agenda.add(event{at: s.now + s.chance.between(s.StartLeast, s.StartMost), step: started, pod: p})
	}
	for ; ready+starting > want; ready-- {
		s.remove(s.idlest())
	}
	s.scaler.note(s.now)
}

// idlest returns the pod to stop first: one that is starting, or the one with the fewest requests.
func (s *simulation) idlest() *pod {
	least := s.scaler.pods[0]
	for _, p := range s.scaler.pods[1:] {
		if p.starting && !least.starting || p.starting == least.starting && p.inFlight < least.inFlight {
			least = p
		}
	}
	return least
}

// remove takes p out of service. It still answers its requests.
func (s *simulation) remove(p *pod) {
	p.stopping = true
	for i, other := range s.scaler.pods {
		if other == p {
			s.scaler.pods = append(s.scaler.pods[:i], s.scaler.pods[i+1:]...)
			return
		}
	}
}

// kill ends a ready pod at once. Its requests are retried.
func (s *simulation) kill() bool {
	for _, p := range s.scaler.pods {
		if p.starting || p.inFlight == 0 {
			continue
		}
		s.remove(p)
		p.killed = true
		waiting := p.waiting
		p.waiting = nil
		for _, m := range waiting {
			s.fail(p, m)
		}
		s.scaler.note(s.now)
		return true
	}
	return false
}
