package bridge_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/metric/noop"

	"orderbell/internal/bus/record"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
	"orderbell/internal/problem"
	"orderbell/kafka-bridge/internal/bridge"
)

// topic keeps what is sent to it.
type topic struct {
	sent []cloudevent.Event
	err  func(cloudevent.Event) error
}

func (p *topic) Send(_ context.Context, name string, events []cloudevent.Event) []error {
	errs := make([]error, len(events))
	for i, e := range events {
		if name != "dead" {
			errs[i] = errors.New("unknown topic " + name)
		} else if p.err != nil {
			errs[i] = p.err(e)
		}
		if errs[i] == nil {
			p.sent = append(p.sent, e)
		}
	}
	return errs
}

// anyone accepts every sender.
type anyone struct{}

func (anyone) Check(*http.Request) *problem.Problem { return nil }

// stranger refuses every sender.
type stranger struct{}

func (stranger) Check(*http.Request) *problem.Problem {
	return problem.New(http.StatusForbidden, "the sender is unknown")
}

func TestSenders(t *testing.T) {
	t.Parallel()
	t.Run("the broker gets the token that is in the file now", func(t *testing.T) {
		t.Parallel()
		var shown []string
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { shown = append(shown, r.Header.Get("Authorization")) }))
		t.Cleanup(server.Close)
		cfg := bridge.Config{BrokerURL: server.URL, TokenFile: filepath.Join(t.TempDir(), "token"), InFlight: 1, PostTimeout: 30 * time.Second}
		b, err := bridge.New(cfg, "dead", &topic{}, anyone{}, slog.New(slog.DiscardHandler), noop.Meter{})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Forward(t.Context(), record.Record{Event: paid(t)}); err == nil || !strings.Contains(err.Error(), "BROKER_TOKEN_FILE") {
			t.Errorf("without the file: %v", err)
		}
		for _, token := range []string{"first", "second"} {
			if err := os.WriteFile(cfg.TokenFile, []byte(token+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := b.Forward(t.Context(), record.Record{Event: paid(t)}); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]string{"Bearer first", "Bearer second"}, shown); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a dead letter of an unknown sender is refused", func(t *testing.T) {
		t.Parallel()
		dead := &topic{}
		b, err := bridge.New(bridge.Config{BrokerURL: "http://broker/", InFlight: 1}, "dead", dead, stranger{}, slog.New(slog.DiscardHandler), noop.Meter{})
		if err != nil {
			t.Fatal(err)
		}
		if got := post(t, b, http.MethodPost, `{}`, "Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source", "/s", "Ce-Type", "t"); got != http.StatusForbidden || len(dead.sent) != 0 {
			t.Errorf("status %d, %d dead letters", got, len(dead.sent))
		}
	})
}

func setup(t *testing.T, broker http.HandlerFunc) (*bridge.Bridge, *topic, string) {
	t.Helper()
	server := httptest.NewServer(broker)
	t.Cleanup(server.Close)
	dead := &topic{}
	cfg := bridge.Config{BrokerURL: server.URL + "/orderbell/orders", InFlight: 1, PostTimeout: 30 * time.Second}
	b, err := bridge.New(cfg, "dead", dead, anyone{}, slog.New(slog.NewTextHandler(t.Output(), nil)), noop.Meter{})
	if err != nil {
		t.Fatal(err)
	}
	return b, dead, cfg.BrokerURL
}

