package deadletter_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/internal/bus"
	"orderbell/internal/bus/record"
	"orderbell/internal/dev/embedded"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	contract "orderbell/internal/event/deadletter"
	"orderbell/internal/order"
)

const patience = 5 * time.Minute

// testBundle is an office over a Kafka of its own.
type testBundle struct {
	deadletter.Office

	ctx      context.Context //nolint:containedctx // of one test
	producer *bus.Producer
	brokers  []string
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	kafka, err := embedded.StartKafka(embedded.KafkaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Stop)
	c := bus.Config{Brokers: []string{kafka.Brokers()}, Topic: "orders.events", DeadLetterTopic: "orders.dead-letters"}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	admin, err := bus.NewAdmin(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	if err := admin.EnsureTopics(ctx, 3, 1); err != nil {
		t.Fatal(err)
	}
	reader, err := bus.NewReader(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reader.Close)
	producer, err := bus.NewProducer(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	return &testBundle{
		Office: deadletter.Office{
			Topics: deadletter.Topics{Events: c.Topic, DeadLetters: c.DeadLetterTopic}, Reader: reader, Bus: producer, Sources: sources{},
		},
		ctx: ctx, producer: producer, brokers: c.Brokers,
	}
}

func (b *testBundle) send(t *testing.T, topic string, events ...cloudevent.Event) {
	t.Helper()
	for _, err := range b.producer.Send(b.ctx, topic, events) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// bury adds letters to the topic, and returns them as listed.
func (b *testBundle) bury(t *testing.T, letters ...cloudevent.Event) []deadletter.Letter {
	t.Helper()
	var buried []deadletter.Letter
	known := map[string]bool{}
	for _, l := range b.list(t, deadletter.Filter{}) {
		known[l.ID] = true
	}
	for _, letter := range letters {
		b.send(t, b.Topics.DeadLetters, letter)
		for _, l := range b.list(t, deadletter.Filter{}) {
			if !known[l.ID] {
				known[l.ID] = true
				buried = append(buried, l)
			}
		}
	}
	return buried
}

func (b *testBundle) list(t *testing.T, f deadletter.Filter) []deadletter.Letter {
	t.Helper()
	letters, err := b.List(b.ctx, f)
	if err != nil {
		t.Fatal(err)
	}
	return letters
}

func (b *testBundle) redrive(t *testing.T, c deadletter.Choice) deadletter.Result {
	t.Helper()
	result, err := b.Redrive(b.ctx, c, false)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// events returns what is on the topic of events now.
func (b *testBundle) events(t *testing.T) []string {
	t.Helper()
	spans, err := b.Reader.Spans(b.ctx, b.Topics.Events, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	if err := b.Reader.Read(b.ctx, b.Topics.Events, spans, func(r record.Record) error {
		events = append(events, string(r.Key)+"\n"+r.Event.String())
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return events
}

func newEvent(t *testing.T, tenant string) cloudevent.Event {
	t.Helper()
	at := time.Now().UTC()
	ce, err := cloudevent.New(event.Event{
		ID: uuid.Must(uuid.NewV7()).String(), Source: event.Source, Type: event.OrderPaid, Time: at,
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		Data: event.Data{
			OrderID: uuid.NewString(), TenantID: tenant, Status: order.Paid, TotalAmount: 125000, Currency: "IDR", Version: 2, Timestamp: at,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return ce
}

func refused(e cloudevent.Event, reason string) cloudevent.Event {
	return contract.Failure{
		Dest: "http://order-paid/", Status: 400, Header: map[string][]string{"Kne-Reason": {reason}}, Body: []byte(`{"detail": "x"}`),
	}.DeadLetter(e)
}

func ids(letters []deadletter.Letter) []string {
	list := make([]string, len(letters))
	for i, l := range letters {
		list[i] = l.ID
	}
	return list
}

func TestList(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if got := b.list(t, deadletter.Filter{}); len(got) != 0 {
		t.Errorf("an empty topic has %v", got)
	}
	first, second, third := newEvent(t, "demo"), newEvent(t, "kopi"), newEvent(t, "demo")
	answered := contract.Failure{Dest: "http://order-paid/", Status: 503, Body: []byte(`{"detail": "no database"}`)}
	silent := contract.Failure{Dest: "http://order-paid/"}
	all := b.bury(t, refused(first, "time is too far ahead"), answered.DeadLetter(second), silent.DeadLetter(third))
	type line struct{ Event, Tenant, Type, Subject, Status, Reason, Obstacle string }
	var got []line
	for _, l := range all {
		got = append(got, line{l.EventID, l.TenantID, l.Type, l.Subject, l.Status, l.Reason, l.Obstacle})
		if l.BuriedAt.Before(time.Now().Add(-patience)) || l.RedrivenAt != nil {
			t.Errorf("letter %s was buried at %s and redriven at %s", l.ID, l.BuriedAt, l.RedrivenAt)
		}
	}
	want := []line{
		{first.ID(), "demo", "order_paid", first.Subject(), "400", "time is too far ahead", ""},
		{second.ID(), "kopi", "order_paid", second.Subject(), "503", "no database", ""},
		{third.ID(), "demo", "order_paid", third.Subject(), "", "the subscriber did not answer", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	b.redrive(t, deadletter.Choice{IDs: []string{all[0].ID}})
	for name, test := range map[string]struct {
		filter deadletter.Filter
		want   []deadletter.Letter
	}{
		"a tenant's":         {deadletter.Filter{TenantID: "demo"}, []deadletter.Letter{all[0], all[2]}},
		"a reason's":         {deadletter.Filter{Reason: "DATABASE"}, all[1:2]},
		"the open":           {deadletter.Filter{Open: true}, all[1:]},
		"those since a time": {deadletter.Filter{Since: all[1].BuriedAt.Add(time.Millisecond)}, all[2:]},
		"those of the future": {
			deadletter.Filter{Since: time.Now().Add(time.Hour)}, nil,
		},
	} {
		if diff := cmp.Diff(ids(test.want), ids(b.list(t, test.filter))); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestShow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	e := newEvent(t, "demo")
	all := b.bury(t, refused(e, "no"), refused(newEvent(t, "demo"), "no"), refused(e, "again"))
	for id, want := range map[string][]string{all[0].ID: {"no"}, e.ID(): {"no", "again"}} {
		shown, err := b.Show(b.ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		var reasons []string
		for _, x := range shown {
			reasons = append(reasons, x.Reason)
			if x.Data != string(e.Data()) || x.Answer != `{"detail": "x"}` || x.Time != e.Time().Format(time.RFC3339Nano) || x.Extensions["tenantid"] != "demo" {
				t.Errorf("%s shows %+v", id, x)
			}
		}
		if diff := cmp.Diff(want, reasons); diff != "" {
			t.Error(diff)
		}
	}
	if _, err := b.Show(b.ctx, "9-9"); err == nil || err.Error() != "there is no dead letter 9-9: orderbell deadletter list shows the ids" {
		t.Errorf("a letter that is not there: %v", err)
	}
	garbled := newEvent(t, "demo")
	garbled.DataEncoded = []byte("\xff")
	at := b.bury(t, refused(garbled, "no"))[0]
	shown, err := b.Show(b.ctx, at.ID)
	if err != nil || string(shown[0].DataBase64) != "\xff" || shown[0].Data != "" {
		t.Errorf("data that is not text: %+v, %v", shown, err)
	}
}
