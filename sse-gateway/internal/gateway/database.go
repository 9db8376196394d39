package gateway

import (
	"context"

	"orderbell/internal/rights"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/internal/store/userstore"
	"orderbell/sse-gateway/internal/stream"
)

// conns is enough: a lookup takes a few hundred microseconds and is cached for seconds.
const conns = 2

// Database is the gateway's access to PostgreSQL.
type Database interface {
	rights.Users
	stream.TenantLimits
}

// OpenDatabase returns the lookup of users' roles and tenants' limits in the database of cfg. Without a database, cfg
// and the lookup are nil: then the roles of the tokens and the limits of the configuration apply. Revocations and
// changes of roles still end streams.
func OpenDatabase(ctx context.Context, cfg *database.Config, svc *service.Service) (Database, func(), error) {
	if cfg == nil {
		svc.Log.WarnContext(ctx, "DATABASE_URL is not set: roles are those of the tokens, users who do not exist are admitted, and limits of single tenants do not apply")
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
