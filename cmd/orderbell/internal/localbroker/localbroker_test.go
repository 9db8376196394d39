package localbroker_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
)

func TestDelivery(t *testing.T) {
	t.Parallel()

	t.Run("an event is posted in binary mode, as it was published", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		address, requests := subscriber(t, accept)
		s.broker(t, paid(address))
		s.publish(t, newEvent("1", event.OrderPaid))
		got := next(t, s, requests)
		want := http.Header{
			"Ce-Specversion": {"1.0"}, "Ce-Id": {"1"}, "Ce-Source": {"/test"}, "Ce-Type": {"order_paid"},
			"Ce-Subject": {"order-1"}, "Ce-Time": {"2026-11-24T10:00:00Z"}, "Ce-Partitionkey": {"order-1"},
			"Ce-Tenantid": {"demo"}, "Ce-Knativekafkapartition": {"0"}, "Ce-Knativekafkaoffset": {"0"}, "Content-Type": {"application/json"}, "Prefer": {"reply"}, "Content-Length": {"8"},
		}
		for _, name := range []string{"Accept-Encoding", "User-Agent"} {
			got.header.Del(name)
		}
		if diff := cmp.Diff(want, got.header); diff != "" {
			t.Error(diff)
		}
		if got.body != `{"a": 1}` {
			t.Errorf("body %s", got.body)
		}
	})

	t.Run("each trigger gets its own type only", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		paidAddress, paidRequests := subscriber(t, accept)
		createdAddress, createdRequests := subscriber(t, accept)
		created := paid(createdAddress)
		created.Name, created.Type = "order-created", event.OrderCreated
		s.broker(t, paid(paidAddress), created)
		s.publish(t, newEvent("1", event.OrderCreated), newEvent("2", event.OrderStatusUpdated),
			newEvent("3", event.OrderPaid), newEvent("4", event.OrderCreated), newEvent("5", event.OrderPaid))
		var got []string
		for range 2 {
			got = append(got, "paid "+next(t, s, paidRequests).id, "created "+next(t, s, createdRequests).id)
		}
		if diff := cmp.Diff([]string{"paid 3", "created 1", "paid 5", "created 4"}, got); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("ordered delivery waits for an event's last attempt", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		address, requests := subscriber(t, func(w http.ResponseWriter, id string, attempt int) {
			if id == "1" && attempt < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
		s.broker(t, paid(address))
		s.publish(t, newEvent("1", event.OrderPaid), newEvent("2", event.OrderPaid))
		for i, want := range []string{"1", "1", "1", "2"} {
			if got := next(t, s, requests).id; got != want {
				t.Fatalf("request %d is event %s, want %s", i, got, want)
			}
		}
	})

	t.Run("unordered delivery lets others pass a slow one", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		release := make(chan struct{})
		address, requests := subscriber(t, func(_ http.ResponseWriter, id string, _ int) {
			if id == "1" {
				<-release
			}
		})
		trigger := paid(address)
		trigger.Ordered = false
		s.broker(t, trigger)
		s.publish(t, newEvent("1", event.OrderPaid), newEvent("2", event.OrderPaid), newEvent("3", event.OrderPaid))
		var got []string
		for range 3 {
			got = append(got, next(t, s, requests).id)
		}
		close(release)
		slices.Sort(got)
		if diff := cmp.Diff([]string{"1", "2", "3"}, got); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("backoff doubles, from twice the delay on", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		address, requests := subscriber(t, func(w http.ResponseWriter, _ string, _ int) { w.WriteHeader(http.StatusBadGateway) })
		trigger := paid(address)
		trigger.Delivery.BackoffDelay = 20 * time.Millisecond
		s.broker(t, trigger)
		s.publish(t, newEvent("1", event.OrderPaid))
		last := next(t, s, requests).at
		for _, least := range []time.Duration{40, 80, 160} {
			at := next(t, s, requests).at
			if waited := at.Sub(last); waited < least*time.Millisecond {
				t.Errorf("a retry after %s, want %dms at least", waited, least)
			}
			last = at
		}
		next(t, s, s.letters) // and no fifth attempt
		if len(requests) > 0 {
			t.Errorf("%d more attempts, want retry+1 in all", len(requests))
		}
	})

	t.Run("an event under way at a stop is delivered again", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		blocked := make(chan struct{})
		slow, requests := subscriber(t, func(http.ResponseWriter, string, int) { <-blocked })
		stop := s.broker(t, paid(slow))
		s.publish(t, newEvent("1", event.OrderPaid))
		next(t, s, requests)
		stop()
		close(blocked)
		address, again := subscriber(t, accept)
		s.broker(t, paid(address))
		if got := next(t, s, again).id; got != "1" {
			t.Errorf("event %s came, want 1", got)
		}
		if len(s.letters) > 0 {
			t.Error("stopping made a dead letter")
		}
	})

	t.Run("an answer that is an event goes to the topic", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		address, _ := subscriber(t, func(w http.ResponseWriter, _ string, _ int) {
			for name, value := range map[string]string{"specversion": "1.0", "id": "answer", "source": "/fn", "type": "order_created"} {
				w.Header().Set("Ce-"+name, value)
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"b": 2}`)
		})
		createdAddress, created := subscriber(t, accept)
		trigger := paid(createdAddress)
		trigger.Name, trigger.Type = "order-created", event.OrderCreated
		s.broker(t, paid(address), trigger)
		s.publish(t, newEvent("1", event.OrderPaid))
		if got := next(t, s, created); got.id != "answer" || got.body != `{"b": 2}` {
			t.Errorf("event %s with %s came", got.id, got.body)
		}
	})
}

func TestRetry(t *testing.T) {
	t.Parallel()
	for status, attempts := range map[int]int{
		500: 4, 502: 4, 503: 4, 504: 4, 599: 4, 404: 4, 408: 4, 409: 4, 429: 4,
		300: 1, 302: 1, 400: 1, 401: 1, 403: 1, 405: 1, 410: 1, 413: 1, 415: 1, 422: 1, 499: 1,
	} {
		t.Run(fmt.Sprint("status ", status), func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			address, requests := subscriber(t, func(w http.ResponseWriter, _ string, _ int) {
				w.Header().Set("Location", "/elsewhere") // not followed
				w.Header().Set("Retry-After", "3600")    // not looked at
				w.WriteHeader(status)
			})
			s.broker(t, paid(address))
			s.publish(t, newEvent("1", event.OrderPaid))
			letter := next(t, s, s.letters)
			if len(requests) != attempts {
				t.Errorf("%d attempts, want %d", len(requests), attempts)
			}
			if got := letter.Event.Extensions()[deadletter.ExtErrorCode]; got != fmt.Sprint(status) {
				t.Errorf("%s is %v, want %d", deadletter.ExtErrorCode, got, status)
			}
		})
	}
	for name, address := range map[string]func(t *testing.T) string{
		"a refused connection": func(t *testing.T) string {
			t.Helper()
			server := httptest.NewServer(http.NotFoundHandler())
			server.Close()
			return server.URL
		},
		"a connection that breaks": func(t *testing.T) string {
			t.Helper()
			address, _ := subscriber(t, func(http.ResponseWriter, string, int) { panic(http.ErrAbortHandler) })
			return address
		},
		"a time-out": func(t *testing.T) string {
			t.Helper()
			forever := make(chan struct{})
			address, _ := subscriber(t, func(http.ResponseWriter, string, int) { <-forever })
			t.Cleanup(func() { close(forever) })
			return address
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			trigger := paid(address(t))
			trigger.Delivery.Timeout = 50 * time.Millisecond
			s.broker(t, trigger)
			s.publish(t, newEvent("1", event.OrderPaid))
			want := map[string]any{
				cloudevent.ExtPartitionKey: "order-1", cloudevent.ExtTenantID: "demo", deadletter.ExtErrorDest: trigger.Subscriber,
				deadletter.ExtPartition: "0", deadletter.ExtOffset: "0",
			}
			if diff := cmp.Diff(want, next(t, s, s.letters).Event.Extensions()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()

	t.Run("a dead letter has the event and the answer of the subscriber", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		said := "too bad: " + strings.Repeat("x", 2000)
		address, _ := subscriber(t, func(w http.ResponseWriter, _ string, _ int) {
			h := w.Header()
			h.Set("Kne-Reason", "data.version is 0, want 1 or more")
			h["Kne-Odd"] = []string{"caf\xe9"} // not UTF-8
			h.Set("Kne-Two-Words", "no extension may be called so")
			h.Set("Kne-Id", "an attribute")
			h.Set("X-Other", "not ours")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, said)
		})
		s.broker(t, paid(address))
		sent := newEvent("1", event.OrderPaid)
		s.publish(t, sent)
		got := next(t, s, s.letters)
		want := sent.Clone()
		want.SetExtension("knativekafkapartition", "0")
		want.SetExtension("knativekafkaoffset", "0")
		want.SetExtension("knativeerrordest", address)
		want.SetExtension("knativeerrorcode", "400")
		want.SetExtension("knativeerrordata", base64.StdEncoding.EncodeToString([]byte(said[:1024])))
		want.SetExtension("reason", "data.version is 0, want 1 or more")
		want.SetExtension("odd", "caf ")
		if diff := cmp.Diff(want.String(), got.Event.String()); diff != "" {
			t.Error(diff)
		}
		if string(got.Key) != "order-1" {
			t.Errorf("key %q, want the partitionkey", got.Key)
		}
	})

	t.Run("a success with a body that is not an event becomes a dead letter, without retries", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		address, requests := subscriber(t, func(w http.ResponseWriter, _ string, _ int) { _, _ = io.WriteString(w, "ok") })
		s.broker(t, paid(address))
		s.publish(t, newEvent("1", event.OrderPaid))
		extensions := next(t, s, s.letters).Event.Extensions()
		if extensions[deadletter.ExtErrorDest] != address || extensions[deadletter.ExtErrorCode] != nil {
			t.Errorf("extensions %v, want the subscriber and no status", extensions)
		}
		if len(requests) != 1 {
			t.Errorf("%d attempts, want 1", len(requests))
		}
	})

	t.Run("a slow one continues after it", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		address, requests := subscriber(t, func(w http.ResponseWriter, id string, _ int) {
			if id == "1" {
				w.WriteHeader(http.StatusBadRequest)
			}
		})
		s.broker(t, paid(address))
		s.publish(t, newEvent("1", event.OrderPaid), newEvent("2", event.OrderPaid))
		next(t, s, requests)
		if got := next(t, s, requests).id; got != "2" {
			t.Errorf("event %s came, want 2", got)
		}
		if got := next(t, s, s.letters).Event.ID(); got != "1" {
			t.Errorf("event %s is the dead letter, want 1", got)
		}
	})
}
