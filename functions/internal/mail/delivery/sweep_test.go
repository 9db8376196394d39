package delivery_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"orderbell/functions/internal/mail/delivery"
	"orderbell/internal/mail"
)

// sweep sweeps without any limit of time.
func (b *testBundle) sweep(t *testing.T) (delivery.Tally, error) {
	t.Helper()
	return b.Sweep(t.Context(), 4, time.Now().Add(time.Hour))
}

func (b *testBundle) assertSweep(t *testing.T, want delivery.Tally) {
	t.Helper()
	got, err := b.sweep(t)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// makeDue makes every mail due now.
func (b *testBundle) makeDue() {
	b.exec(`UPDATE email_deliveries SET next_attempt_at = now() - interval '1 s' WHERE status = 'due'`)
}

func TestSweep(t *testing.T) {
	t.Parallel()
	t.Run("every due mail is sent once, over several lines", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		for range 20 {
			b.due(t, "order")
		}
		b.assertSweep(t, delivery.Tally{Waiting: 40, Sent: 40})
		b.assertRows(t, map[string]int{"sent 1 0 ": 40})
		b.assertSweep(t, delivery.Tally{})
		if len(b.sent) != 40 {
			t.Errorf("%d letters", len(b.sent))
		}
	})
	t.Run("without due mails no connection is opened", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		b.open = func() error { return errors.New("asked for nothing") }
		b.assertSweep(t, delivery.Tally{})
	})
	t.Run("a server that does not answer ends the sweep, and costs no attempt", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		b.due(t, "order")
		b.open = func() error { return errors.New("connection refused") }
		if _, err := b.sweep(t); err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("got %v", err)
		}
		b.assertRows(t, map[string]int{"due 0 0 ": 2})
	})
	t.Run("a store that fails is an error", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		b.exec("ALTER TABLE email_deliveries RENAME TO gone")
		if _, err := b.sweep(t); err == nil {
			t.Error("no error")
		}
	})
	t.Run("nothing is claimed after stopAt", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		b.due(t, "order")
		got, err := b.Sweep(t.Context(), 4, time.Now().Add(-time.Second))
		if err != nil || got.Waiting != 2 || got.Sent != 0 {
			t.Errorf("got %+v, %v", got, err)
		}
		b.assertRows(t, map[string]int{"due 0 0 ": 2})
	})
	t.Run("it returns at its deadline, and mails under way are sent", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		b.due(t, "order")
		ctx, cancel := context.WithCancel(t.Context())
		slow := make(chan struct{})
		b.send = func(mail.Mail) error {
			cancel()
			<-slow
			return nil
		}
		if got, err := b.Sweep(ctx, 4, time.Now().Add(time.Hour)); err != nil || got.Sent != 0 {
			t.Errorf("got %+v, %v", got, err)
		}
		close(slow)
		b.Drain(t.Context())
		if n := b.rows()["sent 1 0 "]; n == 0 {
			t.Errorf("rows: %v", b.rows())
		}
	})
}