func paid(t *testing.T) cloudevent.Event {
	t.Helper()
	e := cloudevent.Empty()
	e.SetID("0197e7a0-0000-7000-8000-000000000001")
	e.SetSource("/orderbell/order-api")
	e.SetType("order_paid")
	e.SetSubject("order-1")
	e.SetTime(time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC))
	e.SetExtension(cloudevent.ExtPartitionKey, "order-1")
	e.SetExtension(cloudevent.ExtTenantID, "demo")
	if err := e.SetData(cloudevent.JSON, map[string]any{"order_id": "order-1"}); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestForward(t *testing.T) {
	t.Parallel()
	t.Run("an event reaches the broker as it is in the topic", func(t *testing.T) {
		t.Parallel()
		got := map[string]string{}
		b, dead, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got["path"], got["body"] = r.URL.Path, string(body)
			for _, name := range []string{"Ce-Id", "Ce-Source", "Ce-Type", "Ce-Subject", "Ce-Time", "Ce-Partitionkey", "Ce-Tenantid", "Content-Type", "Ce-Knativekafkapartition", "Ce-Knativekafkaoffset"} {
				got[name] = r.Header.Get(name)
			}
			w.WriteHeader(http.StatusAccepted)
		})
		if err := b.Forward(t.Context(), record.Record{Partition: 3, Offset: 9, Event: paid(t)}); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"path": "/orderbell/orders", "body": `{"order_id":"order-1"}`, "Content-Type": "application/json",
			"Ce-Id": "0197e7a0-0000-7000-8000-000000000001", "Ce-Source": "/orderbell/order-api", "Ce-Type": "order_paid",
			"Ce-Subject": "order-1", "Ce-Time": "2026-11-24T10:00:00Z", "Ce-Partitionkey": "order-1", "Ce-Tenantid": "demo",
			"Ce-Knativekafkapartition": "3", "Ce-Knativekafkaoffset": "9",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("request (-want +got):\n%s", diff)
		}
		if len(dead.sent) != 0 {
			t.Errorf("dead letters: %v, want none", dead.sent)
		}
	})
	for _, status := range []int{401, 403, 404, 408, 409, 429, 500, 502, 503} {
		t.Run(http.StatusText(status)+" is tried again", func(t *testing.T) {
			t.Parallel()
			b, dead, _ := setup(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
			if err := b.Forward(t.Context(), record.Record{Event: paid(t)}); err == nil {
				t.Error("no error, want one: the event would count as read")
			}
			if len(dead.sent) != 0 {
				t.Errorf("dead letters: %v, want none", dead.sent)
			}
		})
	}
	t.Run("a broker that cannot be reached is tried again", func(t *testing.T) {
		t.Parallel()
		b, dead, _ := setup(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		if err := b.Forward(t.Context(), record.Record{Event: paid(t)}); err == nil {
			t.Error("no error, want one")
		}
		if len(dead.sent) != 0 {
			t.Errorf("dead letters: %v, want none", dead.sent)
		}
	})
	t.Run("an event that the broker refuses becomes a dead letter", func(t *testing.T) {
		t.Parallel()
		b, dead, address := setup(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no such type", http.StatusBadRequest) })
		if err := b.Forward(t.Context(), record.Record{Event: paid(t)}); err != nil {
			t.Fatal(err)
		}
		want := deadletter.AtRecord(paid(t), 0, 0)
		want.SetExtension(deadletter.ExtErrorDest, address)
		want.SetExtension(deadletter.ExtErrorCode, "400")
		want.SetExtension(deadletter.ExtErrorData, base64.StdEncoding.EncodeToString([]byte("no such type\n")))
		want.SetExtension(deadletter.ExtReason, "the broker answered 400")
		if diff := cmp.Diff([]cloudevent.Event{want}, dead.sent); diff != "" {
			t.Errorf("dead letters (-want +got):\n%s", diff)
		}
	})
	t.Run("an event of an unknown type becomes a dead letter", func(t *testing.T) {
		t.Parallel()
		b, dead, _ := setup(t, func(http.ResponseWriter, *http.Request) { t.Error("it was posted: no Trigger takes it") })
		e := paid(t)
		e.SetType("order_shipped")
		if err := b.Forward(t.Context(), record.Record{Event: e}); err != nil {
			t.Fatal(err)
		}
		if len(dead.sent) != 1 || !strings.Contains(deadletter.Reason(dead.sent[0]), `type "order_shipped" is unknown`) {
			t.Errorf("dead letters: %v", dead.sent)
		}
	})
	t.Run("a message that is not a CloudEvent becomes a dead letter with its bytes", func(t *testing.T) {
		t.Parallel()
		b, dead, _ := setup(t, func(http.ResponseWriter, *http.Request) { t.Error("it was posted") })
		r := record.Record{Topic: "events", Partition: 3, Offset: 9, Value: []byte("\x00oops"), Err: errors.New("not a\nCloudEvent")}
		if err := b.Forward(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if len(dead.sent) != 1 {
			t.Fatalf("%d dead letters, want 1", len(dead.sent))
		}
		got := dead.sent[0]
		if got.ID() != "partition:3/offset:9" || string(got.Data()) != "\x00oops" || got.Extensions()[deadletter.ExtReason] != "not a CloudEvent" {
			t.Errorf("dead letter: %s", got)
		}
	})
	t.Run("a dead letter that cannot be written is tried again", func(t *testing.T) {
		t.Parallel()
		b, dead, _ := setup(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
		dead.err = func(cloudevent.Event) error { return errors.New("Kafka is down") }
		if err := b.Forward(t.Context(), record.Record{Event: paid(t)}); err == nil {
			t.Error("no error, want one: the event would be lost")
		}
	})
}

// post sends a dead letter and returns the status of the answer.
func post(t *testing.T, b *bridge.Bridge, method, body string, header ...string) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/dead-letters", strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w.Code
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	attributes := []string{
		"Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source", "/s", "Ce-Type", "order_paid", "Content-Type", "application/json",
		"Ce-Knativeerrorcode", "400", "Ce-Knativeerrordest", "http://order-paid",
	}
	away := func(http.ResponseWriter, *http.Request) {}
	t.Run("a dead letter is in the topic before the broker gets its answer", func(t *testing.T) {
		t.Parallel()
		b, dead, _ := setup(t, away)
		if got := post(t, b, http.MethodPost, `{"a":1}`, attributes...); got != http.StatusAccepted {
			t.Fatalf("status %d, want 202", got)
		}
		if len(dead.sent) != 1 || dead.sent[0].ID() != "1" || dead.sent[0].Extensions()[deadletter.ExtErrorCode] != "400" {
			t.Errorf("dead letters: %v", dead.sent)
		}
	})
	t.Run("a function's reason is taken from its answer", func(t *testing.T) {
		t.Parallel()
		b, dead, _ := setup(t, away)
		answer := base64.StdEncoding.EncodeToString([]byte(`{"title":"Bad Request","status":400,"detail":"time is missing"}`))
		post(t, b, http.MethodPost, `{"a":1}`, append(slices.Clone(attributes), "Ce-Knativeerrordata", answer)...)
		if len(dead.sent) != 1 || dead.sent[0].Extensions()[deadletter.ExtReason] != "time is missing" {
			t.Errorf("dead letters: %v, want the reason in one", dead.sent)
		}
	})
	t.Run("a dead letter that Kafka does not take now is answered 503", func(t *testing.T) {
		t.Parallel()
		b, dead, _ := setup(t, away)
		dead.err = func(cloudevent.Event) error { return errors.New("Kafka is down") }
		if got := post(t, b, http.MethodPost, `{"a":1}`, attributes...); got != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503", got)
		}
	})
	t.Run("a dead letter that is too large for the topic is written without its data", func(t *testing.T) {
		t.Parallel()
		b, dead, _ := setup(t, away)
		dead.err = func(e cloudevent.Event) error {
			if len(e.Data()) > 0 {
				return record.ErrRefused
			}
			return nil
		}
		if got := post(t, b, http.MethodPost, `{"a":1}`, attributes...); got != http.StatusAccepted || len(dead.sent) != 1 {
			t.Errorf("status %d and %d dead letters, want 202 and 1", got, len(dead.sent))
		}
	})
	t.Run("a body that is not a CloudEvent is refused", func(t *testing.T) {
		t.Parallel()
		b, dead, _ := setup(t, away)
		if got := post(t, b, http.MethodPost, `{"a":1}`); got != http.StatusBadRequest || len(dead.sent) != 0 {
			t.Errorf("status %d and %d dead letters, want 400 and none", got, len(dead.sent))
		}
		if got := post(t, b, http.MethodGet, "", attributes...); got != http.StatusMethodNotAllowed {
			t.Errorf("GET: status %d, want 405", got)
		}
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		cfg  bridge.Config
		want string
	}{
		{"no address", bridge.Config{BrokerURL: "orders", InFlight: 1}, `BROKER_URL is "orders", want http://host/namespace/broker`},
		{"nothing in flight", bridge.Config{BrokerURL: "http://b/n/o"}, "BRIDGE_IN_FLIGHT is 0, want 1 or more"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := bridge.New(tc.cfg, "dead", &topic{}, anyone{}, slog.Default(), noop.Meter{})
			if err == nil || err.Error() != tc.want {
				t.Errorf("error %v, want %s", err, tc.want)
			}
		})
	}
}
