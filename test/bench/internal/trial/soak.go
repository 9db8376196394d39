package trial

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"orderbell/test/bench/internal/crowd"
	"orderbell/test/bench/internal/pace"
)

// Soak is a long load: most clients stay, the others reconnect all the time and resume.
type Soak struct {
	For     time.Duration
	Clients int
	Guests  int           // of the clients: those that come and go
	Stay    time.Duration // the average duration of a guest's stream
	Every   time.Duration // between messages
}

// Soaked is the result of a soak.
type Soaked struct {
	Messages   int
	Deliveries int // to the clients that stay
	Missing    int
	Repeated   int
	Closed     int
	Visits     int // of guests
	Skipped    int // messages that did not reach a guest, or out of order
	Resyncs    int
	Memory     []int // resident bytes of the gateway, after all clients have connected, every [sampleEvery]
}

// sampleEvery is how often memory is read.
const sampleEvery = 5 * time.Second

// Soak runs a soak on the gateway.
func (t *Trial) Soak(ctx context.Context, plan Soak, progress func(string)) (Soaked, error) {
	s, err := t.startGateway(ctx)
	if err != nil {
		return Soaked{}, err
	}
	defer s.close()
	// One writer only: guests check the order of messages by their numbers, and two writers may overtake each other.
	messages := pace.Plan{Messages: int(plan.For / plan.Every), Every: plan.Every, Writers: 1}
	residents, _, err := t.gather(ctx, s, plan.Clients-plan.Guests, messages.Messages, t.Crowds)
	if err != nil {
		return Soaked{}, err
	}
	defer residents.stop()
	found := Soaked{Messages: messages.Messages}

	visiting, leave := context.WithCancel(ctx)
	defer leave()
	guests := make([]*guest, plan.Guests)
	var visits sync.WaitGroup
	for i := range guests {
		guests[i] = &guest{
			address: fmt.Sprintf("http://127.0.0.1:%d%s", s.Port, s.Path), token: s.tokens[i%len(s.tokens)], stay: plan.Stay,
			last: messages.Messages - 1, next: -1,
		}
		visits.Go(func() { guests[i].live(visiting) })
	}
	sampling, stop := context.WithCancel(ctx)
	defer stop()
	var sampled sync.WaitGroup
	sampled.Go(func() { found.Memory, err = sample(sampling, s.server.PID(), progress) })

	if _, failed := s.publish(ctx, messages); failed != nil {
		return found, failed
	}
	received, failed := residents.await(crowd.Await{Messages: messages.Messages, Patience: silence})
	if failed != nil {
		return found, failed
	}
	stop()
	sampled.Wait()
	if err != nil {
		return found, err
	}
	found.Deliveries, found.Missing, found.Repeated, found.Closed = received.Deliveries, received.Missing, received.Repeated, received.Closed
	// Each guest ends by itself once it has seen the last message.
	late := time.AfterFunc(time.Minute+2*plan.Stay, leave)
	visits.Wait()
	late.Stop()
	for _, g := range guests {
		found.Visits += g.visits
		found.Skipped += g.skipped
		found.Resyncs += g.resyncs
		if g.next <= g.last {
			found.Skipped++
			err = errors.Join(err, fmt.Errorf("a guest did not get the last message: %w", g.failed))
		}
	}
	return found, err
}

// sample reads the memory of a process until ctx ends.
func sample(ctx context.Context, pid int, progress func(string)) ([]int, error) {
	var all []int
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return all, nil
		case <-tick.C:
		}
		bytes, err := resident(pid)
		if err != nil {
			return all, err
		}
		if all = append(all, bytes); len(all)%12 == 0 {
			progress(fmt.Sprintf("after %s: %.1f MiB", time.Duration(len(all))*sampleEvery, float64(bytes)/(1<<20)))
		}
	}
}

// Growth returns how much the maximum of memory grew from the second third of a soak to the last, as a fraction of the former.
func (s Soaked) Growth() float64 {
	most := func(samples []int) int {
		top := 0
		for _, v := range samples {
			top = max(top, v)
		}
		return top
	}
	third := len(s.Memory) / 3
	if third == 0 {
		return 0
	}
	return float64(most(s.Memory[2*third:]))/float64(most(s.Memory[third:2*third])) - 1
}
