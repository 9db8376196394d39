package delivery_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/metric/noop"

	"orderbell/functions/internal/mail/delivery"
	"orderbell/internal/mail"
)

// manyMails is a store in memory with the due mails of tenants, by event.
type manyMails struct {
	mu    sync.Mutex
	due   []mail.Due
	added map[string]time.Time
	late  time.Duration // the longest from due to sent of the quiet tenant
	sent  map[string]int
}

func (s *manyMails) add(tenant, event string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range n {
		id := fmt.Sprint(event, "-", i)
		s.due = append(s.due, mail.Due{ID: id, TenantID: tenant, EventID: event, Attempt: 1})
		s.added[id] = time.Now()
	}
}

func (s *manyMails) claim(is func(mail.Due) bool) (mail.Due, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, d := range s.due {
		if is(d) {
			s.due = append(s.due[:i:i], s.due[i+1:]...)
			return d, true, nil
		}
	}
	return mail.Due{}, false, nil
}

func (s *manyMails) ClaimOfEvent(_ context.Context, _, eventID string, _ mail.Terms) (mail.Due, bool, error) {
	return s.claim(func(d mail.Due) bool { return d.EventID == eventID })
}

func (s *manyMails) ClaimOfTenant(_ context.Context, tenantID string, _ mail.Terms) (mail.Due, bool, error) {
	return s.claim(func(d mail.Due) bool { return d.TenantID == tenantID })
}

func (s *manyMails) DueTenants(context.Context, mail.Terms) (tenants []string, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[string]bool{}
	for _, d := range s.due {
		if !seen[d.TenantID] {
			seen[d.TenantID] = true
			tenants = append(tenants, d.TenantID)
		}
	}
	return tenants, nil
}

func (s *manyMails) Mark(_ context.Context, d mail.Due, _ mail.Mark) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent[d.TenantID]++
	if d.TenantID == "quiet" {
		s.late = max(s.late, time.Since(s.added[d.ID]))
	}
	return true, nil
}

func (s *manyMails) Renew(context.Context, mail.Due, time.Duration) (bool, error) { return true, nil }

func (s *manyMails) Waiting(context.Context) (int, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.due), time.Now(), nil
}

// fourLines are the lines of a slow server.
type fourLines struct {
	takes func(mail.Mail) time.Duration
	lines chan struct{}
}

func (p fourLines) TryLine() (mail.Line, bool) {
	select {
	case p.lines <- struct{}{}:
		return p, true
	default:
		return nil, false
	}
}

func (p fourLines) Line(context.Context) (mail.Line, error) {
	p.lines <- struct{}{}
	return p, nil
}

func (p fourLines) Open(context.Context) error { return nil }
func (p fourLines) Close()                     { <-p.lines }

func (p fourLines) Send(_ context.Context, m mail.Mail) error {
	<-time.After(p.takes(m))
	return nil
}

// toTenant renders mails whose recipient is the tenant.
type toTenant struct{}

func (toTenant) Write(d mail.Due) (mail.Mail, error) { return mail.Mail{To: d.TenantID}, nil }

// TestANoisyTenantsMailsDelayNoOthers makes 200 mails a second of one tenant for half a minute, while the lines can send 80, and
// two mails a second of another tenant, without a sweeper.
func TestANoisyTenantsMailsDelayNoOthers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		takes func(mail.Mail) time.Duration
		late  time.Duration
	}{
		"a server that takes 50 ms a mail": {func(mail.Mail) time.Duration { return 50 * time.Millisecond }, 2 * time.Second},
		"a server that takes five minutes for the addresses of the noisy tenant": {func(m mail.Mail) time.Duration {
			if m.To == "noisy" {
				return 5 * time.Minute
			}
			return 50 * time.Millisecond
		}, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &manyMails{added: map[string]time.Time{}, sent: map[string]int{}}
				cfg := config()
				cfg.TryLimit, cfg.Lines = time.Second, 4
				server := fourLines{c.takes, make(chan struct{}, 4)}
				courier, err := delivery.New(cfg, store, server, toTenant{}, slog.New(slog.DiscardHandler), noop.NewMeterProvider().Meter(""))
				if err != nil {
					t.Fatal(err)
				}
				event := func(tenant, id string, mails int) {
					store.add(tenant, id, mails)
					go courier.TryEvent(t.Context(), tenant, "/s", id)
				}
				for second := range 30 {
					for i := range 4 {
						event("noisy", fmt.Sprint("n", second, "-", i), 50)
					}
					<-time.After(500 * time.Millisecond)
					event("quiet", fmt.Sprint("q", second), 2)
					<-time.After(500 * time.Millisecond)
				}
				<-time.After(time.Minute)
				courier.Drain(t.Context())
				if store.sent["quiet"] != 60 || store.late > c.late {
					t.Errorf("%d mails of the quiet tenant are sent, the slowest %s late; want 60 and %s at most", store.sent["quiet"], store.late, c.late)
				}
				t.Logf("slowest mail of the quiet tenant: %s", store.late)
			})
		})
	}
}
