//go:build chaos

package chaos_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/jackc/pgx/v5"

	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
)

// repeater delivers events again: directly to the functions, and through Kafka.
type repeater struct {
	e      *episode
	urls   map[event.Type]string
	secret string // of the local broker, as whose deliveries the events are sent
	client *http.Client

	mu   sync.Mutex
	bad  []string
	hits int // deliveries that succeeded
}

// repeatEvents delivers each event of four seconds one to four times, in addition to the broker's own delivery.
func repeatEvents(e *episode) {
	s, err := e.w.state()
	if err != nil {
		e.t.Fatal(err)
	}
	r := &repeater{e: e, secret: s.SenderSecret, client: &http.Client{Timeout: 30 * time.Second}, urls: map[event.Type]string{
		event.OrderCreated: s.Programs["order-created"].URL, event.OrderPaid: s.Programs["order-paid"].URL,
		event.OrderStatusUpdated: s.Programs["order-status-updated"].URL,
	}}
	defer r.client.CloseIdleConnections()
	work := make(chan func(context.Context), 100_000)
	var lines sync.WaitGroup
	for range 16 {
		lines.Go(func() {
			for one := range work {
				one(e.t.Context())
			}
		})
	}
	var last int64
	for end := time.Now().Add(4 * time.Second); time.Now().Before(end); e.wait(100 * time.Millisecond) {
		var copies []func(context.Context)
		for _, o := range e.newEvents(&last) {
			ce, err := cloudevent.FromOutbox(o)
			if err != nil {
				e.t.Fatal(err)
			}
			for range 1 + e.random.IntN(4) {
				if e.random.IntN(3) == 0 {
					copies = append(copies, func(ctx context.Context) { r.produce(ctx, ce) })
				} else {
					copies = append(copies, func(ctx context.Context) { r.post(ctx, ce) })
				}
			}
		}
		e.random.Shuffle(len(copies), func(i, j int) { copies[i], copies[j] = copies[j], copies[i] })
		for _, one := range copies {
			work <- one
		}
	}
	close(work)
	lines.Wait()
	e.hits += r.hits
	for _, bad := range r.bad {
		e.t.Error(bad)
	}
}

// newEvents returns the outbox rows of the episode after last.
func (e *episode) newEvents(last *int64) []event.Outgoing {
	r, err := e.w.db.Query(e.t.Context(), `SELECT id, event_id::text, source, type, tenant_id, order_id::text, occurred_at, traceparent, tracestate, data
		FROM outbox WHERE tenant_id = ANY ($1) AND id > $2 ORDER BY id`, ids(e.tenants), *last)
	if err != nil {
		e.t.Fatal(err)
	}
	events, err := pgx.CollectRows(r, func(row pgx.CollectableRow) (event.Outgoing, error) {
		var o event.Outgoing
		err := row.Scan(&o.Position, &o.ID, &o.Source, &o.Type, &o.TenantID, &o.OrderID, &o.Time, &o.TraceParent, &o.TraceState, &o.Raw)
		return o, err
	})
	if err != nil {
		e.t.Fatal(err)
	}
	for _, o := range events {
		*last = max(*last, o.Position)
	}
	return events
}

func (r *repeater) produce(ctx context.Context, ce cloudevent.Event) {
	err := r.e.w.producer.Send(ctx, topic, []cloudevent.Event{ce})[0]
	r.note(err)
}

func (r *repeater) post(ctx context.Context, ce cloudevent.Event) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.urls[event.Type(ce.Type())]+"/", nil)
	if err == nil {
		err = cehttp.WriteRequest(ctx, (*binding.EventMessage)(&ce), req)
	}
	if err != nil {
		r.note(err)
		return
	}
	req.Header.Set("Authorization", "Bearer "+r.secret)
	resp, err := r.client.Do(req)
	if err != nil {
		r.note(err)
		return
	}
	drain(resp.Body)
	// 409 and 503 ask for a retry. The broker's own delivery serves as the retry.
	if resp.StatusCode != http.StatusAccepted && resp.StatusCode != http.StatusConflict && resp.StatusCode != http.StatusServiceUnavailable {
		err = fmt.Errorf("event %s delivered again: %s %s", ce.ID(), resp.Status, resp.Header.Get("Kne-Reason"))
	}
	r.note(err)
}

func (r *repeater) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.hits++
	} else if len(r.bad) < 5 {
		r.bad = append(r.bad, err.Error())
	}
}
