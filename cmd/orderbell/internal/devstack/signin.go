package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"orderbell/cmd/orderbell/internal/provider"
	"orderbell/internal/origin"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/internal/store/userstore"
)

// signIn is the OpenID provider that the page signs in with. It has a port of its own, as a real provider is at another
// origin.
type signIn struct {
	settings origin.Settings
	server   *origin.Server
	pool     *database.Pool
}

// startSignIn starts the provider and puts its issuer into the environment, where the programs read it.
func (s *Stack) startSignIn(ctx context.Context) (_ *signIn, err error) {
	var cfg struct {
		Settings origin.Settings
		Database database.Config
	}
	if err := service.Load(&cfg); err != nil {
		return nil, err
	}
	listeners, err := origin.Listen(ctx, 0)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			for _, l := range listeners {
				_ = l.Close() // the server may have closed it already
			}
		}
	}()
	cfg.Settings.Issuer, cfg.Settings.ClientID = origin.Address(listeners), provider.ClientID
	if err := errors.Join(cfg.Settings.Check(), os.Setenv("AUTH_DEV_ISSUER", cfg.Settings.Issuer)); err != nil {
		return nil, err
	}
	cfg.Database.MaxConns = 1
	pool, err := database.Open(ctx, cfg.Database, "orderbell-dev")
	if err != nil {
		return nil, err
	}
	handler, err := provider.New(provider.Config{
		Issuer: cfg.Settings.Issuer, Page: s.Origin, Audience: s.Tokens.Auth.Audience, TokenLife: s.opts.Config.TokenLife,
		Users: s.users(userstore.New(pool)),
	})
	if err != nil {
		pool.Close()
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(s.opts.Console.Voice("sign-in"), nil))
	return &signIn{settings: cfg.Settings, server: origin.Serve(handler, listeners, log), pool: pool}, nil
}

// mostUsers bounds the list of a business on the provider's page.
const mostUsers = 200

// users returns the users of the demo businesses as they are now: those who were added on the page can sign in too.
func (s *Stack) users(store *userstore.Store) func(context.Context) ([]provider.Business, error) {
	return func(ctx context.Context) ([]provider.Business, error) {
		var all []provider.Business
		for _, b := range s.Businesses {
			users, _, err := store.Users(ctx, b.Tenant.ID, "", mostUsers)
			if err != nil {
				return nil, fmt.Errorf("users of %s: %w", b.Tenant.ID, err)
			}
			all = append(all, provider.Business{Name: b.Tenant.Name, Users: users})
		}
		return all, nil
	}
}

func (s *signIn) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, streamPatience)
	defer cancel()
	err := s.server.Stop(ctx)
	s.pool.Close()
	return err
}
