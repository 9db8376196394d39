package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"orderbell/internal/auth"
	"orderbell/internal/feed"
	"orderbell/internal/service"
	"orderbell/internal/user"
)

type revokeOptions struct {
	tenant, user, tokenID, data string
	life                        time.Duration
}

func newRevokeCommand() *cobra.Command {
	var o revokeOptions
	cmd := &cobra.Command{
		Use:   "revoke --tenant TENANT (--user ID | --token-id ID)",
		Short: "Revoke tokens: their streams end, and no new streams open",
		Long: `Revoke tokens: their streams end at once, and they open no new streams for the time of --for, which must cover the remaining
lifetime of the tokens.

--user revokes all tokens issued to the user until now; later tokens are valid. --token-id revokes one token by its claim jti.
The command uses the Redis of REDIS_URL or, if that is not set, of the orderbell dev that runs on the data directory.`,
		Example: `  orderbell revoke --tenant demo --user 0190aaaa-0000-7000-8000-000000000001
  orderbell revoke --tenant demo --token-id 4f1c --for 1h`,
		Args: cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error {
			switch {
			case !user.IsTenantID(o.tenant):
				return fmt.Errorf("--tenant is %q, which names no tenant", o.tenant)
			case (o.user == "") == (o.tokenID == ""):
				return errors.New("want --user or --token-id, one of the two")
			case o.life < time.Second:
				return fmt.Errorf("--for is %s, want 1s or more", o.life)
			}
			return nil
		},
		RunE: work(func(cmd *cobra.Command, _ []string) error {
			if err := revoke(cmd.Context(), o); err != nil {
				return err
			}
			what := "the tokens of user " + o.user
			if o.tokenID != "" {
				what = "token " + o.tokenID
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s of tenant %s: revoked for %s\n", what, o.tenant, o.life)
			return err
		}),
	}
	cmd.Flags().StringVar(&o.tenant, "tenant", "", "id of the tenant, such as demo")
	cmd.Flags().StringVar(&o.user, "user", "", "the user's id, the claim sub of its tokens")
	cmd.Flags().StringVar(&o.tokenID, "token-id", "", "claim jti of one token")
	cmd.Flags().DurationVar(&o.life, "for", 24*time.Hour, "how long the revocation lasts: at least the lifetime of tokens")
	cmd.Flags().StringVar(&o.data, "data", defaultData, "data directory of orderbell dev")
	return cmd
}

func revoke(ctx context.Context, o revokeOptions) error {
	if err := adoptDevStack(o.data, "REDIS_URL"); err != nil {
		return err
	}
	var cfg struct{ Feed feed.Config }
	if err := service.Load(&cfg); err != nil {
		return err
	}
	f, err := feed.Open(cfg.Feed)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // everything was sent
	now := time.Now()
	return f.Revoke(ctx, auth.Revocation{
		TenantID: o.tenant, UserID: o.user, TokenID: o.tokenID, At: now, Until: now.Add(o.life),
	})
}
