package deadletter_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/internal/event/cloudevent"
	contract "orderbell/internal/event/deadletter"
)

const orderPaid = "http://order-paid/"

// failed is the letter of e, which the subscriber answered with status; 0 is no answer.
func failed(e cloudevent.Event, subscriber string, status int) cloudevent.Event {
	return contract.Failure{Dest: subscriber, Status: status}.DeadLetter(e)
}

// due returns the ids of the letters that are redriven without an operator, so long after now.
func (b *testBundle) due(t *testing.T, after time.Duration) []string {
	t.Helper()
	return ids(deadletter.Due(b.list(t, deadletter.Filter{}), b.list(t, deadletter.Filter{Open: true}), time.Now().Add(after)))
}

func TestRedriveByItself(t *testing.T) {
	t.Parallel()

	t.Run("a temporary failure is redriven, a refusal is not", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		var letters []cloudevent.Event
		for _, status := range []int{http.StatusServiceUnavailable, http.StatusBadRequest, http.StatusForbidden, 0, http.StatusTooManyRequests} {
			letters = append(letters, failed(newEvent(t, "demo"), orderPaid, status))
		}
		all := b.bury(t, letters...)
		if got := b.redrive(t, deadletter.Choice{Auto: true}).Redriven; len(got) != 0 {
			t.Errorf("redriven at once: %v", ids(got))
		}
		if diff := cmp.Diff([]string{all[0].ID, all[3].ID, all[4].ID}, b.due(t, 2*time.Minute)); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("the pause doubles with each letter of an event, and ends after three days", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		third := failed(newEvent(t, "demo"), orderPaid, 0) // as an answer 200 with a body looks
		again := b.bury(t, third, third, third)[2]
		for after, want := range map[time.Duration]bool{
			time.Minute: false, 3 * time.Minute: true, 71 * time.Hour: true, 73 * time.Hour: false,
		} {
			if got := slices.Contains(b.due(t, after), again.ID); got != want {
				t.Errorf("the third letter of an event is due after %s: %v, want %v", after, got, want)
			}
		}
	})

	t.Run("a subscriber that still fails gets a few, others get all", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		const many, probes = 25, 10
		for range many {
			b.send(t, b.Topics.DeadLetters, failed(newEvent(t, "demo"), orderPaid, http.StatusServiceUnavailable),
				failed(newEvent(t, "demo"), "http://order-created/", http.StatusServiceUnavailable))
		}
		old, open := b.list(t, deadletter.Filter{}), b.list(t, deadletter.Filter{Open: true})
		at := time.Now().Add(10 * time.Minute)
		fresh := old[0]
		fresh.Subscriber, fresh.BuriedAt, fresh.Status = orderPaid, at.Add(-10*time.Second), "503"
		count := map[string]int{}
		for _, l := range deadletter.Due(append(old, fresh), slices.Clone(open), at) {
			count[l.Subscriber]++
		}
		if diff := cmp.Diff(map[string]int{orderPaid: probes, "http://order-created/": many}, count); diff != "" {
			t.Error(diff)
		}
		fresh.Status = "429" // of a business with too many events: the subscriber works
		if got := len(deadletter.Due(append(old, fresh), open, at)); got != 2*many {
			t.Errorf("%d letters are due after a 429, want %d", got, 2*many)
		}
		if got := len(b.due(t, 10*time.Minute)); got != 2*many {
			t.Errorf("%d letters are due when both are calm, want %d", got, 2*many)
		}
	})
}

func TestRedriveAtARate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ rate, letters int }{{2, 3}, {1000, 1100}} { // batches of 500
		t.Run(fmt.Sprint(test.rate, " a second"), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.PerSecond = test.rate
			e := newEvent(t, "demo")
			letters := make([]cloudevent.Event, test.letters)
			for i := range letters {
				letters[i] = e.Clone()
				letters[i].SetID(uuid.Must(uuid.NewV7()).String())
				letters[i] = refused(letters[i], "no")
			}
			b.send(t, b.Topics.DeadLetters, letters...)
			began := time.Now()
			if got := b.redrive(t, deadletter.Choice{}).Redriven; len(got) != test.letters {
				t.Errorf("%d redriven, want %d", len(got), test.letters)
			}
			if took := time.Since(began); took < time.Second {
				t.Errorf("%d letters took %s at %d a second", test.letters, took, test.rate)
			}
		})
	}
}
