package service

import (
	"context"
	"fmt"
	"runtime/metrics"

	"go.opentelemetry.io/otel/metric"
)

// observeRuntime exports metrics of memory, goroutines and CPU.
func observeRuntime(meter metric.Meter) error {
	counters := []struct{ name, unit, source, description string }{
		{"orderbell.runtime.gc.cycles", "", "/gc/cycles/total:gc-cycles", "Garbage collections."},
		{"orderbell.runtime.cpu", "s", "/cpu/classes/user:cpu-seconds", "Processor time of the program's own code, as Go estimates it at each garbage collection."},
		{"orderbell.runtime.gc.cpu", "s", "/cpu/classes/gc/total:cpu-seconds", "Processor time of garbage collections."},
	}
	gauges := []struct{ name, unit, source, description string }{
		{"orderbell.runtime.goroutines", "", "/sched/goroutines:goroutines", "Goroutines."},
		{"orderbell.runtime.heap", "By", "/memory/classes/heap/objects:bytes", "Memory of objects on the heap."},
		{"orderbell.runtime.memory", "By", "/memory/classes/total:bytes", "Memory that Go has from the operating system."},
		{"orderbell.runtime.max_procs", "", "/sched/gomaxprocs:threads", "Processors that the program may use."},
	}
	var all []metric.Observable
	var samples []metrics.Sample
	var record []func(metric.Observer, metrics.Value)
	for _, c := range counters {
		counter, err := meter.Float64ObservableCounter(c.name, metric.WithUnit(c.unit), metric.WithDescription(c.description))
		if err != nil {
			return fmt.Errorf("observe the runtime: %w", err)
		}
		all, samples = append(all, counter), append(samples, metrics.Sample{Name: c.source})
		record = append(record, func(o metric.Observer, v metrics.Value) { o.ObserveFloat64(counter, number(v)) })
	}
	for _, g := range gauges {
		gauge, err := meter.Float64ObservableGauge(g.name, metric.WithUnit(g.unit), metric.WithDescription(g.description))
		if err != nil {
			return fmt.Errorf("observe the runtime: %w", err)
		}
		all, samples = append(all, gauge), append(samples, metrics.Sample{Name: g.source})
		record = append(record, func(o metric.Observer, v metrics.Value) { o.ObserveFloat64(gauge, number(v)) })
	}
	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		now := make([]metrics.Sample, len(samples)) // scrapes and pushes may read at the same time
		copy(now, samples)
		metrics.Read(now)
		for i, sample := range now {
			record[i](o, sample.Value)
		}
		return nil
	}, all...)
	return err //nolint:wrapcheck // the caller does
}

func number(v metrics.Value) float64 {
	switch v.Kind() {
	case metrics.KindUint64:
		return float64(v.Uint64())
	case metrics.KindFloat64:
		return v.Float64()
	case metrics.KindBad, metrics.KindFloat64Histogram:
	}
	return 0
}
