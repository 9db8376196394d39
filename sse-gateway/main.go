// Command sse-gateway streams a tenant's orders to its browsers and tills.
package main

import (
	"context"
	"errors"
	"os"

	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/sse-gateway/internal/gateway"
)

func main() {
	service.Main("sse-gateway", func(ctx context.Context, svc *service.Service) error {
		cfg, db, err := load()
		if err != nil {
			return err
		}
		known, closeDatabase, err := gateway.OpenDatabase(ctx, db, svc)
		if err != nil {
			return err
		}
		defer closeDatabase()
		g, err := gateway.Start(ctx, cfg, known, svc.Log, svc.Meter)
		if err != nil {
			return err
		}
		defer g.Close()
		svc.Ready(service.Check{Name: "redis", Probe: g.Probe})
		return svc.Serve(ctx, g, g.Drain)
	})
}

// load returns the configuration. Its database is nil without DATABASE_URL.
func load() (cfg gateway.Config, db *database.Config, err error) {
	if os.Getenv("DATABASE_URL") != "" {
		db = &database.Config{}
		err = service.Load(db)
	}
	err = errors.Join(err, service.Load(&cfg))
	return cfg, db, err
}
