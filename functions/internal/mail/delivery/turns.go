package delivery

import (
	"context"
	"sync"

	"orderbell/internal/mail"
)

// turns shares the lines of a process between the tenants, round-robin: each round sends one mail of every tenant with due mails, so
// that a tenant with very many mails delays those of another by at most one round. All lines except one may send mails of the same
// tenant, so that one line remains for the others if the mail server is slow for that tenant's addresses.
type turns struct {
	store Store
	terms mail.Terms
	most  int // lines of one tenant

	mu    sync.Mutex
	round []string       // tenants that have not had their turn
	busy  map[string]int // lines by tenant
}

func newTurns(store Store, terms mail.Terms, lines int) *turns {
	return &turns{store: store, terms: terms, most: max(1, lines-1), busy: map[string]int{}}
}

// enter takes a line of the tenant's share. It returns false if the tenant has all of them.
func (t *turns) enter(tenantID string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy[tenantID] >= t.most {
		return false
	}
	t.busy[tenantID]++
	return true
}

func (t *turns) leave(tenantID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy[tenantID]--; t.busy[tenantID] == 0 {
		delete(t.busy, tenantID)
	}
}

// claim claims a mail of the next tenant, and returns the tenant. The mail counts towards the tenant's share until leave. The tenant
// is "" if a whole round found no mail to send.
func (t *turns) claim(ctx context.Context) (due mail.Due, tenantID string, err error) {
	for rounds := 0; ; {
		tenant, fresh, err := t.next(ctx)
		if fresh {
			rounds++
		}
		if err != nil || tenant == "" || rounds > 1 {
			return mail.Due{}, "", err
		}
		if !t.enter(tenant) {
			continue
		}
		due, ok, err := t.store.ClaimOfTenant(ctx, tenant, t.terms)
		if err == nil && ok {
			return due, tenant, nil
		}
		t.leave(tenant)
		if err != nil {
			return due, "", err
		}
	}
}

// next returns the next tenant, "" if no tenant has a due mail, and whether a new round begins with it.
func (t *turns) next(ctx context.Context) (tenant string, fresh bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.round) == 0 {
		fresh = true
		if t.round, err = t.store.DueTenants(ctx, t.terms); err != nil || len(t.round) == 0 {
			return "", fresh, err
		}
	}
	tenant, t.round = t.round[0], t.round[1:]
	return tenant, fresh, nil
}
