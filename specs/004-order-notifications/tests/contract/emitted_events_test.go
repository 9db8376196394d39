package contract_test

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/alicebob/miniredis/v2"

	"orderbell/internal/bus"
	"orderbell/internal/bus/record"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

// shop is order-api and outbox-relay, running on a database and a Kafka of their own.
type shop struct {
	orders string // order-api's address
	bus    bus.Config
}

func openShop(t *testing.T) shop {
	t.Helper()
	kafka, name := brokers(t), "contract-"+rand.Text() // a server that lasts has the topics of earlier runs
	cfg := bus.Config{Brokers: strings.Split(kafka, ","), Topic: name, DeadLetterTopic: name + "-dead-letters"}
	admin, err := bus.NewAdmin(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := admin.EnsureTopics(t.Context(), 1, 1); err != nil {
		t.Fatal(err)
	}
	url := databasetest.URL(t)
	if err := userstore.New(databasetest.Open(t, url)).EnsureTenant(t.Context(), user.Tenant{ID: tenant, Name: "Demo"}); err != nil {
		t.Fatal(err)
	}
	redisURL := "REDIS_URL=redis://" + miniredis.RunT(t).Addr()
	start(t, build(t, "outbox-relay"), "DATABASE_URL="+url, redisURL, "KAFKA_BROKERS="+kafka, "KAFKA_TOPIC="+cfg.Topic, "KAFKA_DEAD_LETTER_TOPIC="+cfg.DeadLetterTopic)
	return shop{orders: start(t, build(t, "functions/order-api"), "DATABASE_URL="+url, redisURL,
		"AUTH_SERVICE_ACCOUNTS="+tenant+"/owner:owner").URL, bus: cfg}
}

// trace is the trace context of the first example's request.
const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// post sends a request to order-api and returns the answer's JSON.
func (s shop) post(t *testing.T, path, body, traceParent string) map[string]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.orders+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token(t, tenant, "owner", time.Now().Add(time.Hour)))
	req.Header.Set("Content-Type", "application/json")
	if traceParent != "" {
		req.Header.Set("traceparent", traceParent)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode/100 != 2 {
		t.Fatalf("POST %s: %s: %s", path, resp.Status, answer)
	}
	return generic(t, answer)
}

// records returns the first n records of the topic.
func (s shop) records(t *testing.T, n int) []record.Record {
	t.Helper()
	consumer, err := bus.NewConsumer(s.bus, bus.Earliest, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	var got []record.Record
	err = consumer.Consume(ctx, s.bus.Topic, 1, func(_ context.Context, r record.Record) error {
		if got = append(got, r); len(got) == n {
			stop()
		}
		return nil
	})
	if len(got) < n {
		t.Fatalf("the topic has %d records, want %d: %v", len(got), n, err)
	}
	return got
}

func TestEventsOfOrderAPI(t *testing.T) {
	t.Parallel()
	doc, files := readDocument(t), golden(t, eventsDir)
	s := openShop(t)
	id, _ := s.post(t, "/api/orders", `{"reference":"A-1042","total_amount":125000,"currency":"IDR"}`, trace)["order_id"].(string)
	s.post(t, "/api/orders/"+id+"/pay", "", "")
	s.post(t, "/api/orders/"+id+"/status", `{"status":"preparing"}`, "")
	s.post(t, "/api/orders/"+id+"/undo", `{"version":3}`, "")
	s.post(t, "/api/orders", `{"total_amount":0,"currency":"USD"}`, "")
	examples := []string{"order_created", "order_paid", "order_status_updated", "order_status_updated_undone", "order_created_without_reference"}
	records := s.records(t, len(examples))
	// An order's events come in the order of its versions; those of two orders come in any.
	second := slices.IndexFunc(records, func(r record.Record) bool { return string(r.Key) != id })
	if second < 0 {
		t.Fatal("the second order has no event")
	}
	records = append(slices.Delete(slices.Clone(records), second, second+1), records[second])
	for i, r := range records {
		t.Run(examples[i], func(t *testing.T) {
			headers, data := map[string]any{}, generic(t, r.Value)
			for _, h := range r.Headers {
				headers[h.Key] = string(h.Value)
			}
			typ, _ := headers["ce_type"].(string)
			declared, ok := doc.Components.Messages[typ]
			if !ok {
				t.Fatalf("the document has no message %q", typ)
			}
			checkEmitted(t, doc.schema(t, declared.Headers.Ref), headers)
			checkEmitted(t, doc.schema(t, declared.Payload.Ref), data)
			if key := string(r.Key); key != data["order_id"] {
				t.Errorf("the record's key is %q, want the order id %v", key, data["order_id"])
			}
			if _, err := cloudevent.Parse(r.Event); err != nil {
				t.Error(err)
			}
			wantHeaders, wantData := sent(t, parse(t, files[examples[i]]))
			if _, ok := wantHeaders["ce_traceparent"]; !ok {
				delete(headers, "ce_traceparent") // order-api begins a trace where the request has none
			}
			// What differs with every order is taken from the example; all the rest must be the example's.
			for _, name := range []string{"ce_id", "ce_time", "ce_subject", "ce_partitionkey", "ce_tenantid"} {
				alike(t, headers, wantHeaders, name)
			}
			if diff := cmp.Diff(map[string]any{"user_id": "owner"}, data["actor"]); diff != "" {
				t.Errorf("actor: %s", diff)
			}
			if wantData["actor"] == nil {
				delete(data, "actor") // most examples leave it out, as a publisher may
			}
			for _, name := range []string{"order_id", "timestamp", "tenant_id", "actor"} {
				alike(t, data, wantData, name)
			}
			if diff := cmp.Diff(wantHeaders, headers); diff != "" {
				t.Errorf("headers: %s", diff)
			}
			if diff := cmp.Diff(wantData, data); diff != "" {
				t.Errorf("data: %s", diff)
			}
		})
	}
}

// alike makes got's field the same as want's, if both have it.
func alike(t *testing.T, got, want map[string]any, name string) {
	t.Helper()
	if _, ok := got[name]; ok && want[name] != nil {
		got[name] = want[name]
	}
}
