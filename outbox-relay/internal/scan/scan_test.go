package scan_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/metric/noop"

	"orderbell/internal/bus/record"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
	"orderbell/outbox-relay/internal/scan"
)

// producer keeps what it is sent, and answers with the next of errs.
type producer struct {
	sent []cloudevent.Event
	errs []error
}

func (p *producer) Send(_ context.Context, topic string, events []cloudevent.Event) []error {
	if topic != "dead" {
		return []error{errors.New("the wrong topic")}
	}
	p.sent = append(p.sent, events...)
	err := error(nil)
	if len(p.errs) > 0 {
		err, p.errs = p.errs[0], p.errs[1:]
	}
	return []error{err}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	garbage := record.Record{Topic: "events", Partition: 3, Offset: 42, Value: []byte("garbage"), Err: errors.New("no CloudEvent")}
	known, unknown := cloudevent.Empty(), cloudevent.Empty()
	known.SetType("order_paid")
	unknown.SetID("partition:3/offset:42") // as the others are called
	unknown.SetType("order_shipped")
	away := errors.New("Kafka is down")
	for name, test := range map[string]struct {
		record record.Record
		errs   []error
		want   error
		data   []string // of the letters that were sent
	}{
		"an event of a known type is left alone":                            {record: record.Record{Event: known}},
		"one of an unknown type becomes a dead letter":                      {record: record.Record{Partition: 3, Offset: 42, Event: unknown}, data: []string{""}},
		"any other record becomes a dead letter":                            {record: garbage, data: []string{"garbage"}},
		"a letter that Kafka did not take is tried again":                   {record: garbage, errs: []error{away}, want: away, data: []string{"garbage"}},
		"a record that is too large becomes a dead letter without its data": {record: garbage, errs: []error{record.ErrRefused}, data: []string{"garbage", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &producer{errs: test.errs}
			s, err := scan.New("dead", p, slog.New(slog.DiscardHandler), noop.Meter{})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Check(t.Context(), test.record); !errors.Is(err, test.want) {
				t.Errorf("Check = %v, want %v", err, test.want)
			}
			var data []string
			for _, e := range p.sent {
				data = append(data, string(e.Data()))
				if e.ID() != "partition:3/offset:42" || deadletter.Reason(e) == "" || e.Extensions()["knativekafkaoffset"] != "42" {
					t.Errorf("the letter is %s", e)
				}
			}
			if diff := cmp.Diff(test.data, data); diff != "" {
				t.Errorf("letters sent (-want +got):\n%s", diff)
			}
		})
	}
}
