package bus_test

import (
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	kafka "github.com/cloudevents/sdk-go/protocol/kafka_sarama/v2"
	"github.com/cloudevents/sdk-go/v2/binding"

	"orderbell/internal/bus"
	"orderbell/internal/bus/record"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
)

// message returns the message with headers "name: value", one a line.
func message(key, headers string, value []byte) *sarama.ConsumerMessage {
	m := &sarama.ConsumerMessage{
		Topic: "orders.events", Partition: 3, Offset: 7, Timestamp: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC),
		Key: []byte(key), Value: value,
	}
	for line := range strings.SplitSeq(headers, "\n") {
		name, text, _ := strings.Cut(line, ": ")
		m.Headers = append(m.Headers, &sarama.RecordHeader{Key: []byte(name), Value: []byte(text)})
	}
	return m
}

// onTopic writes e as a producer does, and reads it as a consumer.
func onTopic(t *testing.T, e cloudevent.Event) record.Record {
	t.Helper()
	out := &sarama.ProducerMessage{Topic: "orders.dead-letters"}
	if err := kafka.WriteProducerMessage(t.Context(), (*binding.EventMessage)(&e), out); err != nil {
		t.Fatalf("a dead letter that cannot be written: %v\n%s", err, e)
	}
	in := &sarama.ConsumerMessage{Topic: out.Topic, Timestamp: time.Now()}
	if out.Value != nil {
		value, err := out.Value.Encode()
		if err != nil {
			t.Fatal(err)
		}
		in.Value = value
	}
	for _, h := range out.Headers {
		in.Headers = append(in.Headers, &h)
	}
	return bus.ReadMessage(t.Context(), in)
}

// FuzzMessage reads any message of a topic. No message is lost: it is an event, or becomes a dead letter
// that can be written, read again, and has its bytes.
func FuzzMessage(f *testing.F) {
	const binary = "ce_specversion: 1.0\nce_type: order_paid\nce_id: 1\nce_source: /x\ncontent-type: application/json"
	f.Add("order-1", binary, []byte(`{"a":1}`))
	f.Add("order-1", binary+"\nce_time: never\nce_käse: x\nce_: y", []byte(`{}`))
	f.Add("", "content-type: application/cloudevents+json", []byte(`{"specversion":"1.0","id":"1","type":"t","source":"/s","data":[]}`))
	f.Add("\xff", "content-type: application/cloudevents+json; charset=\x00", []byte(`{"specversion":"1.0"`))
	f.Add("k", "Content-Type: text/plain\nx-\r: \xff\nX-: 1\nx-: 2", []byte("garbage"))
	f.Add("0", "Content-tYpe: 0 0", []byte("0"))
	f.Add("", "", []byte(nil))
	f.Add("k", "ce_specversion: 0.3\nce_id: \x00", []byte("x"))
	f.Fuzz(func(t *testing.T, key, headers string, value []byte) {
		r := bus.ReadMessage(t.Context(), message(key, headers, value))
		if string(r.Value) != string(value) || string(r.Key) != key {
			t.Errorf("key %q and value %q became %q and %q", key, value, r.Key, r.Value)
		}
		letter := r.Event
		if r.Err != nil {
			letter = r.Wrap("/apis/test")
		} else if err := letter.Validate(); err != nil {
			t.Fatalf("not an event: %v", err)
		}
		letter = deadletter.Failure{
			Dest: "http://order-paid", Status: 400, Header: map[string][]string{"Kne-Reason": {headers}}, Body: value,
		}.DeadLetter(letter)
		if err := letter.Validate(); err != nil {
			t.Fatalf("a dead letter that is not an event: %v\n%s", err, letter)
		}
		back := onTopic(t, letter)
		if back.Err != nil {
			t.Fatalf("a dead letter that cannot be read: %v\n%s", back.Err, letter)
		}
		if string(back.Event.Data()) != string(letter.Data()) || back.Event.ID() != letter.ID() {
			t.Errorf("dead letter %s came back as %s", letter, back.Event)
		}
	})
}
