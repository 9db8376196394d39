package userstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

// TestOperatorsTransactionsAreRepeated has the server forget what was prepared before each call, and so refuse its statements.
func TestOperatorsTransactionsAreRepeated(t *testing.T) {
	t.Parallel()
	cfg := databasetest.Config(databasetest.URL(t))
	cfg.MaxConns = 1
	pool, err := database.Open(t.Context(), cfg, t.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	s := userstore.New(pool)
	if err := s.EnsureTenant(t.Context(), user.Tenant{ID: "demo", Name: "Demo", Locale: "en", Currency: "EUR", TimeZone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func(context.Context) error{
		"read the limits of all": func(ctx context.Context) error {
			_, err := s.AllLimits(ctx)
			return err
		},
		"set limits": func(ctx context.Context) error {
			_, err := s.SetLimits(ctx, "demo", "operator:ana", map[user.Limit]*int64{user.MaxUsers: ptr(int64(5))})
			return err
		},
		"allow a source": func(ctx context.Context) error {
			_, err := s.AllowSource(ctx, "/tills", "demo", "operator:ana")
			return err
		},
		"read the audit trail": func(ctx context.Context) error {
			_, err := s.Records(ctx, "demo", time.Time{}, 10)
			return err
		},
	} {
		for range 3 {
			if err := call(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := pool.Exec(t.Context(), "DEALLOCATE ALL", pgx.QueryExecModeSimpleProtocol); err != nil {
				t.Fatal(err)
			}
		}
	}
}
