package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"orderbell/internal/auth"
	"orderbell/internal/feed"
	"orderbell/internal/service"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

type revokeOptions struct {
	tenant, user, subject, tokenID, data string
}

func newRevokeCommand() *cobra.Command {
	var o revokeOptions
	cmd := &cobra.Command{
		Use:   "revoke --tenant TENANT (--user USER | --subject SUB | --token-id ID)",
		Short: "Revoke tokens: every API refuses them, and their streams end",
		Long: `Revoke tokens: every API refuses them within a second, and their streams end. A revocation lasts longer than any token is
valid, so that no revoked token becomes valid again.

--user, the address or the id of a user, revokes all tokens issued to the user until now. A token counts as issued AUTH_LEEWAY
earlier than it says, since the issuer's clock may be ahead: a user who signs in at once is refused until that has passed.
--subject does the same for a service account, which is not a user. --token-id revokes one token by its claim jti.

The revocation is kept in the database, with a record of the audit trail, and announced by Redis. If Redis is down the command
fails, but the revocation takes effect within a minute. Run it again to end streams at once.

The command uses the database of DATABASE_URL and the Redis of REDIS_URL or, if that is not set, of the orderbell dev that runs on the data directory.`,
		Example: `  orderbell revoke --tenant demo --user cashier@demo.example
  orderbell revoke --tenant demo --subject till-bridge
  orderbell revoke --tenant demo --token-id 4f1c`,
		Args: noArguments,
		PreRunE: func(*cobra.Command, []string) error {
			switch {
			case len(slices.DeleteFunc([]string{o.user, o.subject, o.tokenID}, func(s string) bool { return s == "" })) != 1:
				return errors.New("give one of --user, --token-id and --subject")
			case len(o.subject) > 255 || len(o.tokenID) > 1000:
				return errors.New("--subject can have at most 255 bytes, --token-id at most 1000")
			}
			return nil
		},
		RunE: work(func(cmd *cobra.Command, _ []string) error {
			what, err := revoke(cmd.Context(), o)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s of tenant %s: revoked\n", what, o.tenant)
			return err
		}),
	}
	cmd.Flags().StringVar(&o.tenant, "tenant", "", "id of the tenant, such as demo")
	require(cmd, "tenant")
	cmd.Flags().StringVar(&o.user, "user", "", "the address or the id of a user")
	cmd.Flags().StringVar(&o.subject, "subject", "", "claim sub of a service account's tokens")
	cmd.Flags().StringVar(&o.tokenID, "token-id", "", "claim jti of one token")
	cmd.Flags().StringVar(&o.data, "data", defaultData, "data directory of orderbell dev")
	var ignored time.Duration
	cmd.Flags().DurationVar(&ignored, "for", 0, "has no effect")
	_ = cmd.Flags().MarkDeprecated("for", "a revocation lasts longer than any token") // the flag exists
	return cmd
}

// revoke returns what was revoked.
func revoke(ctx context.Context, o revokeOptions) (what string, err error) {
	if err := adoptDevStack(o.data, "REDIS_URL", "DATABASE_URL"); err != nil {
		return "", err
	}
	var redis feed.Config
	if err := service.Load(&redis); err != nil {
		return "", err
	}
	f, err := feed.Open(redis)
	if err != nil {
		return "", err
	}
	defer f.Close()                                    //nolint:errcheck // everything was sent
	now := time.Now().UTC().Truncate(time.Microsecond) // as the database keeps it
	r := auth.Revocation{TenantID: o.tenant, UserID: o.subject, TokenID: o.tokenID, At: now, Until: now.Add(auth.RevocationKept)}
	target := "token:" + o.tokenID
	what = "token " + o.tokenID
	if o.subject != "" {
		target, what = "service:"+o.subject, "the tokens of subject "+o.subject
	}
	return what, withUsers(ctx, o.data, func(store *userstore.Store) error {
		if err := store.HasTenant(ctx, o.tenant); errors.Is(err, user.ErrNoTenant) {
			return noTenant(o.tenant)
		} else if err != nil {
			return err
		}
		if o.user != "" {
			who, err := findUser(ctx, store, o.tenant, o.user)
			if err != nil {
				return err
			}
			r.UserID, target, what = who.ID, "user:"+who.ID, "the tokens of user "+who.Email
		}
		err := store.KeepRevocation(ctx, r, user.Record{
			TenantID: o.tenant, Actor: operator(), Action: "tokens.revoked", Target: target, Outcome: user.Done,
		})
		if err != nil {
			return err
		}
		if err := f.Revoke(ctx, r); err != nil {
			return fmt.Errorf("%s of tenant %s: revoked within a minute, but open streams go on until the command is run again: %w", what, o.tenant, err)
		}
		return nil
	})
}

// findUser returns the tenant's user with the address or the id.
func findUser(ctx context.Context, store *userstore.Store, tenant, who string) (found user.User, err error) {
	if uuid.Validate(who) == nil {
		found, err = store.Find(ctx, tenant, who)
	} else {
		found, err = store.FindByEmail(ctx, tenant, who)
	}
	if errors.Is(err, user.ErrNotFound) {
		return user.User{}, noUser(tenant, who)
	}
	return found, err
}
