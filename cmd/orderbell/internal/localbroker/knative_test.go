package localbroker_test

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/cmd/orderbell/internal/localbroker"
	"orderbell/internal/bus/record"
	"orderbell/internal/event"
)

// TestAsTheRealBroker repeats what was observed on Knative's Kafka Broker 0.48.1 with the settings of k8s/kafka-broker/settings. The other
// rules are in TestDelivery, TestRetry and TestDeadLetters.
func TestAsTheRealBroker(t *testing.T) {
	t.Parallel()

	t.Run("a Trigger gets events that are older than itself", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		s.publish(t, newEvent("1", event.OrderPaid))
		address, requests := subscriber(t, accept)
		s.broker(t, paid(address))
		if got := next(t, s, requests).id; got != "1" {
			t.Errorf("got event %s, want 1", got)
		}
	})

	t.Run("a Trigger that is created again continues at its offset", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		address, requests := subscriber(t, accept)
		stop := s.broker(t, paid(address))
		s.publish(t, newEvent("1", event.OrderPaid), newEvent("2", event.OrderPaid))
		next(t, s, requests)
		next(t, s, requests) // ordered: the first one is through
		stop()
		s.publish(t, newEvent("3", event.OrderPaid))
		s.broker(t, paid(address))
		if got := next(t, s, requests).id; got == "1" {
			t.Error("the first event came again")
		}
	})

	t.Run("events that wait for a retry are in flight, and max.poll.records bounds those", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		address, requests := subscriber(t, func(w http.ResponseWriter, id string, attempt int) {
			if id != "3" && attempt == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
		trigger := paid(address)
		trigger.Ordered, trigger.InFlight, trigger.Delivery.BackoffDelay = false, 2, 500*time.Millisecond
		s.broker(t, trigger)
		s.publish(t, newEvent("1", event.OrderPaid), newEvent("2", event.OrderPaid), newEvent("3", event.OrderPaid))
		var got []string
		for range 3 {
			got = append(got, next(t, s, requests).id)
		}
		slices.Sort(got[:2])
		if diff := cmp.Diff([]string{"1", "2"}, got[:2]); diff != "" || got[2] == "3" {
			t.Errorf("events %v came; the third had room only after a retry", got)
		}
	})
}

// partitions hands out its records at once, as if each were of another partition.
type partitions []record.Record

func (p partitions) Consume(ctx context.Context, _ string, _ int, handle func(context.Context, record.Record) error) error {
	var handlers sync.WaitGroup
	for _, r := range p {
		handlers.Go(func() { _ = handle(ctx, r) }) // its only error is the end of ctx
	}
	handlers.Wait()
	return nil
}

func TestMaxPollRecordsIsOfAllPartitions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var source partitions
		for range 10 {
			source = append(source, record.Record{Event: payment(t)})
		}
		trigger := paid("http://order-paid/")
		trigger.Ordered, trigger.InFlight = false, 2
		b, err := localbroker.New([]localbroker.Trigger{trigger}, localbroker.Topics{}, source, &refusing{}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		b.Through(&function{applied: map[string]time.Time{}, fails: func(string, time.Time) bool { return false }})
		began := time.Now()
		if err := b.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 100*time.Millisecond { // 20 ms each
			t.Errorf("ten events, two at once, took %s, want 100ms", took)
		}
	})
}

func TestADeadLetterIsRetriedAndThenDropped(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		refusals, letters int
	}{"taken by the last retry": {6, 1}, "never taken": {1000, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				bus := &refusing{failures: test.refusals}
				trigger := paid("http://order-paid/")
				trigger.Delivery = schedule(6, 200*time.Millisecond)
				b, err := localbroker.New([]localbroker.Trigger{trigger}, localbroker.Topics{}, partitions{{Event: payment(t)}}, bus, slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				b.Through(&function{applied: map[string]time.Time{}, fails: func(string, time.Time) bool { return true }})
				began := time.Now()
				if err := b.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				const want = 2*25200*time.Millisecond + 7*20*time.Millisecond // the function takes 20 ms
				if took := time.Since(began); took != want || len(bus.sent) != test.letters {
					t.Errorf("it took %s and wrote %d letters, want %s and %d", took, len(bus.sent), want, test.letters)
				}
			})
		})
	}
}
