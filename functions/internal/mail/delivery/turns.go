package delivery

import (
	"context"
	"sync"

	"orderbell/internal/mail"
)

// turns shares the lines of a sweep between tenants. Each round sends one mail of every tenant with due mails, so a
// tenant with very many delays the mails of another by one round at most.
type turns struct {
	store Store
	terms mail.Terms

	mu    sync.Mutex
	round []string // tenants whose turn is still to come
}

// claim claims a mail of the next tenant. It returns false if a whole round found none.
func (t *turns) claim(ctx context.Context) (mail.Due, bool, error) {
	for rounds := 0; ; {
		tenant, fresh, err := t.next(ctx)
		if fresh {
			rounds++
		}
		if err != nil || tenant == "" || rounds > 1 {
			return mail.Due{}, false, err
		}
		due, ok, err := t.store.ClaimOfTenant(ctx, tenant, t.terms)
		if err != nil || ok {
			return due, ok, err
		}
	}
}

// next returns the tenant whose turn it is, "" if no tenant has a due mail, and whether a new round began with it.
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
