package main_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/IBM/sarama"
	kafka "github.com/cloudevents/sdk-go/protocol/kafka_sarama/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/internal/bus"
	"orderbell/internal/dev/waittest"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	contract "orderbell/internal/event/deadletter"
	"orderbell/internal/order"
)

// payment returns an order_paid of demo for the order.
func payment(t *testing.T, id, orderID string, at time.Time, amount int64) cloudevent.Event {
	t.Helper()
	ce, err := cloudevent.New(event.Event{
		ID: id, Source: "/orderbell/test", Type: event.OrderPaid, Time: at,
		Data: event.Data{
			OrderID: orderID, TenantID: "demo", Status: order.Paid, TotalAmount: amount, Currency: "EUR", Version: 2, Timestamp: at,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return ce
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// letters lists dead letters with the command line of the running stack.
func letters(t *testing.T, data string, args ...string) []deadletter.Letter {
	t.Helper()
	stdout, stderr, status := run(t, nil, append([]string{"deadletter", "list", "--json", "--data", data}, args...)...)
	var found []deadletter.Letter
	if err := json.Unmarshal([]byte(stdout), &found); err != nil || status != 0 {
		t.Fatalf("deadletter list: %d %s%s", status, stdout, stderr)
	}
	return found
}

// TestDeadLetters sends invalid events through the real broker, functions and stores, and redrives what can be redriven.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "dev")
	d := startDev(t, data)
	db := d.database(t)
	// The rows of an event: its records, notifications and mails.
	trail := func(id string) (n [3]int) {
		t.Helper()
		if err := db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM event_records WHERE event_id = $1),
			(SELECT count(*) FROM notifications WHERE event_id = $1), (SELECT count(*) FROM email_deliveries WHERE event_id = $1)`, id).
			Scan(&n[0], &n[1], &n[2]); err != nil {
			t.Fatal(err)
		}
		return n
	}
	nothing, once := [3]int{}, [3]int{1, 3, 3} // owner, manager and cashier

	// The order service of the events.
	call(t, nil, "source", "allow", "/orderbell/test", "--tenant", "demo", "--data", data)
	// All are of one order, so that they lie in one partition, one after the other.
	orderID, now := newID(), time.Now().UTC()
	early := payment(t, newID(), orderID, now.Add(event.MaxSkew+8*time.Second), 1) // its time comes
	late := payment(t, newID(), orderID, now.AddDate(-1, 0, 0), 1)
	foreign := payment(t, newID(), orderID, now, 1)
	foreign.SetExtension(cloudevent.ExtTenantID, "kopi")
	good := payment(t, newID(), orderID, now, 1)
	changed := payment(t, good.ID(), orderID, now, 2)
	last := payment(t, newID(), orderID, now, 1)
	producer, err := bus.NewProducer(bus.Config{Brokers: strings.Split(d.state.Brokers, ",")})
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	publish := func(events ...cloudevent.Event) {
		t.Helper()
		for _, err := range producer.Send(t.Context(), "orders.events", events) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	publishGarbage(t, d, orderID)
	publish(early, late, foreign, good)
	waittest.Until(t, "the good event after the bad ones is applied", func() bool { return trail(good.ID()) == once })
	publish(changed, last)
	waittest.Until(t, "the last event is applied", func() bool { return trail(last.ID()) == once })

	waittest.Until(t, "the bad events are dead letters", func() bool { return len(letters(t, data)) >= 5 })
	reasons := map[string]string{}
	for _, l := range letters(t, data) {
		reason, _, _ := strings.Cut(l.Reason, ",")
		reasons[l.EventID] = strings.NewReplacer(early.Time().Format(time.RFC3339), "TIME", late.Time().Format(time.RFC3339), "TIME").Replace(reason)
	}
	garbage := ""
	for id := range reasons {
		if strings.HasPrefix(id, "partition:") {
			garbage = id
		}
	}
	oldest := now.Truncate(24*time.Hour).AddDate(0, 0, -45).Format(time.DateOnly)
	want := map[string]string{
		garbage:      "not a CloudEvent: unknown Message encoding",
		early.ID():   reasons[early.ID()],
		late.ID():    "invalid event: time TIME is before " + oldest,
		foreign.ID(): `invalid event: tenantid is "kopi"`,
		good.ID():    "invalid event: id was used before with another type",
	}
	if !strings.HasPrefix(reasons[early.ID()], "invalid event: time TIME is more than an hour ahead of ") {
		t.Errorf("the event of the future: %s", reasons[early.ID()])
	}
	if diff := cmp.Diff(want, reasons); diff != "" {
		t.Fatal(diff)
	}
	if got := trail(early.ID()); got != nothing {
		t.Errorf("the event of the future has %v", got)
	}
	stdout, _, status := run(t, nil, "deadletter", "show", "--data", data, early.ID())
	for _, part := range []string{"is more than an hour ahead of", "status 400 ", " tenantid demo ", `"order_id":"` + orderID} {
		if status != 0 || !strings.Contains(strings.Join(strings.Fields(stdout), " "), part) {
			t.Errorf("show: status %d, no %q in\n%s", status, part, stdout)
		}
	}

	// The event is redriven after its time has come, and is applied.
	waittest.Until(t, "its time has come", func() bool { return time.Now().Add(event.MaxSkew).After(early.Time()) })
	stdout, stderr, status := run(t, nil, "deadletter", "redrive", "--data", data, "--all", "--dry-run")
	if status != 0 || !strings.Contains(stdout, "3 to be redriven, 2 refused") || trail(early.ID()) != nothing {
		t.Errorf("dry run: status %d\n%s%s", status, stdout, stderr)
	}
	stdout, stderr, status = run(t, nil, "deadletter", "redrive", "--data", data, early.ID())
	if status != 0 || !strings.Contains(stdout, "1 redriven, 0 refused") {
		t.Errorf("redrive: status %d\n%s%s", status, stdout, stderr)
	}
	waittest.Until(t, "the redriven event is applied", func() bool { return trail(early.ID()) == once })
	if got := letters(t, data, "--open"); len(got) != 4 {
		t.Errorf("%d letters are open, want 4", len(got))
	}
	// A second redrive of its letter changes nothing. A marker event of the same order shows when it was handled.
	for _, l := range letters(t, data) {
		if l.EventID == early.ID() {
			if _, stderr, status := run(t, nil, "deadletter", "redrive", "--data", data, l.ID); status != 0 {
				t.Errorf("redrive of letter %s: %s", l.ID, stderr)
			}
		}
	}
	marker := payment(t, newID(), orderID, now, 1)
	publish(marker)
	waittest.Until(t, "the marker is applied", func() bool { return trail(marker.ID()) == once })
	if got := trail(early.ID()); got != once {
		t.Errorf("after two redrives the event has %v", got)
	}

	// An event of an outage is redriven without a command.
	missed := payment(t, newID(), orderID, now, 1)
	bury(t, d, deadLetterOf(missed, http.StatusServiceUnavailable), now.Add(-10*time.Minute))
	waittest.Until(t, "the event of an outage is applied", func() bool { return trail(missed.ID()) == once })

	// A letter that cannot be redriven is refused with its reason, and the others become new letters.
	if _, stderr, status := run(t, nil, "deadletter", "redrive", "--data", data, garbage); status != 1 || !strings.Contains(stderr, "1 of 1 dead letters were refused") {
		t.Errorf("redrive of garbage: status %d, %s", status, stderr)
	}
	if _, stderr, status := run(t, nil, "deadletter", "redrive", "--data", data, "--all", "--json"); status != 0 {
		t.Errorf("redrive --all: %s", stderr)
	}
	waittest.Until(t, "the conflict and the late event are dead letters again", func() bool { return len(letters(t, data, "--open")) == 4 })
	if got := letters(t, data); len(got) != 8 {
		t.Errorf("%d letters, want the first 5, one of an outage and 2 that came back", len(got))
	}
	if status := d.stop(t, syscall.SIGTERM); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

// publishGarbage puts a message that is not an event on the topic, with the order's key.
func publishGarbage(t *testing.T, d *dev, key string) {
	t.Helper()
	sendRaw(t, d, &sarama.ProducerMessage{Topic: "orders.events", Key: sarama.StringEncoder(key), Value: sarama.StringEncoder("garbage")})
}

func sendRaw(t *testing.T, d *dev, message *sarama.ProducerMessage) {
	t.Helper()
	settings := sarama.NewConfig()
	settings.Producer.Return.Successes = true
	producer, err := sarama.NewSyncProducer(strings.Split(d.state.Brokers, ","), settings)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = producer.Close() }()
	if _, _, err := producer.SendMessage(message); err != nil {
		t.Fatal(err)
	}
}

// bury writes a dead letter of the time at.
func bury(t *testing.T, d *dev, letter cloudevent.Event, at time.Time) {
	t.Helper()
	message := &sarama.ProducerMessage{Topic: "orders.dead-letters", Timestamp: at}
	if err := kafka.WriteProducerMessage(t.Context(), binding.ToMessage(&letter), message); err != nil {
		t.Fatal(err)
	}
	sendRaw(t, d, message)
}

func deadLetterOf(e cloudevent.Event, status int) cloudevent.Event {
	return contract.Failure{Dest: "http://order-paid/", Status: status}.DeadLetter(e)
}

func TestDeadLetterUsage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"no subcommand":                  {[]string{"deadletter"}, 2, "missing subcommand: use one of close, list, redrive, show"},
		"nothing to redrive":             {[]string{"deadletter", "redrive"}, 2, "give the ids of dead letters, or --all, or --auto"},
		"ids and all":                    {[]string{"deadletter", "redrive", "1-2", "--all"}, 2, "give the ids of dead letters, or --all, or --auto"},
		"a filter without all":           {[]string{"deadletter", "redrive", "1-2", "--tenant", "demo"}, 2, "leave them out if you give ids"},
		"a since that is no time":        {[]string{"deadletter", "list", "--since", "yesterday"}, 2, "must be a duration"},
		"a since in the future":          {[]string{"deadletter", "list", "--since", "-1h"}, 2, "must be a duration"},
		"no stack and no Kafka":          {[]string{"deadletter", "list"}, 1, "start it, or set KAFKA_BROKERS"},
		"no argument to show":            {[]string{"deadletter", "show"}, 2, "an argument is missing: write orderbell deadletter show ID"},
		"a Kafka that cannot be reached": {[]string{"deadletter", "list"}, 1, "available brokers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var env []string
			if test.want == "available brokers" {
				env = []string{"KAFKA_BROKERS=127.0.0.1:1"}
			}
			if _, stderr, status := run(t, env, test.args...); status != test.status || !strings.Contains(stderr, test.want) {
				t.Errorf("status %d, %q, want %d and %q", status, stderr, test.status, test.want)
			}
		})
	}
}
