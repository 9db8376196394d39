package rights

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"orderbell/internal/user"
)

// Bounds of the refusals that a program holds until it writes them, so that an attack with many different tokens costs little.
const (
	refusalsEvery   = 5 * time.Second
	maxTenants      = 200
	maxOfTenant     = 50
	writeFor        = 10 * time.Second // the last writing, while the program stops
	otherRefusals   = "others"
	refusalsMessage = "requests refused"
)

// refusals counts refused requests, for the log and the audit trail. It is safe for concurrent use.
type refusals struct {
	users Users // nil: they are logged alone
	log   *slog.Logger

	mu       sync.Mutex
	byTenant map[string]map[refused]int64
}

// refused is what equal refusals have in common.
type refused struct{ action, actor, address, detail string }

func newRefusals(users Users, log *slog.Logger) *refusals {
	return &refusals{users: users, log: log, byTenant: map[string]map[refused]int64{}}
}

// Refused implements [auth.Rights].
func (r *refusals) Refused(what user.Record) {
	one := refused{what.Action, what.Actor, what.Address, what.Detail}
	r.mu.Lock()
	defer r.mu.Unlock()
	tenant := what.TenantID
	if _, known := r.byTenant[tenant]; !known && len(r.byTenant) >= maxTenants {
		tenant = user.NoTenant
	}
	counted := r.byTenant[tenant]
	if counted == nil {
		counted = map[refused]int64{}
		r.byTenant[tenant] = counted
	}
	if _, known := counted[one]; !known && len(counted) >= maxOfTenant {
		one = refused{action: what.Action, detail: otherRefusals}
	}
	counted[one]++
}

// run writes the counted refusals until ctx ends, and then once more.
func (r *refusals) run(ctx context.Context) {
	tick := time.NewTicker(refusalsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeFor)
			defer cancel()
			r.Flush(last)
			return
		case <-tick.C:
			r.Flush(ctx)
		}
	}
}

// Flush logs and writes the counted refusals. Those that cannot be written are in the log.
func (r *refusals) Flush(ctx context.Context) {
	r.mu.Lock()
	byTenant := r.byTenant
	r.byTenant = map[string]map[refused]int64{}
	r.mu.Unlock()
	for tenant, counted := range byTenant {
		all := make([]user.Record, 0, len(counted))
		for one, times := range counted {
			all = append(all, user.Record{
				TenantID: tenant, Actor: one.actor, Action: one.action, Address: one.address, Outcome: user.Refused, Detail: one.detail, Times: times,
			})
			r.log.InfoContext(ctx, refusalsMessage, "tenant_id", tenant, "actor", one.actor, "action", one.action, "address", one.address,
				"reason", one.detail, "times", times)
		}
		if r.users == nil {
			continue
		}
		if err := r.users.AddRefusals(ctx, tenant, all); err != nil {
			r.log.WarnContext(ctx, "refusals not written to the audit trail", "tenant_id", tenant, "err", err)
		}
	}
}
