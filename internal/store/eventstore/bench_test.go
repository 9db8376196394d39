package eventstore_test

import (
	"testing"

	"orderbell/internal/event"
	"orderbell/internal/user"
)

// BenchmarkApply times the database's share of an event. Its PostgreSQL does not wait for the disk.
func BenchmarkApply(b *testing.B) {
	s, pool := setup(b, staff()...)
	// As many days as production keeps.
	exec(b, pool, `SELECT ensure_event_record_partitions(current_date - 45, current_date + 7)`)
	for name, audience := range map[string]user.Audience{"told": sellers(), "not opted in": {Roles: user.Workers(), OnRequest: true}} {
		b.Run(name, func(b *testing.B) {
			events := make([]event.Event, b.N)
			for i := range events {
				events[i] = paid(b)
			}
			b.ResetTimer()
			for _, e := range events {
				if _, err := s.Apply(b.Context(), e, audience); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
	b.Run("repeated", func(b *testing.B) {
		e := paid(b)
		for b.Loop() {
			apply(b, s, e)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
	b.Run("told in parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := s.Apply(b.Context(), paid(b), sellers()); err != nil {
					b.Error(err)
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
}
