package bustest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/bus"
	"orderbell/internal/bus/record"
	"orderbell/internal/event/cloudevent"
)

func newReader(t *testing.T, c bus.Config) *bus.Reader {
	t.Helper()
	reader, err := bus.NewReader(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reader.Close)
	return reader
}

func spans(t *testing.T, r *bus.Reader, topic string, since time.Time) []record.Span {
	t.Helper()
	found, err := r.Spans(deadline(t), topic, since)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// readAll returns the numbers of each key's events in spans.
func readAll(t *testing.T, r *bus.Reader, topic string, spans []record.Span) map[string][]int {
	t.Helper()
	got := map[string][]int{}
	if err := r.Read(deadline(t), topic, spans, func(record record.Record) error {
		key, n := nth(t, record)
		got[key] = append(got[key], n)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

func testRead(t *testing.T, server Server) {
	c := topics(t, server)
	reader, producer := newReader(t, c), newProducer(t, c)
	if got := spans(t, reader, c.Topic, time.Time{}); len(got) != 0 {
		t.Errorf("an empty topic has %v", got)
	}
	want := map[string][]int{}
	var batch []cloudevent.Event
	for n := 1; n <= 50; n++ {
		for k := range 10 {
			key := fmt.Sprint("order-", k)
			batch = append(batch, newEvent(key, n))
			want[key] = append(want[key], n)
		}
	}
	send(t, producer, c.Topic, batch...)
	there := spans(t, reader, c.Topic, time.Time{})
	var messages int64
	for _, s := range there {
		messages += s.To - s.From
	}
	if messages != int64(len(batch)) {
		t.Errorf("%v are %d messages, want %d", there, messages, len(batch))
	}
	send(t, producer, c.Topic, newEvent("order-0", 51)) // is not there yet
	for range 2 {                                       // reading changes nothing
		if diff := cmp.Diff(want, readAll(t, reader, c.Topic, there)); diff != "" {
			t.Error(diff)
		}
	}
	calls := 0
	if err := reader.Read(deadline(t), c.Topic, there, func(record.Record) error {
		calls++
		return errOnce
	}); !errors.Is(err, errOnce) || calls != 1 {
		t.Errorf("each failed: Read returned %v after %d calls", err, calls)
	}
}

func testReadSince(t *testing.T, server Server) {
	c := topics(t, server)
	reader, producer := newReader(t, c), newProducer(t, c)
	send(t, producer, c.Topic, newEvent("a", 1), newEvent("b", 1))
	var first time.Time
	if err := reader.Read(deadline(t), c.Topic, spans(t, reader, c.Topic, time.Time{}), func(r record.Record) error {
		if r.Time.After(first) {
			first = r.Time
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for clock := time.NewTicker(time.Millisecond); !time.Now().After(first.Add(2 * time.Millisecond)); <-clock.C {
		continue // Kafka's clock has milliseconds
	}
	send(t, producer, c.Topic, newEvent("a", 2))
	got := readAll(t, reader, c.Topic, spans(t, reader, c.Topic, first.Add(time.Millisecond)))
	if diff := cmp.Diff(map[string][]int{"a": {2}}, got); diff != "" {
		t.Error(diff)
	}
	if got := spans(t, reader, c.Topic, time.Now().Add(time.Hour)); len(got) != 0 {
		t.Errorf("of the future it has %v", got)
	}
}

func testReadNothing(t *testing.T, server Server) {
	if _, err := newReader(t, config(server)).Spans(deadline(t), config(server).Topic, time.Time{}); err == nil {
		t.Error("Spans returned no error")
	}
}
