package plan

import (
	"cmp"
	"slices"
	"time"
)

// limit is the bottleneck of payments in one second.
type limit string

const (
	noLimit       limit = ""
	apiLimit      limit = "order-api: its cores are busy"
	databaseLimit limit = "PostgreSQL: its cores are busy"
	redisLimit    limit = "Redis: its shards are busy"
	gatewayLimit  limit = "sse-gateway: its cores are busy"
	podsLimit     limit = "pods: max-scale is reached, and all are full"
	startLimit    limit = "pods: requests wait for pods that start"
	scaleLimit    limit = "pods: all are full, and the autoscaler asks for no more"
	inFlightLimit limit = "Kafka's consumers: as many events are in flight as they may have"
)

// busy is the utilization from which a station counts as the bottleneck.
const busy = 0.9

// limit returns the bottleneck of the last second.
func (s *simulation) limit() limit {
	busiest, load := noLimit, busy
	for _, station := range []struct {
		limit
		load float64
	}{
		{apiLimit, s.api.load()},
		{databaseLimit, s.database.load()},
		{redisLimit, s.redis.load()},
		{gatewayLimit, s.gateway.load()},
	} {
		if station.load >= load {
			busiest, load = station.limit, station.load
		}
	}
	if busiest != noLimit {
		return busiest
	}
	ready, starting := s.scaler.count()
	const few = 1 // pods' worth of requests, which pass in a moment
	switch full := len(s.activator) > few*s.Concurrency; {
	case full && ready >= s.MaxScale:
		return podsLimit
	case full && starting > 0:
		return startLimit
	case full:
		return scaleLimit
	}
	waiting := 0
	for i := range s.lanes {
		waiting += len(s.lanes[i].waiting)
	}
	if waiting > few*s.Concurrency {
		return inFlightLimit
	}
	return noLimit
}

// Limit is a bottleneck of payments, and the number of seconds in which it was one.
type Limit struct {
	Name    string `json:"name"`
	Seconds int    `json:"seconds"`
}

// Limits returns the bottlenecks in a span of the course, the most frequent first.
func (c Course) Limits(from, to time.Duration) []Limit {
	seconds := map[limit]int{}
	for i, l := range c.limits {
		if at := time.Duration(i+1) * time.Second; at > from && at <= to+time.Second && l != noLimit {
			seconds[l]++
		}
	}
	limits := make([]Limit, 0, len(seconds))
	for l, n := range seconds {
		limits = append(limits, Limit{Name: string(l), Seconds: n})
	}
	slices.SortFunc(limits, func(a, b Limit) int { return cmp.Or(b.Seconds-a.Seconds, cmp.Compare(a.Name, b.Name)) })
	return limits
}
