// Command frontend is the front end in a cluster: it serves the built page and passes /api on to the programs.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"

	"orderbell/internal/origin"
	"orderbell/internal/paths"
	"orderbell/internal/service"
)

func main() { service.Main("frontend", run) }

func run(ctx context.Context, s *service.Service) error {
	var cfg struct {
		OrderAPI string `envconfig:"ORDER_API_URL" required:"true"`
		UserAPI  string `envconfig:"USER_API_URL" required:"true"`
		Gateway  string `envconfig:"SSE_GATEWAY_URL" required:"true"`
		Files    string `envconfig:"KO_DATA_PATH" required:"true"`     // the built page; ko's images set it
		Overlay  string `envconfig:"FRONTEND_OVERLAY" default:"/site"` // its files replace those of Files
		Headers  origin.Headers
		Settings origin.Settings
	}
	if err := service.Load(&cfg); err != nil {
		return err
	}
	var routes []origin.Route
	for program, address := range map[string]string{"order-api": cfg.OrderAPI, "user-api": cfg.UserAPI, "sse-gateway": cfg.Gateway} {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" {
			return fmt.Errorf("address of %s is %q, want http://host", program, address)
		}
		for _, path := range paths.Of(program) {
			routes = append(routes, origin.Route{Path: path, Target: u, ByName: true})
		}
	}
	files, err := origin.NewFiles(origin.Layers{os.DirFS(cfg.Overlay), os.DirFS(cfg.Files)})
	if err != nil {
		return err
	}
	logger := slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn)
	return s.ServePublic(ctx, origin.New(origin.Config{Routes: routes, Settings: cfg.Settings, Files: files, Log: logger, Headers: cfg.Headers}))
}
