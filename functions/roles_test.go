package functions_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"orderbell/internal/audit"
	"orderbell/internal/mail"
	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/eventstore"
	"orderbell/internal/store/orderstore"
	"orderbell/internal/store/outbox"
	"orderbell/internal/store/userstore"
	"orderbell/internal/store/verdicts"
	"orderbell/internal/user"
)

// as returns a pool of the role on w's database.
func (w world) as(t *testing.T, role string) *database.Pool {
	t.Helper()
	return databasetest.Open(t, databasetest.As(t, w.pool.Config().ConnString(), role))
}

// TestEachProgramWorksWithItsRole calls the stores as the programs do, each under the role of its program.
func TestEachProgramWorksWithItsRole(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for doing, do := range w.work(t) {
		if err := do(t.Context()); err != nil {
			t.Errorf("%s: %v", doing, err)
		}
	}
	ctx := t.Context()
	sweeper, relay, functions := w.as(t, "orderbell_delivery_sweeper"), w.as(t, "orderbell_outbox_relay"), w.as(t, "orderbell_functions")
	userAPI := w.as(t, "orderbell_user_api")
	operator, reader, gateway := w.as(t, "orderbell_operator"), w.as(t, "orderbell_reader"), w.as(t, "orderbell_sse_gateway")
	today := time.Now().UTC().Truncate(24 * time.Hour)
	for doing, do := range map[string]func(context.Context) error{
		"sweeper makes days": func(ctx context.Context) error {
			made, err := eventstore.New(sweeper, "").EnsureDays(ctx, today.AddDate(0, 0, -60), today.AddDate(0, 0, 20))
			if made == 0 {
				t.Error("no day was made")
			}
			return err
		},
		"sweeper lists tenants with mails": func(ctx context.Context) error {
			_, err := eventstore.New(sweeper, "").DueTenants(ctx, mail.Terms{Lease: time.Minute, MailsPerHour: 10})
			return err
		},
		"sweeper forgets outbox rows": func(ctx context.Context) error {
			_, err := outbox.New(sweeper).ForgetSent(ctx, time.Now().Add(time.Hour), 10)
			return err
		},
		"sweeper forgets keys": func(ctx context.Context) error {
			_, err := orderstore.New(sweeper).ForgetKeys(ctx, time.Now().Add(-time.Hour), 10)
			return err
		},
		"sweeper forgets links": func(ctx context.Context) error {
			_, err := userstore.New(sweeper).ForgetOptOuts(ctx, time.Now(), 10)
			return err
		},
		"relay counts mails": func(ctx context.Context) error {
			_, _, err := eventstore.New(relay, "").Waiting(ctx)
			return err
		},
		"relay reads the verdict": func(ctx context.Context) error {
			_, _, err := verdicts.New(relay).Last(ctx)
			return err
		},
		"sweeper forgets notifications": func(ctx context.Context) error {
			_, err := eventstore.New(sweeper, "").ForgetNotifications(ctx, time.Now().AddDate(0, 0, -90), 10)
			return err
		},
		"sweeper forgets mails": func(ctx context.Context) error {
			_, err := eventstore.New(sweeper, "").ForgetMails(ctx, time.Now().AddDate(0, 0, -90), 10)
			return err
		},
		"functions list tenants with mails": func(ctx context.Context) error {
			_, err := eventstore.New(functions, "").DueTenants(ctx, mail.Terms{Lease: time.Minute, MailsPerHour: 10})
			return err
		},
		"functions claim a mail of a tenant": func(ctx context.Context) error {
			_, _, err := eventstore.New(functions, "").ClaimOfTenant(ctx, "acme", mail.Terms{Lease: time.Minute, MailsPerHour: 10})
			return err
		},
		"user-api keeps a code": func(ctx context.Context) error {
			return userstore.New(userAPI).BeginPairing(ctx, "BCDF-GHJK", strings.Repeat("ab", 32))
		},
		"user-api pairs a device": func(ctx context.Context) error {
			d := user.Device{TenantID: "acme", Name: "Till", Role: user.Kitchen}
			err := userstore.New(userAPI).BeginPairing(ctx, "BCDF-GHJL", strings.Repeat("cd", 32))
			if err == nil {
				_, err = userstore.New(userAPI).Pair(ctx, d, "BCDF-GHJL", 10, user.Act{Actor: "user:x"}, w.owner.ID)
			}
			return err
		},
		"user-api refuses a code": func(ctx context.Context) error {
			return userstore.New(userAPI).RefusePairing(ctx, "acme", user.Act{Actor: "user:x"})
		},
		"gateway finds a device": func(ctx context.Context) error {
			if _, err := userstore.New(gateway).DeviceRole(ctx, "acme", w.owner.ID, strings.Repeat("ef", 32)); !errors.Is(err, user.ErrNotFound) {
				return err
			}
			return nil
		},
		"functions ask for a source": func(ctx context.Context) error {
			_, err := eventstore.New(functions, "").SourceAllowed(ctx, "/x", "acme")
			return err
		},
		"gateway finds a user": func(ctx context.Context) error {
			_, err := userstore.New(gateway).Find(ctx, "acme", w.owner.ID)
			return err
		},
		"operator founds a tenant": func(ctx context.Context) error {
			_, err := userstore.New(operator).Found(ctx, user.Tenant{ID: "third", Name: "Third", Locale: "en"},
				user.User{Email: "ana@third.example", Name: "Ana", Roles: []user.Role{user.Owner}}, "operator:x")
			return err
		},
		"operator lists tenants": func(ctx context.Context) error {
			_, err := userstore.New(operator).Tenants(ctx)
			return err
		},
		"operator sets limits": func(ctx context.Context) error {
			five := int64(5)
			_, err := userstore.New(operator).SetLimits(ctx, "acme", "operator:test", map[user.Limit]*int64{user.MaxUsers: &five})
			return err
		},
		"operator allows a source": func(ctx context.Context) error {
			_, err := userstore.New(operator).AllowSource(ctx, "/y", "acme", "operator:test")
			return err
		},
		"operator makes mails due again": func(ctx context.Context) error {
			_, err := eventstore.New(operator, "").Retry(ctx, []string{w.owner.ID}, "operator:x")
			return err
		},
		"operator takes an address off the list": func(ctx context.Context) error {
			_, err := eventstore.New(operator, "").Unsuppress(ctx, []string{"ana@acme.example"}, "operator:x")
			return err
		},
		"reader keeps a verdict": func(ctx context.Context) error {
			return verdicts.New(reader).Save(ctx, audit.Verdict{BeganAt: today, EndedAt: today, Since: today, Until: today})
		},
	} {
		if err := do(ctx); err != nil {
			t.Errorf("%s: %v", doing, err)
		}
	}
	dropped, err := eventstore.New(sweeper, "").ForgetDays(ctx, today.AddDate(0, 0, -30))
	if err != nil || dropped == 0 {
		t.Errorf("sweeper forgets days: %d, %v", dropped, err)
	}
}
