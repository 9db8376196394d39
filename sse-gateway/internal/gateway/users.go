package gateway

import (
	"context"
	"os"

	"orderbell/internal/rights"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/internal/store/userstore"
)

// usersConns is enough for lookups of a few hundred microseconds each, of which a user needs one in seconds.
const usersConns = 2

// OpenUsers returns what knows the roles of users, by the database of DATABASE_URL. Where that is not set, a gateway without
// a database, it returns nil: the roles of the tokens hold then, while revocations and changes still end streams.
func OpenUsers(ctx context.Context, svc *service.Service) (rights.Users, func(), error) {
	if os.Getenv("DATABASE_URL") == "" {
		svc.Log.WarnContext(ctx, "DATABASE_URL is not set: the roles of the tokens hold, and a user who does not exist is let in")
		return nil, func() {}, nil
	}
	var cfg database.Config
	if err := service.Load(&cfg); err != nil {
		return nil, nil, err
	}
	cfg.MaxConns = min(cfg.MaxConns, usersConns)
	pool, err := database.Open(ctx, cfg, svc.Name)
	if err != nil {
		return nil, nil, err
	}
	if err := svc.Observe(pool); err != nil {
		pool.Close()
		return nil, nil, err
	}
	return userstore.New(pool), pool.Close, nil
}
