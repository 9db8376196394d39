package gateway

import (
	"context"

	"orderbell/internal/rights"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/internal/store/userstore"
)

// usersConns is enough for lookups of a few hundred microseconds each, of which a user needs one in seconds.
const usersConns = 2

// OpenUsers returns the lookup of users' roles in the database of cfg. Without a database, cfg is nil and so is the lookup:
// then the roles of the tokens hold, while revocations and changes still end streams.
func OpenUsers(ctx context.Context, cfg *database.Config, svc *service.Service) (rights.Users, func(), error) {
	if cfg == nil {
		svc.Log.WarnContext(ctx, "DATABASE_URL is not set: the roles of the tokens hold, and a user who does not exist is let in")
		return nil, func() {}, nil
	}
	few := *cfg
	few.MaxConns = min(cfg.MaxConns, usersConns)
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
