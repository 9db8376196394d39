package orderstore_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

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