func TestSweepOutcomes(t *testing.T) {
	t.Parallel()
	t.Run("a refusal fails at once", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		b.due(t, "order")
		b.send = sendError(mail.Refused, 550, "550 5.1.1 nobody here")
		b.assertSweep(t, delivery.Tally{Waiting: 2, Failed: 2})
		b.assertRows(t, map[string]int{"failed 1 0 550 5.1.1 nobody here": 2})
	})
	t.Run("a temporary refusal is tried again, until the attempts are used up", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		b.due(t, "order")
		b.send = sendError(mail.Deferred, 451, "451 not now")
		for attempt := 1; attempt < config().MaxAttempts; attempt++ {
			b.assertSweep(t, delivery.Tally{Waiting: 2, Retried: 2})
			b.assertSweep(t, delivery.Tally{}) // not before its time
			b.makeDue()
		}
		b.assertSweep(t, delivery.Tally{Waiting: 2, Failed: 2})
		b.assertRows(t, map[string]int{"failed 3 0 given up after 3 attempts: 451 not now": 2})
	})
	t.Run("an unknown fate is counted and tried again under the same Message-ID", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		b.due(t, "order")
		b.exec(`DELETE FROM users WHERE email LIKE 'owner1%'`) // and its e-mail with it
		var first mail.Mail
		b.send = func(l mail.Mail) error {
			first = l
			return &mail.SendError{Fate: mail.Unknown, Err: errors.New("EOF")}
		}
		b.assertSweep(t, delivery.Tally{Waiting: 1, Retried: 1, Ambiguous: 1})
		b.assertRows(t, map[string]int{"due 1 1 EOF": 1})
		b.makeDue()
		b.send = nil
		b.assertSweep(t, delivery.Tally{Waiting: 1, Sent: 1})
		b.assertRows(t, map[string]int{"sent 2 1 ": 1})
		b.assertCounted(t, map[string]int64{"orderbell.mail sent": 1, "orderbell.mail retry": 1, "orderbell.mail.ambiguous ambiguous": 1})
		if b.sent[0].MessageID != first.MessageID {
			t.Errorf("Message-IDs %q and %q", first.MessageID, b.sent[0].MessageID)
		}
	})
	t.Run("an attempt that was never marked is counted and made again", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		e := b.due(t, "order")
		b.send = func(mail.Mail) error { panic("killed") }
		b.try(t, e)
		b.send = nil
		b.makeDue()
		b.assertSweep(t, delivery.Tally{Waiting: 2, Sent: 2, Ambiguous: 1})
		b.assertRows(t, map[string]int{"sent 2 1 ": 1, "sent 1 0 ": 1})
		if n := b.counted(t)["orderbell.mail.ambiguous abandoned"]; n != 1 {
			t.Errorf("counted %d", n)
		}
	})
	t.Run("a mail that kills its process is given up", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		b.due(t, "order")
		b.exec(`UPDATE email_deliveries SET attempt = 3, lease_until = now() - interval '1 s'`)
		b.assertSweep(t, delivery.Tally{Waiting: 2, Failed: 2, Ambiguous: 2})
		b.assertRows(t, map[string]int{"failed 4 1 given up after 3 attempts: no attempt before this one came to an end": 2})
		if len(b.sent) > 0 {
			t.Errorf("sent %v", b.sent)
		}
	})
	t.Run("a mail that cannot be rendered stays due", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		b.due(t, "unwritable")
		b.assertSweep(t, delivery.Tally{Waiting: 2, Retried: 2})
		b.assertRows(t, map[string]int{"due 1 0 no template": 2})
	})
	t.Run("delays double up to a limit, and half of each is random", func(t *testing.T) {
		t.Parallel()
		cfg := config()
		cfg.MaxAttempts, cfg.RetryBase, cfg.RetryMax = 9, 100*time.Second, 500*time.Second
		b := setup(t, cfg)
		for range 10 {
			b.due(t, "order")
		}
		b.send = sendError(mail.Deferred, 451, "451 not now")
		var draws []time.Duration
		for _, want := range []time.Duration{100 * time.Second, 200 * time.Second, 400 * time.Second, 500 * time.Second, 500 * time.Second} {
			began := time.Now()
			if _, err := b.sweep(t); err != nil {
				t.Fatal(err)
			}
			var least, most time.Time
			b.scan(`SELECT min(next_attempt_at), max(next_attempt_at) FROM email_deliveries`, &least, &most)
			took := time.Since(began) // no mark was made sooner or later
			shortest, longest := least.Sub(began), most.Sub(began)
			if shortest < want/2-time.Second || longest > want+took+time.Second {
				t.Errorf("delays from %s to %s, want %s to %s", shortest, longest, want/2, want)
			}
			// Twenty draws: that all of them lie in one half happens once in 2^19 runs, and then in five rows.
			draws = append(draws, longest-shortest)
			b.makeDue()
		}
		if slices.Max(draws) < 50*time.Second {
			t.Errorf("the delays are not random: they lie %v apart", draws)
		}
	})
	t.Run("a long reason is cut", func(t *testing.T) {
		t.Parallel()
		b := setup(t, config())
		b.due(t, "order")
		b.send = sendError(mail.Refused, 550, strings.Repeat("x", 5000))
		b.assertSweep(t, delivery.Tally{Waiting: 2, Failed: 2})
		b.assertRows(t, map[string]int{"failed 1 0 " + strings.Repeat("x", 500) + "…": 2})
	})
}

// forgetful is a store whose first marks fail.
type forgetful struct {
	delivery.Store
	failures int
}

func (f *forgetful) Mark(ctx context.Context, d mail.Due, m mail.Mark) (bool, error) {
	if f.failures--; f.failures >= 0 {
		return false, errors.New("connection refused")
	}
	return f.Store.Mark(ctx, d, m)
}

func TestMarkIsRepeated(t *testing.T) {
	t.Parallel()
	b := setup(t, config())
	b.due(t, "order")
	c, err := delivery.New(config(), &forgetful{Store: b.store, failures: 2}, post{b}, writer{}, slog.New(slog.DiscardHandler),
		sdkmetric.NewMeterProvider().Meter(""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Sweep(t.Context(), 1, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	b.assertRows(t, map[string]int{"sent 1 0 ": 2})
	if len(b.sent) != 2 {
		t.Errorf("sent %d", len(b.sent))
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*delivery.Config)
		want   string
	}{
		"no attempts":                 {func(c *delivery.Config) { c.MaxAttempts = 0 }, "EMAIL_MAX_ATTEMPTS is 0"},
		"no delay":                    {func(c *delivery.Config) { c.RetryBase = 0 }, "EMAIL_RETRY_BASE"},
		"a greatest below the lowest": {func(c *delivery.Config) { c.RetryMax = time.Second }, "EMAIL_RETRY_MAX"},
	} {
		t.Run(name+" is an error that names the variable", func(t *testing.T) {
			t.Parallel()
			cfg := config()
			tt.change(&cfg)
			if _, err := delivery.New(cfg, nil, nil, nil, nil, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestAReasonIsCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	b := setup(t, config())
	b.due(t, "order")
	b.send = func(mail.Mail) error {
		return &mail.SendError{Fate: mail.Refused, Code: 550, Err: errors.New("x" + strings.Repeat("ö", 400))}
	}
	b.assertSweep(t, delivery.Tally{Waiting: 2, Failed: 2})
	b.assertRows(t, map[string]int{"failed 1 0 x" + strings.Repeat("ö", 249) + "…": 2})
}
