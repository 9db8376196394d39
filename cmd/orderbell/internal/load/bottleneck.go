package load

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// lateStart is the start delay from which the planned rate counts as not reached.
	lateStart = 100 * time.Millisecond
	// queueTime is the time to empty a queue, at the rate of the run, from which it counts as a queue.
	queueTime = time.Second
)

// Bottleneck names what limited the run, in one sentence.
func (r OrderReport) Bottleneck() string {
	rate := float64(r.Accepted) / max(r.Sent.Seconds(), 0.001)
	switch {
	case r.refused("429") > 0:
		return fmt.Sprintf("a tenant's limit: %d requests were answered with 429", r.refused("429"))
	case r.refused("") > 0:
		return fmt.Sprintf("order-api or its database: %d of %d requests failed (%s)", r.refused(""), r.Planned, r.reasons())
	case float64(r.Queue) > rate*queueTime.Seconds() && 2*r.Unsent > int64(r.Queue):
		return fmt.Sprintf("outbox-relay or Kafka: the outbox held up to %d of the %d waiting events", r.Unsent, r.Queue)
	case float64(r.Queue) > rate*queueTime.Seconds() && r.Unsent >= 0:
		return fmt.Sprintf("the functions: up to %d events waited for them, and the outbox held no more than %d", r.Queue, r.Unsent)
	case float64(r.Queue) > rate*queueTime.Seconds():
		return fmt.Sprintf("outbox-relay, Kafka or the functions: up to %d events waited; set DATABASE_URL to see the outbox", r.Queue)
	case r.Late.P99 > lateStart:
		return fmt.Sprintf("order-api or its database: it takes %.0f requests/s", rate)
	}
	return "none: no queue built up at this rate"
}

// refused returns the number of requests that were refused with a reason that has the prefix.
func (r OrderReport) refused(prefix string) int {
	n := 0
	for reason, count := range r.Refused {
		if strings.HasPrefix(reason, prefix) {
			n += count
		}
	}
	return n
}

func (r OrderReport) reasons() string {
	var all []string
	for reason, n := range r.Refused {
		all = append(all, fmt.Sprintf("%d × %s", n, reason))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// Problem returns why the run failed, or "".
func (r OrderReport) Problem() string {
	switch {
	case r.Missing > 0:
		return fmt.Sprintf("%d accepted changes did not reach a screen", r.Missing)
	case r.refused("") > 0:
		return fmt.Sprintf("%d of %d requests were refused: %s", r.refused(""), r.Planned, r.reasons())
	}
	return ""
}
