package check

import (
	"fmt"
	"strings"
	"time"

	"orderbell/cmd/orderbell/internal/console"
)

// moments are the times at which a change's event reached each place.
type moments struct {
	posted, committed, kafka, function, redis, watchers, mails time.Time
}

func (r *run) moments(c *change) moments {
	m := moments{
		posted: c.Posted, committed: c.Answered, kafka: c.Trail.SentAt, function: c.Trail.ReceivedAt,
		redis: r.Arrivals.of(c.Event.ID),
	}
	for _, w := range []*watcher{r.owner, r.kitchen} {
		if at := w.seen(string(c.Type), c.Event.ID); at.After(m.watchers) {
			m.watchers = at
		}
	}
	for _, mail := range c.Trail.Mails {
		if mail.SentAt.After(m.mails) {
			m.mails = mail.SentAt
		}
	}
	return m
}

// printHops prints a table with a row for each hop and a column for each change. It mixes PostgreSQL's clock and ours,
// so a hop between them is only as exact as the clocks agree.
func (r *run) printHops() {
	rows := []struct {
		name     string
		from, to func(moments) time.Time
	}{
		{"POST → outbox committed", func(m moments) time.Time { return m.posted }, func(m moments) time.Time { return m.committed }},
		{"outbox → Kafka (relay)", func(m moments) time.Time { return m.committed }, func(m moments) time.Time { return m.kafka }},
		{"Kafka → function (broker)", func(m moments) time.Time { return m.kafka }, func(m moments) time.Time { return m.function }},
		{"function → Redis", func(m moments) time.Time { return m.function }, func(m moments) time.Time { return m.redis }},
		{"Redis → both watchers (gateway)", func(m moments) time.Time { return m.redis }, func(m moments) time.Time { return m.watchers }},
		{"POST → both watchers", func(m moments) time.Time { return m.posted }, func(m moments) time.Time { return m.watchers }},
		{"POST → last e-mail accepted", func(m moments) time.Time { return m.posted }, func(m moments) time.Time { return m.mails }},
	}
	var line strings.Builder
	fmt.Fprintf(&line, "\n  %-32s", "hop")
	for _, c := range r.changes {
		fmt.Fprintf(&line, "%22s", c.Type)
	}
	r.Printf("%s", line.String())
	for _, row := range rows {
		line.Reset()
		fmt.Fprintf(&line, "  %-32s", row.name)
		for _, c := range r.changes {
			m := r.moments(c)
			fmt.Fprintf(&line, "%22s", hop(row.from(m), row.to(m)))
		}
		r.Printf("%s", line.String())
	}
	r.Printf("")
}

// hop shows the time between two moments. Steps overlap: the relay may send while the answer to the POST is under way.
func hop(from, to time.Time) string {
	if from.IsZero() || to.IsZero() {
		return "–"
	}
	return console.Seconds(max(0, to.Sub(from)))
}
