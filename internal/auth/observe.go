package auth

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Observe exports the age of the keys of users' tokens. Without a provider, as in development, it exports nothing.
func (v *Verifier) Observe(meter metric.Meter) error {
	var sets []*keySet
	for _, i := range v.issuers {
		if i.set != nil {
			sets = append(sets, i.set)
		}
	}
	return observeKeys(meter, "users", sets)
}

// Observe exports the age of the keys of senders' tokens. With a secret it exports nothing.
func (s *Senders) Observe(meter metric.Meter) error {
	if s.set == nil {
		return observeKeys(meter, "senders", nil)
	}
	return observeKeys(meter, "senders", []*keySet{s.set})
}

func observeKeys(meter metric.Meter, tokens string, sets []*keySet) error {
	label := metric.WithAttributes(attribute.String("tokens", tokens))
	_, err := meter.Float64ObservableGauge("orderbell.auth.keys_age", metric.WithUnit("s"),
		metric.WithDescription("Age of the keys that verify tokens: the time since the last fetch or, without one, since the start. "+
			"tokens is users or senders. Labels: tokens."),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			if len(sets) == 0 {
				return nil
			}
			var oldest time.Duration
			for _, s := range sets {
				oldest = max(oldest, time.Since(time.Unix(0, s.fetchedAt.Load())))
			}
			o.Observe(oldest.Seconds(), label)
			return nil
		}))
	return err
}
