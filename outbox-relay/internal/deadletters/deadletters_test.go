package deadletters_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/metric/noop"

	"orderbell/internal/bus/record"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
	"orderbell/outbox-relay/internal/deadletters"
)

// topic is one partition of records.
type topic struct {
	first   int64 // the oldest that is kept
	records []record.Record
	read    int
}

func (p *topic) Spans(context.Context, string, time.Time) ([]record.Span, error) {
	if p.first == int64(len(p.records)) {
		return nil, nil // bus.Reader leaves out empty partitions too
	}
	return []record.Span{{From: p.first, To: int64(len(p.records))}}, nil
}

func (p *topic) Read(_ context.Context, _ string, spans []record.Span, each func(record.Record) error) error {
	for _, s := range spans {
		for _, r := range p.records[s.From:s.To] {
			p.read++
			if err := each(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *topic) add(e cloudevent.Event, err error) int64 {
	at := int64(len(p.records))
	p.records = append(p.records, record.Record{Offset: at, Event: e, Err: err})
	return at
}

func letter(status int) cloudevent.Event {
	e := cloudevent.Empty()
	e.SetID("event " + strconv.Itoa(status))
	e.SetType("order_paid")
	e.SetSource("/s")
	return deadletter.Failure{Dest: "http://order-paid/", Status: status}.DeadLetter(e)
}

func TestOpenLettersAreCounted(t *testing.T) {
	t.Parallel()
	p := &topic{}
	c, err := deadletters.New("dead", p, slog.New(slog.DiscardHandler), noop.NewMeterProvider().Meter(""))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Open(); got != nil {
		t.Errorf("before the topic was read: %v", got)
	}
	check := func(what string, unavailable, dropped, unknown, refused, notSent int) {
		t.Helper()
		if err := c.Catch(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := map[string]int{"unavailable": unavailable, "dropped": dropped, "unknown_sender": unknown, "refused": refused, "not_sent": notSent}
		if diff := cmp.Diff(want, c.Open()); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	check("an empty topic", 0, 0, 0, 0, 0)
	silent, busy := p.add(letter(0), nil), p.add(letter(503), nil)
	lost := letter(0)
	lost.SetExtension(deadletter.ExtErrorDest, deadletter.DestDropped)
	p.add(lost, nil)
	p.add(letter(401), nil)
	p.add(letter(400), nil)
	p.add(cloudevent.Empty(), errors.New("not a CloudEvent"))
	check("one of each", 2, 1, 1, 1, 1)
	redriven, err := deadletter.Redriven{Offset: silent, EventID: "x", At: time.Now()}.CloudEvent("1", nil)
	if err != nil {
		t.Fatal(err)
	}
	closed, err := deadletter.Closed{Offset: busy, EventID: "x", At: time.Now(), By: "me", Reason: "no"}.CloudEvent("2", nil)
	if err != nil {
		t.Fatal(err)
	}
	p.add(redriven, nil)
	p.add(closed, nil)
	check("one redriven, one closed", 0, 1, 1, 1, 1)
	if p.read != len(p.records) {
		t.Errorf("%d records were read for %d", p.read, len(p.records))
	}
	p.first = 5
	check("the topic has forgotten the oldest", 0, 0, 0, 0, 1)
	delivery := deadletter.AtRecord(letter(400), 0, 41)
	p.add(delivery, nil)
	p.add(delivery, nil)
	check("a delivery with two letters is one", 0, 0, 0, 1, 1)
	p.first = int64(len(p.records))
	check("the topic has forgotten all", 0, 0, 0, 0, 0)
	p.add(delivery, nil)
	check("a forgotten first letter hides no later one", 0, 0, 0, 1, 0)
}
