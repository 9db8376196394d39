package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"orderbell/internal/backoff"
	"orderbell/internal/event"
	"orderbell/internal/feed/message"
	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/eventstore"
)

// addCrowd adds users who all get a notification and a mail of everything.
func addCrowd(tb testing.TB, pool *database.Pool, tenantID string, n int) {
	tb.Helper()
	exec(tb, pool, `INSERT INTO users (id, tenant_id, email, roles, notification_email_events, notification_in_app_events)
		SELECT gen_random_uuid(), $1, 'u' || n || '@' || $1 || '.example', '{owner}', e, e
		FROM generate_series(1, $2::int) AS n, (VALUES (ARRAY['order_created', 'order_paid', 'order_status_updated'])) AS v (e)`, tenantID, n)
	exec(tb, pool, `ANALYZE users`)
}

// BenchmarkApplyForACrowd measures the cost of one event by its audience: the statement, its record, and its entry in Redis.
func BenchmarkApplyForACrowd(b *testing.B) {
	for _, n := range []int{4, 100, 500, 1000, 3000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, pool := setup(b)
			addCrowd(b, pool, "demo", n)
			var e event.Event
			var r event.Receipt
			for b.Loop() {
				e = paid(b)
				r = apply(b, s, e)
			}
			if len(r.Recipients) != n || r.DueMails != n {
				b.Fatalf("%d recipients, %d mails, want %d", len(r.Recipients), r.DueMails, n)
			}
			m, err := message.New(e, r.Recipients)
			if err != nil {
				b.Fatal(err)
			}
			entry := len(m.Data)
			for _, to := range m.Recipients {
				entry += len(to.UserID) + len(to.NotificationID)
			}
			b.ReportMetric(float64(entry), "entry-B")
			b.ReportMetric(float64(databasetest.One[int](b, pool, `SELECT pg_column_size(r.*) FROM event_records r WHERE event_id = $1`, e.ID)), "record-B")
		})
	}
}

// BenchmarkBesideACrowd times the events of a small tenant while sixty of a crowd are in flight, at an instance with twenty places for
// requests and three connections. A refused event comes again as from the broker.
func BenchmarkBesideACrowd(b *testing.B) {
	for _, n := range []int{4, 500, 3000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			_, pool := setup(b)
			addCrowd(b, pool, "demo", n)
			cfg := databasetest.Config(pool.Config().ConnString())
			cfg.MaxConns = 3
			few, err := database.Open(b.Context(), cfg, b.Name())
			if err != nil {
				b.Fatal(err)
			}
			defer few.Close()
			s := eventstore.New(few, "mail.example")
			apply(b, s, paid(b))
			ctx, cancel := context.WithCancel(b.Context())
			var crowd sync.WaitGroup
			var theirs atomic.Int64
			places := make(chan struct{}, 20)
			at := func(ctx context.Context, e event.Event) error {
				places <- struct{}{}
				defer func() { <-places }()
				_, err := s.Apply(ctx, e, sellers())
				return err
			}
			for range 60 {
				crowd.Go(func() {
					for ctx.Err() == nil {
						e, pause := paid(b), 400*time.Millisecond
						err := at(ctx, e)
						for limited := interface{ Limited() bool }(nil); errors.As(err, &limited) && backoff.Sleep(ctx, pause); pause = min(2*pause, 13*time.Second) {
							err = at(ctx, e)
						}
						if ctx.Err() == nil && err != nil {
							b.Error(err)
							return
						}
						theirs.Add(1)
					}
				})
			}
			var took []time.Duration
			for b.Loop() {
				e := paid(b)
				e.Data.TenantID = "other"
				began := time.Now()
				if err := at(b.Context(), encode(b, e)); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			b.ReportMetric(float64(theirs.Load())/b.Elapsed().Seconds(), "crowd/s")
			cancel()
			crowd.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
