package delivery_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/metric/noop"

	"orderbell/functions/internal/mail/delivery"
	"orderbell/internal/mail"
)

// oneMail is a store in memory with one due mail, since PostgreSQL does not use the test's clock.
type oneMail struct {
	mu      sync.Mutex
	attempt int
	dueAt   time.Time
	sent    bool
}

func (s *oneMail) ClaimOfEvent(ctx context.Context, _, _ string, terms mail.Terms) (mail.Due, bool, error) {
	return s.ClaimOfTenant(ctx, "", terms)
}

func (s *oneMail) ClaimOfTenant(_ context.Context, _ string, terms mail.Terms) (mail.Due, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent || time.Now().Before(s.dueAt) {
		return mail.Due{}, false, nil
	}
	s.attempt++
	s.dueAt = time.Now().Add(terms.Lease)
	return mail.Due{ID: "1", Attempt: s.attempt}, true, nil
}

func (s *oneMail) DueTenants(context.Context, mail.Terms) ([]string, error) {
	if n, _, _ := s.Waiting(context.Background()); n == 0 {
		return nil, nil
	}
	return []string{"demo"}, nil
}

func (s *oneMail) Mark(_ context.Context, d mail.Due, m mail.Mark) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = s.sent || m.Status == mail.StatusSent
	return d.Attempt == s.attempt, nil
}

func (s *oneMail) Renew(_ context.Context, d mail.Due, lease time.Duration) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.Attempt != s.attempt {
		return false, nil
	}
	s.dueAt = time.Now().Add(lease)
	return true, nil
}

func (s *oneMail) Waiting(context.Context) (int, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent || time.Now().Before(s.dueAt) {
		return 0, time.Time{}, nil
	}
	return 1, s.dueAt, nil
}

// slowServer is slow for each mail.
type slowServer struct {
	takes time.Duration

	mu     sync.Mutex
	copies int
}

func (s *slowServer) TryLine() (mail.Line, bool)              { return slowLine{s}, true }
func (s *slowServer) Line(context.Context) (mail.Line, error) { return slowLine{s}, nil }

type slowLine struct{ *slowServer }

func (l slowLine) Open(context.Context) error { return nil }
func (l slowLine) Close()                     {}

func (l slowLine) Send(context.Context, mail.Mail) error {
	l.mu.Lock()
	l.copies++
	l.mu.Unlock()
	<-time.After(l.takes)
	return nil
}

// TestSlowServer runs sweeps of two processes every minute while the server is slow to answer a message.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	for _, takes := range []time.Duration{75 * time.Second, 9*time.Minute + 59*time.Second} {
		t.Run(takes.String()+" for an answer lead to one copy", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store, server := &oneMail{}, &slowServer{takes: takes}
				couriers := make([]*delivery.Courier, 2)
				for i := range couriers {
					c, err := delivery.New(config(), store, server, writer{}, slog.New(slog.DiscardHandler), noop.NewMeterProvider().Meter(""))
					if err != nil {
						t.Fatal(err)
					}
					couriers[i] = c
				}
				for range 15 {
					for _, c := range couriers {
						ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
						_, _ = c.Sweep(ctx, 4, time.Now().Add(20*time.Second))
						<-time.After(30 * time.Second)
						cancel()
					}
				}
				for _, c := range couriers {
					c.Drain(t.Context())
				}
				if server.copies != 1 || !store.sent {
					t.Errorf("%d copies, sent: %t", server.copies, store.sent)
				}
			})
		})
	}
	t.Run("an event waits for it only briefly", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			cfg := config()
			cfg.TryLimit = time.Second
			c, err := delivery.New(cfg, &oneMail{}, &slowServer{takes: 9 * time.Minute}, writer{}, slog.New(slog.DiscardHandler),
				noop.NewMeterProvider().Meter(""))
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			c.TryEvent(t.Context(), "demo", "/s", "1")
			if took := time.Since(began); took != time.Second {
				t.Errorf("it took %s", took)
			}
			c.Drain(t.Context())
		})
	})
}

// stoppable is a server that has the message at once and answers later, or does not get the message before the end of ctx.
type stoppable struct {
	slowServer

	stuck bool
}

func (s *stoppable) TryLine() (mail.Line, bool)              { return stoppableLine{s}, true }
func (s *stoppable) Line(context.Context) (mail.Line, error) { return stoppableLine{s}, nil }

type stoppableLine struct{ *stoppable }

func (l stoppableLine) Open(context.Context) error { return nil }
func (l stoppableLine) Close()                     {}

func (l stoppableLine) Send(ctx context.Context, m mail.Mail) error {
	if !l.stuck {
		return slowLine{&l.slowServer}.Send(ctx, m)
	}
	<-ctx.Done()
	return &mail.SendError{Fate: mail.Held, Err: ctx.Err()}
}

// TestDrain stops a program with a mail under way, as each release does, and sweeps with its successor meanwhile.
func TestDrain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		takes  time.Duration
		stuck  bool
		drain  time.Duration
		copies int // that the server has, of both programs
	}{
		"the answer comes after 75 s":  {75 * time.Second, false, 74 * time.Second, 1},
		"the answer comes after 9 min": {9 * time.Minute, false, 9*time.Minute - time.Second, 1},
		"the server has no message":    {0, true, 8 * time.Second, 1},
		"the answer comes at once":     {time.Second, false, 0, 1},
		"it comes within a lease":      {2 * time.Minute, false, 2*time.Minute - time.Second, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store, server := &oneMail{}, &stoppable{slowServer: slowServer{takes: c.takes}, stuck: c.stuck}
				courier := func() *delivery.Courier {
					cfg := config()
					cfg.TryLimit = time.Second
					d, err := delivery.New(cfg, store, server, writer{}, slog.New(slog.DiscardHandler), noop.NewMeterProvider().Meter(""))
					if err != nil {
						t.Fatal(err)
					}
					return d
				}
				old, successor := courier(), courier()
				old.TryEvent(t.Context(), "demo", "/s", "1")
				began := time.Now()
				old.Drain(t.Context())
				if took := time.Since(began); took != c.drain {
					t.Errorf("the program stopped after %s, want %s", took, c.drain)
				}
				old.TryEvent(t.Context(), "demo", "/s", "1") // it claims nothing any more
				server.stuck = false
				for range 15 {
					ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
					_, _ = successor.Sweep(ctx, 4, time.Now().Add(20*time.Second))
					<-time.After(30 * time.Second)
					cancel()
				}
				successor.Drain(t.Context())
				if server.copies != c.copies || !store.sent {
					t.Errorf("%d copies, sent: %t; want %d", server.copies, store.sent, c.copies)
				}
			})
		})
	}
}
