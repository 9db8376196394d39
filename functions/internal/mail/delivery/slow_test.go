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

// oneMail is a store with one due mail, in memory: PostgreSQL's clock is not the test's.
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

// slowServer takes its time for each mail.
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

// TestSlowServer has sweeps of two processes every minute while the server takes its time for the answer to a message.
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
	t.Run("an event waits for it a short time only", func(t *testing.T) {
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
			c.TryEvent(t.Context(), "/s", "1")
			if took := time.Since(began); took != time.Second {
				t.Errorf("it took %s", took)
			}
			c.Drain(t.Context())
		})
	})
}
