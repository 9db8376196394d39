package gateway

import (
	"context"

	"orderbell/internal/rights"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/internal/store/userstore"
	"orderbell/sse-gateway/internal/stream"
)

// conns is enough for lookups of a few hundred microseconds each, of which a user and a tenant need one in seconds.
const conns = 2

// Database is what the gateway reads from PostgreSQL.
type Database interface {
	rights.Users
	stream.TenantLimits
}

// OpenDatabase returns the lookup of users' roles and tenants' limits in the database of cfg. Without a database, cfg is nil and
// so is the lookup: then the roles of the tokens and the limits of the configuration hold, while revocations and changes still
// end streams.
func OpenDatabase(ctx context.Context, cfg *database.Config, svc *service.Service) (Database, func(), error) {
	if cfg == nil {
		svc.Log.WarnContext(ctx, "DATABASE_URL is not set: the roles of the tokens hold, a user who does not exist is let in, and the limits of single tenants do not count")
		return nil, func() {}, nil
	}
	few := *cfg
	few.MaxConns = min(cfg.MaxConns, conns)
	pool, err := database.Open(ctx, few, svc.Name)
	if err != nil {
		return nil, nil, err
	}
	if err := svc.Observe(pool); err != nil {
		pool.Close()
		return nil, nil, err
	}
	return userstore.New(pool), pool.Close, nil
}
