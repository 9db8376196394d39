package delivery_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"orderbell/functions/internal/mail/delivery"
	"orderbell/internal/mail"
)

// TestServerThatRefusesUs uses a server that rejects all our mail, whatever the recipient.
func TestServerThatRefusesUs(t *testing.T) {
	t.Parallel()
	t.Run("a few mails test it with each sweep, no attempt is counted, and all are sent when it is repaired", func(t *testing.T) {
		t.Parallel()
		cfg := config()
		cfg.MaxAttempts = 2
		b := setup(t, cfg)
		for range 20 {
			b.due(t, "order")
		}
		b.send = holding
		for range 5 {
			got, err := b.sweep(t)
			if err != nil || got.Held < 3 || got.Held > 3+4 || got.Failed+got.Retried+got.Sent != 0 {
				t.Errorf("got %+v, %v", got, err)
			}
			b.makeDue()
		}
		for state := range b.rows() {
			if !strings.HasPrefix(state, "due ") {
				t.Errorf("a mail is %s", state)
			}
		}
		if lines := strings.Count(b.log.String(), "\n"); lines != 1 || !strings.Contains(b.log.String(), "takes no mail of ours") {
			t.Errorf("%d lines in the log:\n%s", lines, b.log)
		}
		if got := b.Trouble(); !strings.Contains(got, "550 5.4.5 daily quota exceeded") || !strings.Contains(got, "since 20") {
			t.Errorf("readiness says %q", got)
		}
		if got := b.blocked(t); got != 1 {
			t.Errorf("the metric is %d", got)
		}
		b.send = nil
		b.assertSweep(t, delivery.Tally{Waiting: 40, Sent: 40})
		if len(b.sent) != 40 || b.Trouble() != "" || b.blocked(t) != 0 {
			t.Errorf("%d sent, readiness says %q, the metric %d", len(b.sent), b.Trouble(), b.blocked(t))
		}
		if lines := strings.Count(b.log.String(), "\n"); lines != 2 {
			t.Errorf("%d lines in the log:\n%s", lines, b.log)
		}
	})
	t.Run("a single mail that is held does not stop the others, and counts no attempt", func(t *testing.T) {
		t.Parallel()
		cfg := config()
		cfg.MaxAttempts = 2
		b := setup(t, cfg)
		b.exec(`UPDATE users SET email = 'first@demo.example' WHERE email LIKE 'owner0%'`)
		b.exec(`UPDATE users SET email_confirmed_at = now()`)
		b.send = func(l mail.Mail) error {
			if l.To == "first@demo.example" {
				return holding(l)
			}
			return nil
		}
		b.due(t, "order")
		b.assertSweep(t, delivery.Tally{Waiting: 2, Sent: 1, Held: 1})
		for range 4 {
			b.makeDue()
			b.assertSweep(t, delivery.Tally{Waiting: 1, Held: 1})
		}
		b.assertRows(t, map[string]int{"sent 1 0 ": 1, "due 5 0 550 5.4.5 daily quota exceeded": 1})
		b.send = sendError(mail.Deferred, 451, "451 not now")
		for range 2 {
			b.makeDue()
			if _, err := b.sweep(t); err != nil {
				t.Fatal(err)
			}
		}
		b.assertRows(t, map[string]int{"sent 1 0 ": 1, "failed 7 0 given up after 2 attempts: 451 not now": 1})
	})
	t.Run("a held mail waits ten minutes at most", func(t *testing.T) {
		t.Parallel()
		cfg := config()
		cfg.RetryBase, cfg.RetryMax = time.Hour, 2*time.Hour
		b := setup(t, cfg)
		b.due(t, "order")
		b.send = holding
		if _, err := b.sweep(t); err != nil {
			t.Fatal(err)
		}
		var seconds float64
		b.scan(`SELECT extract(epoch FROM max(next_attempt_at) - now()) FROM email_deliveries`, &seconds)
		if seconds > 600 || seconds < 500 {
			t.Errorf("it waits %g s", seconds)
		}
	})
	t.Run("events do not try it for a while", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		b.send = func(mail.Mail) error {
			return &mail.SendError{Fate: mail.Held, Code: 553, Sender: true, Err: errors.New("553 5.7.1 not your domain")}
		}
		for range 5 {
			e := b.due(t, "order")
			b.try(t, e)
		}
		b.assertRows(t, map[string]int{"due 1 0 553 5.7.1 not your domain": 1, "due 0 0 ": 9})
	})
	t.Run("a server that does not answer is reported in the same way", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		e := b.due(t, "order")
		b.open = func() error {
			return &mail.SendError{Fate: mail.Held, Code: 535, Sender: true, Err: errors.New("535 5.7.8 wrong password")}
		}
		b.try(t, e)
		if _, err := b.sweep(t); err == nil {
			t.Error("no error")
		}
		if got := b.Trouble(); !strings.Contains(got, "535 5.7.8 wrong password") {
			t.Errorf("readiness says %q", got)
		}
		if lines := strings.Count(b.log.String(), "\n"); lines != 1 {
			t.Errorf("%d lines in the log:\n%s", lines, b.log)
		}
	})
	t.Run("that the server is back shows without a mail, unless it was mails that it refused", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		b.due(t, "order")
		away := func() error {
			return &mail.SendError{Fate: mail.Held, Sender: true, Err: errors.New("connection refused")}
		}
		b.open = away
		if _, err := b.sweep(t); err == nil {
			t.Error("no error")
		}
		b.exec(`UPDATE email_deliveries SET status = 'sent', sent_at = now()`) // by another process
		if _, err := b.sweep(t); err == nil || b.Trouble() == "" {
			t.Errorf("the server still does not answer; error %v, readiness says %q", err, b.Trouble())
		}
		b.open = nil
		b.assertSweep(t, delivery.Tally{})
		if got := b.blocked(t); b.Trouble() != "" || got != 0 {
			t.Errorf("the server is back; readiness says %q, the metric %d", b.Trouble(), got)
		}

		b.due(t, "order")
		b.send = func(mail.Mail) error {
			return &mail.SendError{Fate: mail.Held, Code: 553, Sender: true, Err: errors.New("553 5.7.1 not your domain")}
		}
		if _, err := b.sweep(t); err != nil {
			t.Fatal(err)
		}
		b.exec(`UPDATE email_deliveries SET next_attempt_at = now() + interval '1 hour' WHERE status = 'due'`)
		b.assertSweep(t, delivery.Tally{})
		if b.Trouble() == "" {
			t.Error("the server refuses mails, and readiness says nothing")
		}
	})
}

