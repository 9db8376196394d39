package deadletter_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/internal/bus/record"
	"orderbell/internal/event/cloudevent"
	contract "orderbell/internal/event/deadletter"
)

func TestRedrive(t *testing.T) {
	t.Parallel()

	t.Run("an event is sent unchanged, and its letter is closed", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		e := newEvent(t, "demo")
		e.SetExtension("theirs", "stays")
		e.DataEncoded = append([]byte("  "), e.DataEncoded...) // its bytes count, not its meaning
		letter := refused(e, "no")
		letter.SetExtension("knativearrivaltime", "2026-11-24T10:00:00Z")
		at := b.bury(t, letter)[0]
		dry, err := b.Redrive(b.ctx, deadletter.Choice{}, true)
		if err != nil || len(dry.Redriven) != 1 || !dry.DryRun || len(b.events(t)) != 0 {
			t.Errorf("a dry run: %+v, %v, %d events", dry, err, len(b.events(t)))
		}
		result := b.redrive(t, deadletter.Choice{})
		if diff := cmp.Diff([]string{at.ID}, ids(result.Redriven)); diff != "" || len(result.Refused) > 0 {
			t.Errorf("redriven: %s, refused: %v", diff, result.Refused)
		}
		if diff := cmp.Diff([]string{e.Subject() + "\n" + e.String()}, b.events(t)); diff != "" {
			t.Error(diff)
		}
		if got := b.list(t, deadletter.Filter{}); len(got) != 1 || got[0].RedrivenAt == nil {
			t.Errorf("the list has %+v, want the letter with the time of its redrive", got)
		}
		if again := b.redrive(t, deadletter.Choice{}); len(again.Redriven) != 0 || len(b.events(t)) != 1 {
			t.Errorf("all again: %+v", again)
		}
		if _, err := b.Redrive(b.ctx, deadletter.Choice{IDs: []string{e.ID()}}, false); err == nil || !strings.Contains(err.Error(), "was redriven at") {
			t.Errorf("a closed event by its id: %v", err)
		}
		b.redrive(t, deadletter.Choice{IDs: []string{at.ID}}) // a letter that is named is sent again
		if got := len(b.events(t)); got != 2 {
			t.Errorf("%d events, want 2", got)
		}
	})

	t.Run("an amount such as 1250.0 is not an obstacle", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		e := newEvent(t, "demo")
		e.DataEncoded = bytes.Replace(e.Data(), []byte("125000"), []byte("1250.0"), 1)
		b.bury(t, refused(e, "invalid event: data.total_amount is a JSON number 1250.0, want int64")) // as a release before had it
		result := b.redrive(t, deadletter.Choice{})
		if len(result.Redriven) != 1 || len(result.Refused) > 0 {
			t.Fatalf("%+v", result)
		}
		if diff := cmp.Diff([]string{e.Subject() + "\n" + e.String()}, b.events(t)); diff != "" || !strings.Contains(e.String(), "1250.0") {
			t.Error(diff)
		}
	})

	t.Run("a letter that cannot be redriven stays, with its obstacle", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		stranger := newEvent(t, "demo")
		stranger.SetType("invoice_paid")
		wrapped := record.Record{Topic: "orders.events", Partition: 1, Offset: 7, Value: []byte("?"), Err: errors.New("not a CloudEvent"), Time: time.Now()}
		good := newEvent(t, "demo")
		all := b.bury(t, refused(stranger, "no"), wrapped.Wrap("/orderbell/local-broker"), refused(good, "no"))
		result := b.redrive(t, deadletter.Choice{})
		if diff := cmp.Diff(ids(all[:2]), ids(result.Refused)); diff != "" {
			t.Error(diff)
		}
		for _, l := range result.Refused {
			if !strings.Contains(l.Obstacle, "invalid event: ") {
				t.Errorf("obstacle %q", l.Obstacle)
			}
		}
		if diff := cmp.Diff(ids(all[2:]), ids(result.Redriven)); diff != "" || len(b.events(t)) != 1 {
			t.Error(diff)
		}
		if got := b.list(t, deadletter.Filter{Open: true}); len(got) != 2 {
			t.Errorf("%d letters are open, want 2", len(got))
		}
	})

	t.Run("an event with two letters is sent once, and another event of its id too", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		e, other := newEvent(t, "demo"), newEvent(t, "demo")
		other.SetID(e.ID())
		b.bury(t, refused(e, "no"), refused(e, "still no"), refused(other, "another payload"))
		result := b.redrive(t, deadletter.Choice{IDs: []string{e.ID()}})
		if len(result.Redriven) != 3 || len(b.events(t)) != 2 {
			t.Errorf("%d letters are closed by %d events, want 3 by 2", len(result.Redriven), len(b.events(t)))
		}
	})

	t.Run("a filter chooses", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		all := b.bury(t, refused(newEvent(t, "demo"), "no"), refused(newEvent(t, "kopi"), "no"), refused(newEvent(t, "kopi"), "never"))
		result := b.redrive(t, deadletter.Choice{Filter: deadletter.Filter{TenantID: "kopi", Reason: "never"}})
		if diff := cmp.Diff(ids(all[2:]), ids(result.Redriven)); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("an id that names nothing changes nothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		at := b.bury(t, refused(newEvent(t, "demo"), "no"))[0]
		_, err := b.Redrive(b.ctx, deadletter.Choice{IDs: []string{at.ID, "nobody"}}, false)
		if err == nil || err.Error() != "there is no dead letter nobody: orderbell deadletter list shows the ids" || len(b.events(t)) != 0 {
			t.Errorf("%v, %d events", err, len(b.events(t)))
		}
	})

	t.Run("many letters are sent in batches, in order", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		const many = 1234
		order := newEvent(t, "demo")
		letters := make([]cloudevent.Event, many)
		for i := range letters {
			letters[i] = order.Clone()
			letters[i].SetID(uuid.Must(uuid.NewV7()).String())
			letters[i] = refused(letters[i], fmt.Sprint(i))
		}
		b.send(t, b.Topics.DeadLetters, letters...)
		if result := b.redrive(t, deadletter.Choice{}); len(result.Redriven) != many {
			t.Errorf("%d were redriven, want %d", len(result.Redriven), many)
		}
		var want []string
		for _, l := range letters {
			e := contract.Redrive(l)
			want = append(want, e.Subject()+"\n"+e.String())
		}
		if diff := cmp.Diff(want, b.events(t)); diff != "" {
			t.Error(diff)
		}
		if got := b.list(t, deadletter.Filter{Open: true}); len(got) != 0 {
			t.Errorf("%d are open still", len(got))
		}
	})

	t.Run("a letter that Kafka does not accept stays open, and is sent the next time", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.bury(t, refused(newEvent(t, "demo"), "no"), refused(newEvent(t, "demo"), "no"))
		b.Bus = &flaky{Bus: b.producer, fail: map[int]bool{0: true}}
		result, err := b.Redrive(b.ctx, deadletter.Choice{}, false)
		if !errors.Is(err, errMood) || len(result.Redriven) != 1 {
			t.Errorf("%+v, %v", result, err)
		}
		if got := b.list(t, deadletter.Filter{Open: true}); len(got) != 1 || len(b.events(t)) != 1 {
			t.Errorf("%d are open and %d gone, want 1 and 1", len(got), len(b.events(t)))
		}
		b.Bus = b.producer
		b.redrive(t, deadletter.Choice{})
		if got := b.list(t, deadletter.Filter{Open: true}); len(got) != 0 || len(b.events(t)) != 2 {
			t.Errorf("%d are open and %d gone, want none and 2", len(got), len(b.events(t)))
		}
	})
}

