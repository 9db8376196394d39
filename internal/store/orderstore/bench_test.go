package orderstore_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"orderbell/internal/order"
)

func BenchmarkCreate(b *testing.B) {
	for _, keyed := range []bool{false, true} {
		b.Run(fmt.Sprintf("keyed=%t", keyed), func(b *testing.B) {
			s := setup(b)
			var n atomic.Int64
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					key := ""
					if keyed {
						key = fmt.Sprint(n.Add(1))
					}
					if _, err := s.store.Create(context.Background(), lunch(), request(key, key)); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

func BenchmarkPay(b *testing.B) {
	for _, keyed := range []bool{false, true} {
		b.Run(fmt.Sprintf("keyed=%t", keyed), func(b *testing.B) {
			s := setup(b)
			ids := make([]string, b.N)
			for i := range ids {
				ids[i] = s.create(b).ID
			}
			var n atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					id, key := ids[n.Add(1)-1], ""
					if keyed {
						key = id
					}
					if _, err := s.store.Change(context.Background(), id, order.Paid, request(key, key)); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

func BenchmarkGet(b *testing.B) {
	s := setup(b)
	id := s.create(b).ID
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.store.Get(context.Background(), tenant, id); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLists reads what a page begins with, in a shop of 1,000 orders and in one of 200,000: 40 of each open state,
// the others done, one every five minutes.
func BenchmarkLists(b *testing.B) {
	for _, orders := range []int{1_000, 200_000} {
		s := setup(b)
		const fill = `INSERT INTO orders (id, tenant_id, reference, status, total_amount, currency, created_at, updated_at)
			SELECT gen_random_uuid(), 'acme', 'A-' || n, CASE WHEN n <= 160 THEN (ARRAY['submitted','paid','preparing','ready'])[1 + n % 4]
				WHEN n % 50 = 0 THEN 'refunded' ELSE 'completed' END, 1000, 'EUR', now() - n * interval '5 min', now()
			FROM generate_series(1, $1::int) n`
		if _, err := s.pool.Exec(context.Background(), fill, orders); err != nil {
			b.Fatal(err)
		}
		if _, err := s.pool.Exec(context.Background(), "VACUUM ANALYZE orders"); err != nil {
			b.Fatal(err)
		}
		now := time.Now()
		page := func(q order.Query) func() error {
			return func() error {
				q.Limit = 100
				_, _, err := s.store.Page(context.Background(), tenant, q)
				return err
			}
		}
		for name, do := range map[string]func() error{
			"current":  page(order.Query{DoneFrom: now.Truncate(24 * time.Hour)}),
			"all":      page(order.Query{}),
			"refunded": page(order.Query{States: []order.Status{order.Refunded}}),
			"a day":    page(order.Query{From: now.AddDate(0, 0, -3), To: now.AddDate(0, 0, -2)}),
			"count": func() error {
				_, err := s.store.Count(context.Background(), tenant, time.Time{}, time.Time{})
				return err
			},
			"create": func() error {
				_, err := s.store.Create(context.Background(), order.Order{Reference: "once", Currency: "EUR"}, request("", ""))
				return err
			},
			"search": func() error {
				_, err := s.store.Search(context.Background(), tenant, "a-990", 100)
				return err
			},
		} {
			b.Run(fmt.Sprintf("orders=%d/%s", orders, name), func(b *testing.B) {
				for b.Loop() {
					if err := do(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
