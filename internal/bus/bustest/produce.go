package bustest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"orderbell/internal/bus/record"
	"orderbell/internal/event/cloudevent"
)

func testRoundTrip(t *testing.T, server Server) {
	c := topics(t, server)
	sent := newEvent("order-1", 1)
	sent.SetSubject("order-1")
	sent.SetTime(time.Date(2026, 11, 24, 10, 0, 0, 123456789, time.UTC))
	sent.SetExtension("tenantid", "demo")
	sent.SetExtension("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	sent.DataEncoded = []byte(`{"reference": "Š-1 <&>"}`)
	send(t, newProducer(t, c), c.Topic, sent)

	records := make(chan record.Record)
	consume(t, c, "g-"+c.Topic, 1, into(records))
	got := next(t, records)
	if got.Err != nil {
		t.Fatal(got.Err)
	}
	if diff := cmp.Diff(sent.String(), got.Event.String()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(string(sent.Data()), string(got.Value)); diff != "" {
		t.Error(diff)
	}
	if string(got.Key) != "order-1" {
		t.Errorf("key %q, want the partitionkey", got.Key)
	}
	headers := map[string]string{}
	for _, h := range got.Headers {
		headers[h.Key] = string(h.Value)
	}
	want := map[string]string{
		"ce_specversion": "1.0", "ce_id": sent.ID(), "ce_source": "/bustest", "ce_type": "order_created",
		"ce_subject": "order-1", "ce_time": "2026-11-24T10:00:00.123456789Z", "content-type": "application/json",
		"ce_partitionkey": "order-1", "ce_sequence": "1", "ce_tenantid": "demo",
		"ce_traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
	if diff := cmp.Diff(want, headers); diff != "" {
		t.Error(diff)
	}
}

func testOrder(t *testing.T, server Server) {
	c := topics(t, server)
	producer := newProducer(t, c)
	const keys, each = 40, 50
	for n := 1; n <= each; n += 10 {
		var batch []cloudevent.Event
		for i := n; i < n+10; i++ {
			for k := range keys {
				batch = append(batch, newEvent(fmt.Sprint("order-", k), i))
			}
		}
		send(t, producer, c.Topic, batch...)
	}
	records := make(chan record.Record)
	consume(t, c, "g-"+c.Topic, 1, into(records))
	last := map[string]int{}
	used := map[int32]bool{}
	for range keys * each {
		r := next(t, records)
		used[r.Partition] = true
		key, n := nth(t, r)
		if n != last[key]+1 {
			t.Fatalf("%s: event %d came after event %d", key, n, last[key])
		}
		last[key] = n
	}
	if len(used) != partitions {
		t.Errorf("%d keys used %d of %d partitions", keys, len(used), partitions)
	}
}

func testBigBatch(t *testing.T, server Server) {
	c := topics(t, server)
	const many = 10_000
	batch := make([]cloudevent.Event, many)
	for i := range batch {
		batch[i] = newEvent(uuid.NewString(), i)
	}
	send(t, newProducer(t, c), c.Topic, batch...)
	records := make(chan record.Record, many)
	consume(t, c, "g-"+c.Topic, 1, into(records))
	seen := make([]bool, many)
	for range many {
		_, n := nth(t, next(t, records))
		if seen[n] {
			t.Fatalf("event %d came twice", n)
		}
		seen[n] = true
	}
}

func testTooLarge(t *testing.T, server Server) {
	c := topics(t, server)
	batch := []cloudevent.Event{newEvent("a", 1), newEvent("a", 2), newEvent("a", 3), newEvent("a", 4)}
	batch[1].DataEncoded = []byte(strings.Repeat("x", 2<<20))
	batch[3].SetType("")
	for i, err := range newProducer(t, c).Send(deadline(t), c.Topic, batch) {
		if bad := i%2 == 1; bad != errors.Is(err, record.ErrRefused) || !bad && err != nil {
			t.Errorf("event %d: %v", i, err)
		}
	}
}

func testUndecodable(t *testing.T, server Server) {
	c := topics(t, server)
	header := func(key, value string) sarama.RecordHeader {
		return sarama.RecordHeader{Key: []byte(key), Value: []byte(value)}
	}
	value := sarama.StringEncoder("\x00 not json")
	key := sarama.StringEncoder("k") // the same, so that all are in one partition, in order
	sendRaw(t, c, &sarama.ProducerMessage{Key: key, Value: value})
	sendRaw(t, c, &sarama.ProducerMessage{Key: key, Value: value, Headers: []sarama.RecordHeader{
		header("ce_specversion", "1.0"), header("ce_id", "1"), header("ce_type", "t"), // no source
	}})
	sendRaw(t, c, &sarama.ProducerMessage{Key: key, Value: value, Headers: []sarama.RecordHeader{
		header("ce_specversion", "1.0"), header("ce_id", "1"), header("ce_type", "t"), header("ce_source", "/s"),
		header("ce_time", "yesterday"),
	}})
	sendRaw(t, c, &sarama.ProducerMessage{Key: key, Value: value, Headers: []sarama.RecordHeader{
		header("content-type", "application/cloudevents+json"),
	}})
	sendRaw(t, c, &sarama.ProducerMessage{Key: key}) // a tombstone
	sendRaw(t, c, &sarama.ProducerMessage{Key: key, Value: value, Headers: []sarama.RecordHeader{
		header("ce_specversion", "1.0"), header("ce_id", "1"), header("ce_type", "t"), header("ce_source", "/s"),
		header("ce_sequence", "7"),
	}})

	records := make(chan record.Record)
	consume(t, c, "g-"+c.Topic, 1, into(records))
	for i := range 5 {
		r := next(t, records)
		if r.Err == nil {
			t.Errorf("message %d passes as the event %v", i, r.Event)
		}
		if i < 4 && string(r.Value) != string(value) {
			t.Errorf("message %d has the value %q, want %q", i, r.Value, value)
		}
		if i == 2 && (len(r.Headers) != 5 || r.Headers[4].Key != "ce_time" || string(r.Headers[4].Value) != "yesterday") {
			t.Errorf("message %d has the headers %v", i, r.Headers)
		}
	}
	if _, n := nth(t, next(t, records)); n != 7 {
		t.Errorf("event %d came, want 7", n)
	}
}

func testContext(t *testing.T, server Server) {
	c := topics(t, server)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if errs := newProducer(t, c).Send(ctx, c.Topic, []cloudevent.Event{newEvent("a", 1)}); !errors.Is(errs[0], context.Canceled) {
		t.Errorf("Send: %v, want %v", errs[0], context.Canceled)
	}
	if err := newAdmin(t, c).Check(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Check: %v, want %v", err, context.Canceled)
	}
}

func testClosed(t *testing.T, server Server) {
	c := topics(t, server)
	producer := newProducer(t, c)
	send(t, producer, c.Topic, newEvent("a", 1))
	producer.Close()
	producer.Close()
	if errs := producer.Send(deadline(t), c.Topic, []cloudevent.Event{newEvent("a", 2)}); errs[0] == nil {
		t.Error("Send after Close succeeds")
	}
}

func testMissingTopic(t *testing.T, server Server) {
	c := config(server)
	producer, admin := newProducer(t, c), newAdmin(t, c)
	errs := producer.Send(deadline(t), c.Topic, []cloudevent.Event{newEvent("a", 1)})
	if errs[0] == nil || errors.Is(errs[0], record.ErrRefused) {
		t.Errorf("Send: %v, want an error that may pass", errs[0])
	}
	if err := admin.Check(deadline(t)); err == nil {
		t.Error("Check finds nothing wrong")
	}
	records := make(chan record.Record)
	consume(t, c, "g-"+c.Topic, 1, into(records))
	if err := admin.EnsureTopics(deadline(t), partitions, 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		return errors.Join(producer.Send(deadline(t), c.Topic, []cloudevent.Event{newEvent("a", 2)})...)
	})
	if _, n := nth(t, next(t, records)); n != 2 {
		t.Errorf("event %d came, want 2", n)
	}
	eventually(t, func() error { return admin.Check(deadline(t)) })
}

func testEnsureTopics(t *testing.T, server Server) {
	c := topics(t, server)
	admin := newAdmin(t, c)
	if err := admin.EnsureTopics(deadline(t), partitions+3, 1); err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{c.Topic, c.DeadLetterTopic} {
		one := c
		one.Topic = topic
		reader := newAdmin(t, one)
		var lag map[int32]int64
		eventually(t, func() (err error) { // a new partition's leader may not know yet that it is
			lag, err = reader.Lag(deadline(t), "no-such-group")
			return err
		})
		if len(lag) != partitions {
			t.Errorf("topic %s has %d partitions, want the %d of the first call", topic, len(lag), partitions)
		}
	}
	if err := admin.EnsureTopics(deadline(t), 0, 1); err != nil {
		t.Errorf("topics that exist: %v", err)
	}
}

func testRestart(t *testing.T, server Server) {
	c := topics(t, server)
	producer := newProducer(t, c)
	records := make(chan record.Record, 1000)
	consume(t, c, "g-"+c.Topic, 1, into(records))
	for n := 1; n <= 20; n++ {
		send(t, producer, c.Topic, newEvent("order-1", n))
	}
	for want := 1; want <= 20; want++ {
		if _, n := nth(t, next(t, records)); n != want {
			t.Fatalf("event %d came, want %d", n, want)
		}
	}
	server.Restart(t)
	for n := 21; n <= 40; n++ {
		eventually(t, func() error {
			return errors.Join(producer.Send(deadline(t), c.Topic, []cloudevent.Event{newEvent("order-1", n)})...)
		})
	}
	last := 20 // duplicates are allowed, gaps are not
	for last < 40 {
		_, n := nth(t, next(t, records))
		if n > last+1 {
			t.Fatalf("event %d came after %d", n, last)
		}
		last = max(last, n)
	}
	eventually(t, func() error { return newAdmin(t, c).Check(deadline(t)) })
}

// eventually repeats f until it succeeds.
func eventually(t *testing.T, f func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	ctx := deadline(t)
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("still: %v", err)
		}
	}
}