var errMood = errors.New("not now")

// flaky is a bus that fails for some events of its first batch.
type flaky struct {
	deadletter.Bus
	fail map[int]bool
}

func (m *flaky) Send(ctx context.Context, topic string, events []cloudevent.Event) []error {
	errs := make([]error, len(events))
	for i := range events {
		if m.fail[i] {
			errs[i] = errMood
			continue
		}
		errs[i] = m.Bus.Send(ctx, topic, events[i:i+1])[0]
	}
	m.fail = nil
	return errs
}

// sources allows /own for demo alone.
type sources struct{}

func (sources) SourceAllowed(_ context.Context, source, tenantID string) (bool, error) {
	return source == "/own" && tenantID == "demo", nil
}

func TestRedriveAsksForWhomASourceMaySpeak(t *testing.T) {
	t.Parallel()
	b := setup(t)
	of := func(source, tenant string) cloudevent.Event {
		e := newEvent(t, tenant)
		e.SetSource(source)
		return refused(e, "no")
	}
	all := b.bury(t, of("/own", "demo"), of("/own", "kopi"), of("/orderbell/order-api", "kopi"))
	for _, dryRun := range []bool{true, false} {
		result, err := b.Redrive(b.ctx, deadletter.Choice{}, dryRun)
		if err != nil {
			t.Fatal(err)
		}
		got, want := ids(result.Redriven), []string{all[0].ID, all[2].ID} // of two partitions, in any order
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("dry run %v: %s", dryRun, diff)
		}
		if len(result.Refused) != 1 || !strings.Contains(result.Refused[0].Obstacle, `"/own" may not send events for tenant "kopi"`) {
			t.Errorf("dry run %v: refused %+v", dryRun, result.Refused)
		}
	}
}

func TestALetterIsClosed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	all := b.bury(t, refused(newEvent(t, "demo"), "no"), refused(newEvent(t, "demo"), "no"))
	closed, err := b.Close(b.ctx, deadletter.Choice{IDs: []string{all[0].EventID}}, "operator:ana", "it can never be applied")
	if err != nil || len(closed) != 1 {
		t.Fatalf("closed %v, %v", closed, err)
	}
	if diff := cmp.Diff(ids(all[1:]), ids(b.list(t, deadletter.Filter{Open: true}))); diff != "" {
		t.Error(diff)
	}
	if l := b.list(t, deadletter.Filter{})[0]; l.ClosedBy != "operator:ana" || l.ClosedFor != "it can never be applied" || l.ClosedAt == nil {
		t.Errorf("the closed letter is %+v", l)
	}
	if diff := cmp.Diff(ids(all[1:]), ids(b.redrive(t, deadletter.Choice{}).Redriven)); diff != "" {
		t.Errorf("redrive of all: %s", diff)
	}
	if again, err := b.Close(b.ctx, deadletter.Choice{IDs: ids(all)}, "operator:bo", "x"); err != nil || len(again) != 0 {
		t.Errorf("closed again: %v, %v", again, err)
	}
}

func TestOneRecordIsOneLetter(t *testing.T) {
	t.Parallel()
	b := setup(t)
	e := newEvent(t, "demo")
	at := func(offset string) cloudevent.Event {
		letter := refused(e, "no")
		letter.SetExtension(contract.ExtPartition, "3")
		letter.SetExtension(contract.ExtOffset, offset)
		return letter
	}
	all := b.bury(t, at("41"), at("41"), at("42"))
	if all[0].Record != "3-41" || all[0].SameAs != "" || all[1].SameAs != all[0].ID || all[2].SameAs != "" {
		t.Errorf("letters %+v", all)
	}
	if diff := cmp.Diff([]string{all[0].ID, all[2].ID}, ids(b.list(t, deadletter.Filter{Open: true}))); diff != "" {
		t.Error(diff)
	}
}
