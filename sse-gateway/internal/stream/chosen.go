package stream

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"orderbell/internal/user"
)

// TenantLimits reads the limits that the operator has set for a tenant.
type TenantLimits interface {
	Limits(ctx context.Context, tenantID string) (user.Limits, error)
}

const (
	// chosenFor is how long a tenant's limits are cached.
	chosenFor = 5 * time.Second
	// chosenWithin bounds the lookup. If it fails, the stream is accepted with the known limits.
	chosenWithin = 2 * time.Second
	// maxChosen bounds the cache; an entry takes about 200 bytes. A full cache is cleared.
	maxChosen = 10_000
)

// chosen caches the limits of tenants. While the database does not answer, the last known limits apply, and the
// defaults for an unknown tenant.
type chosen struct {
	source TenantLimits // nil: no database, so the defaults apply
	log    *slog.Logger

	lookups singleflight.Group // concurrent streams of a tenant share one lookup

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

// of returns the limits that the operator has set for the tenant.
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
			c.log.WarnContext(ctx, "limits not read: the last known ones apply", "tenant_id", tenantID, "err", err)
			limits = last.limits
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if _, there := c.tenants[tenantID]; !there && len(c.tenants) >= maxChosen {
			clear(c.tenants)
		}
		c.tenants[tenantID] = lookup{limits, time.Now().Add(chosenFor)} // after an error too, so that not every stream queries the database
		return limits, nil
	})
	limits, _ := found.(user.Limits)
	return limits
}
