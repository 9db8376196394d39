//go:build cluster

package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"orderbell/internal/bus"
	"orderbell/internal/bus/record"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
	"orderbell/internal/service"
)

const paidService = services + "order-paid"

// revisions returns the latest revision and the latest ready revision.
func (w *world) revisions(t *testing.T) (created, ready string) {
	t.Helper()
	var o struct {
		Status struct {
			Created string `json:"latestCreatedRevisionName"`
			Ready   string `json:"latestReadyRevisionName"`
		}
	}
	if err := w.kube.get(t.Context(), paidService, &o); err != nil {
		t.Fatal(err)
	}
	return o.Status.Created, o.Status.Ready
}

func (w *world) testUnreadyRelease(letters *deadLetters) func(*testing.T) {
	return func(t *testing.T) {
		_, good := w.revisions(t)
		const env = "/spec/template/spec/containers/0/env/"
		if err := w.kube.patch(t.Context(), paidService, map[string]any{
			"op": "add", "path": env + "0", "value": map[string]string{"name": "LOG_LEVEL", "value": "nonsense"},
		}); err != nil {
			t.Fatal(err)
		}
		eventually(t, 3*time.Minute, "a pod of the bad release to log its error", func() error {
			bad, _ := w.revisions(t)
			if bad == good {
				return errors.New("there is no new revision")
			}
			name := w.pods.of(bad)
			if name == "" {
				return fmt.Errorf("revision %s has no pod", bad)
			}
			log, err := w.kube.logs(t.Context(), name, "order-paid")
			if err == nil && !strings.Contains(log, "LOG_LEVEL") {
				err = fmt.Errorf("its log does not have the error: %s", log)
			}
			return err
		})
		for _, id := range w.submittedOrders(t, "unready", 20) {
			if err := w.till.pay(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		w.drained(t, 3*time.Minute, "order_paid")
		if _, ready := w.revisions(t); ready != good {
			t.Errorf("revision %s is ready, want %s to stay", ready, good)
		}
		w.restore(t, map[string]any{"op": "remove", "path": env + "0"})
		letters.none(t)
		w.report.figure(t, "a release that never gets ready", "took no event; 20 payments went to the release before")
	}
}

// restore applies patches that restore the good release, and waits until it is ready.
func (w *world) restore(t *testing.T, patches ...map[string]any) {
	t.Helper()
	if err := w.kube.patch(t.Context(), paidService, patches...); err != nil {
		t.Fatal(err)
	}
	w.ready(t, paidService)
}

func (w *world) testBadRelease(letters *deadLetters) func(*testing.T) {
	return func(t *testing.T) {
		ids := w.submittedOrders(t, "rollback", 100)
		_, good := w.revisions(t)
		var o struct {
			Spec struct {
				Template struct {
					Spec struct{ Containers []struct{ Image string } }
				}
			}
		}
		if err := w.kube.get(t.Context(), paidService, &o); err != nil {
			t.Fatal(err)
		}
		const path = "/spec/template/spec/containers/0/image"
		if err := w.kube.patch(t.Context(), paidService, map[string]any{"op": "replace", "path": path, "value": image(t, "faulty")}); err != nil {
			t.Fatal(err)
		}
		eventually(t, 3*time.Minute, "the faulty release to take the traffic", func() error {
			created, ready := w.revisions(t)
			if ready == good || created != ready {
				return fmt.Errorf("the latest revision is %s, the latest ready one is %s", created, ready)
			}
			status, message, err := w.kube.condition(t.Context(), paidService, "Ready")
			if err == nil && status != "True" {
				err = errors.New(message)
			}
			return err
		})
		for _, id := range ids {
			if err := w.till.pay(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.backlog(t, "order_paid"); n != len(ids) {
			t.Errorf("%d payments are waiting, want all %d: the release is not faulty", n, len(ids))
		}
		began := time.Now()
		// As an operator does first: route the traffic back to the previous revision.
		if err := w.kube.merge(t.Context(), paidService, map[string]any{"spec": map[string]any{
			"traffic": []map[string]any{{"revisionName": good, "percent": 100}},
		}}); err != nil {
			t.Fatal(err)
		}
		w.drained(t, 5*time.Minute, "order_paid")
		w.report.figure(t, "a release that fails, rolled back", "100 payments waited and were delivered within %s of it, 0 lost", seconds(time.Since(began)))
		letters.none(t)
		w.restore(t, map[string]any{"op": "replace", "path": path, "value": o.Spec.Template.Spec.Containers[0].Image},
			map[string]any{"op": "replace", "path": "/spec/traffic", "value": []map[string]any{{"latestRevision": true, "percent": 100}}})
	}
}

// image returns the reference of an image that test/cluster/run has built.
func image(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(env(t, "CLUSTER_IMAGES"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.FieldsSeq(string(content)) {
		if ref := strings.Replace(line, ":latest@", "@", 1); strings.Contains(ref, "/"+name+"@") {
			return ref
		}
	}
	t.Fatalf("there is no image %s", name)
	return ""
}

func (w *world) testInvalidEvent(letters *deadLetters) func(*testing.T) {
	return func(t *testing.T) {
		var cfg bus.Config
		if err := service.Load(&cfg); err != nil {
			t.Fatal(err)
		}
		producer, err := bus.NewProducer(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer producer.Close()
		id := w.submittedOrders(t, "invalid", 1)[0]
		invalid := cloudevent.Empty()
		invalid.SetID(uuid.Must(uuid.NewV7()).String())
		invalid.SetSource("/orderbell/order-api")
		invalid.SetType("order_paid")
		invalid.SetSubject(id)
		invalid.SetTime(time.Now())
		invalid.SetExtension(cloudevent.ExtPartitionKey, id)
		invalid.SetExtension(cloudevent.ExtTenantID, "somebody-else")
		invalid.SetExtension(cloudevent.ExtSequence, "2")
		if err := invalid.SetData(cloudevent.JSON, map[string]any{
			"order_id": id, "tenant_id": tenant, "status": "paid", "total_amount": 1, "currency": "IDR", "version": 2, "timestamp": time.Now(),
		}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := errors.Join(producer.Send(t.Context(), cfg.Topic, []cloudevent.Event{invalid})...); err != nil {
			t.Fatal(err)
		}
		// The next event of its order follows it in the same partition.
		if err := w.till.pay(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		letter := letters.find(t, invalid.ID())
		took := time.Since(began)
		for name, want := range map[string]string{
			deadletter.ExtErrorCode: "400", cloudevent.ExtTenantID: "somebody-else",
			deadletter.ExtReason: `invalid event: tenantid is "somebody-else", but data.tenant_id is "` + tenant + `"`,
		} {
			if got := fmt.Sprint(letter.Extensions()[name]); got != want {
				t.Errorf("the dead letter's %s is %s, want %s", name, got, want)
			}
		}
		t.Logf("dead letter: %s", letter)
		w.drained(t, 2*time.Minute, "order_paid")
		w.report.figure(t, "an invalid event", "in the topic of dead letters after %s, the next event delivered after %s", seconds(took), seconds(time.Since(began)))
	}
}

// deadLetters reads the topic of dead letters.
type deadLetters struct {
	mu   sync.Mutex
	seen []cloudevent.Event
}

func readDeadLetters(t *testing.T) *deadLetters {
	t.Helper()
	var cfg bus.Config
	if err := service.Load(&cfg); err != nil {
		t.Fatal(err)
	}
	cfg.Topic = cfg.DeadLetterTopic
	consumer, err := bus.NewConsumer(cfg, bus.Latest, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	letters := &deadLetters{}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- consumer.Consume(ctx, "cluster-test-"+uuid.NewString(), 1, func(_ context.Context, r record.Record) error {
			letters.mu.Lock()
			defer letters.mu.Unlock()
			letters.seen = append(letters.seen, r.Event)
			return nil
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return letters
}

// none fails if an event was refused. The CronJob redrive redrives dead letters of an outage; drained waits for their events.
func (d *deadLetters) none(t *testing.T) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.seen {
		if _, note := deadletter.ParseRedriven(e); note {
			continue
		}
		code, answered := cloudevent.Extension(e, deadletter.ExtErrorCode)
		if status, err := strconv.Atoi(code); !answered || err == nil && deadletter.Retryable(status) {
			continue
		}
		t.Errorf("a dead letter: %s", e)
	}
}

func (d *deadLetters) find(t *testing.T, id string) cloudevent.Event {
	t.Helper()
	var found cloudevent.Event
	eventually(t, 2*time.Minute, "the dead letter", func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, e := range d.seen {
			if e.ID() == id {
				found = e
				return nil
			}
		}
		return fmt.Errorf("none of %d dead letters is of the event", len(d.seen))
	})
	return found
}

// now returns the database's time, which is the time of events.
func (w *world) now(t *testing.T) time.Time {
	t.Helper()
	var at time.Time
	if err := w.db.QueryRow(t.Context(), `SELECT now()`).Scan(&at); err != nil {
		t.Fatal(err)
	}
	return at
}

// events returns the ids of the events of a type that were written after since.
func (w *world) events(t *testing.T, kind string, since time.Time) []string {
	t.Helper()
	rows, err := w.db.Query(t.Context(), `SELECT event_id::text FROM outbox WHERE tenant_id = $1 AND type = $2 AND created_at >= $3`,
		tenant, kind, since)
	if err != nil {
		t.Fatal(err)
	}
	return column(t, rows)
}

func column(t *testing.T, rows pgx.Rows) []string {
	t.Helper()
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}