// blocked returns the last value of the gauge that an alert watches.
func (b *testBundle) blocked(t *testing.T) int64 {
	t.Helper()
	const name = "orderbell.mail.blocked"
	var all metricdata.ResourceMetrics
	if err := b.metrics.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if g, ok := m.Data.(metricdata.Gauge[int64]); ok && m.Name == name {
				return g.DataPoints[0].Value
			}
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

func TestAddressesThatDoNotExist(t *testing.T) {
	t.Parallel()
	b := setup(t, config())
	b.exec(`UPDATE users SET email = 'Gone@demo.example' WHERE email LIKE 'owner0%'`)
	b.exec(`UPDATE users SET email_confirmed_at = now()`)
	b.exec(`INSERT INTO tenants (id, name) VALUES ('kopi', 'Kopi Senja')`)
	first := b.due(t, "first")
	b.send = func(l mail.Mail) error {
		if strings.EqualFold(l.To, "gone@demo.example") {
			return &mail.SendError{Fate: mail.Refused, NoMailbox: true, Code: 550, Err: errors.New("550 5.1.1 user unknown")}
		}
		return nil
	}
	second := b.due(t, "second") // due before the first is refused
	b.try(t, first)
	b.try(t, second)
	b.assertRows(t, map[string]int{"sent 1 0 ": 2, "failed 1 0 550 5.1.1 user unknown": 1, "suppressed 0 0 address": 1})
	var reason string
	b.scan(`SELECT address || ' ' || reason FROM mail_suppressions`, &reason)
	if reason != "gone@demo.example 550 5.1.1 user unknown" {
		t.Errorf("the list has %q", reason)
	}
}
