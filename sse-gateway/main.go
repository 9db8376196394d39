// Command sse-gateway streams a tenant's orders to its browsers and tills.
package main

import (
	"context"
	"net/http"
	"time"

	"orderbell/internal/service"
	"orderbell/sse-gateway/internal/gateway"
)

func main() {
	service.Main("sse-gateway", func(ctx context.Context, svc *service.Service) error {
		var cfg gateway.Config
		if err := service.Load(&cfg); err != nil {
			return err
		}
		users, closeUsers, err := gateway.OpenUsers(ctx, svc)
		if err != nil {
			return err
		}
		defer closeUsers()
		g, err := gateway.Start(ctx, cfg, users, svc.Log, svc.Meter)
		if err != nil {
			return err
		}
		defer g.Close()
		svc.Ready(service.Check{Name: "redis", Probe: g.Probe})
		// A stream lives for hours, so there is no write timeout. A request's headers are few, 431 beyond, and its body is
		// nothing to wait for.
		server := &http.Server{
			Handler: svc.Handler(g), ReadTimeout: 15 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		}
		return svc.ServeWith(ctx, server, g.Drain)
	})
}
