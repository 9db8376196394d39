package stream

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"orderbell/internal/user"
)

// TenantLimits knows what the operator has chosen for a tenant.
type TenantLimits interface {
	Limits(ctx context.Context, tenantID string) (user.Limits, error)
}

const (
	// chosenFor is how long a tenant's limits are remembered.
	chosenFor = 5 * time.Second
	// chosenWithin bounds the lookup: a stream is not refused because its limits are not known.
	chosenWithin = 2 * time.Second
	// maxChosen bounds the memory, some 200 bytes each. When there is no room, everything is forgotten.
	maxChosen = 10_000
)

// chosen remembers the limits of tenants. While the database does not answer, the last known ones hold, and the defaults
// for a tenant of which nothing is known.
type chosen struct {
	source TenantLimits // nil: there is no database, so the defaults hold
	log    *slog.Logger

	lookups singleflight.Group // the streams of a tenant that come at once ask once

	mu      sync.Mutex
	tenants map[string]lookup
}

type lookup struct {
	limits user.Limits
	until  time.Time
}

func newChosen(source TenantLimits, log *slog.Logger) *chosen {
	return &chosen{source: source, log: log, tenants: map[string]lookup{}}
}

// of returns the limits that the operator has chosen for the tenant.
func (c *chosen) of(ctx context.Context, tenantID string) user.Limits {
	if c.source == nil {
		return nil
	}
	c.mu.Lock()
	last := c.tenants[tenantID]
	c.mu.Unlock()
	if time.Now().Before(last.until) {
		return last.limits
	}
	found, _, _ := c.lookups.Do(tenantID, func() (any, error) { // the error is logged
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), chosenWithin)
		defer cancel()
		limits, err := c.source.Limits(ctx, tenantID)
		if err != nil {
			c.log.WarnContext(ctx, "limits not read: the last known ones hold", "tenant_id", tenantID, "err", err)
			limits = last.limits
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if _, there := c.tenants[tenantID]; !there && len(c.tenants) >= maxChosen {
			clear(c.tenants)
		}
		c.tenants[tenantID] = lookup{limits, time.Now().Add(chosenFor)} // after an error too: the database is not asked by each stream
		return limits, nil
	})
	limits, _ := found.(user.Limits)
	return limits
}
