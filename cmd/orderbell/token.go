package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"orderbell/cmd/orderbell/internal/devstack"
	"orderbell/cmd/orderbell/internal/seed"
	"orderbell/internal/auth"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

type tokenOptions struct {
	tenant, email, data string
	ttl                 time.Duration
}

func newTokenCommand() *cobra.Command {
	var o tokenOptions
	cmd := &cobra.Command{
		Use:   "token --tenant TENANT --email ADDRESS",
		Short: "Print a development token for a user of the database",
		Long: `Print a development token for a user of the database.

The command uses DATABASE_URL and AUTH_DEV_SECRET or, if they are not set, the database and the secret of the orderbell dev
that runs on the data directory.`,
		Example: `  orderbell token --tenant demo --email owner@demo.example
  curl -H "Authorization: Bearer $(orderbell token --tenant demo --email viewer@demo.example)" \
    http://localhost:8080/api/orders/snapshot`,
		Args: noArguments,
		PreRunE: func(*cobra.Command, []string) error {
			if o.ttl < time.Second {
				return fmt.Errorf("--ttl must be 1s or more, not %s", o.ttl)
			}
			return nil
		},
		RunE: work(func(cmd *cobra.Command, _ []string) error {
			token, err := makeToken(cmd.Context(), o)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
			return err
		}),
	}
	cmd.Flags().StringVar(&o.tenant, "tenant", "", "id of the tenant, such as demo")
	cmd.Flags().StringVar(&o.email, "email", "", "mail address of the user, such as owner@demo.example")
	cmd.Flags().DurationVar(&o.ttl, "ttl", devstack.TokenTTL, "how long the token is valid")
	cmd.Flags().StringVar(&o.data, "data", defaultData, "data directory of orderbell dev")
	require(cmd, "tenant", "email")
	return cmd
}

func makeToken(ctx context.Context, o tokenOptions) (string, error) {
	if err := adoptDevStack(o.data, "DATABASE_URL", "AUTH_DEV_SECRET"); err != nil {
		return "", err
	}
	var cfg struct {
		Database database.Config
		Auth     auth.Config
	}
	if err := service.Load(&cfg); err != nil {
		return "", err
	}
	cfg.Auth.JWKSURL = ""
	cfg.Database.MaxConns = 1
	pool, err := database.Open(ctx, cfg.Database, "orderbell-token")
	if err != nil {
		return "", err
	}
	defer pool.Close()
	found, err := userstore.New(pool).FindByEmail(ctx, o.tenant, o.email)
	if errors.Is(err, user.ErrNotFound) {
		return "", noUser(o.tenant, o.email)
	}
	if err != nil {
		return "", err
	}
	token, _, err := seed.Tokens{Auth: cfg.Auth, TTL: o.ttl}.For(found, time.Now())
	return token, err
}
