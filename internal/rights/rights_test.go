package rights_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/auth"
	"orderbell/internal/problem"
	"orderbell/internal/rights"
	"orderbell/internal/user"
)

// users has one user in tenant demo, u1.
type users struct {
	roles []user.Role // nil: the user was removed
	err   error
	asked int

	mu      sync.Mutex
	refused []user.Record
}

func (u *users) Roles(_ context.Context, tenantID, userID string) ([]user.Role, error) {
	u.asked++
	switch {
	case u.err != nil:
		return nil, u.err
	case tenantID != "demo" || userID != "u1" || u.roles == nil:
		return nil, user.ErrNotFound
	}
	return u.roles, nil
}

// DeviceRole knows one device of tenant demo, d1.
func (u *users) DeviceRole(_ context.Context, tenantID, id, hash string) (user.Role, error) {
	u.asked++
	if u.err != nil {
		return "", u.err
	}
	if tenantID != "demo" || id != "d1" || hash != "its-own" || u.roles == nil {
		return "", user.ErrNotFound
	}
	return user.Kitchen, nil
}

// Revocations implements [rights.Source]: the database has none.
func (*users) Revocations(context.Context) ([]auth.Revocation, error) { return nil, nil }

func (u *users) AddRefusals(_ context.Context, tenantID string, all []user.Record) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, r := range all {
		if r.TenantID != tenantID {
			return fmt.Errorf("a refusal of %s among those of %s", r.TenantID, tenantID)
		}
	}
	u.refused = append(u.refused, all...)
	return nil
}

func owner(id string) auth.Principal {
	return auth.Principal{TenantID: "demo", UserID: id, Roles: []user.Role{user.Owner}, Issued: time.Now().Add(-time.Minute), TokenID: "t-" + id}
}

func TestCurrent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &users{roles: []user.Role{user.Cashier}}
		var told atomic.Int32
		cfg := rights.Config{CacheFor: 5 * time.Second, Accounts: rights.Accounts{"demo/till": {user.Cashier}, "*/monitor": {user.Viewer}}}
		c, err := rights.New(cfg, &source{}, u, slog.New(slog.DiscardHandler), func(auth.Revocation) { told.Add(1) })
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var temporary interface{ Temporary() bool }
		if _, err := c.Current(ctx, owner("u1")); !errors.As(err, &temporary) || !temporary.Temporary() {
			t.Errorf("before the revocations were read: %v, want a temporary error", err)
		}
		go c.List().Run(ctx)
		c.List().RevocationsConfirmed()
		synctest.Wait()

		is := func(what string, p auth.Principal, roles ...user.Role) auth.Principal {
			t.Helper()
			got, err := c.Current(ctx, p)
			if err != nil {
				t.Errorf("%s: %v", what, err)
			} else if !slices.Equal(got.Roles, roles) {
				t.Errorf("%s: roles are %v, want %v", what, got.Roles, roles)
			}
			return got
		}
		refused := func(what string, p auth.Principal) {
			t.Helper()
			var refused *problem.Problem
			if got, err := c.Current(ctx, p); !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized {
				t.Errorf("%s: %+v, %v, want 401", what, got, err)
			}
		}
		is("a user has the roles of the row", owner("u1"), user.Cashier)
		is("a user who does not exist", owner("u2"))
		elsewhere := owner("u1")
		elsewhere.TenantID = "other"
		is("the user's id in another tenant", elsewhere)
		if got := is("a service account has the roles of the configuration", owner("till"), user.Cashier); !got.Service || got.Actor() != "service:till" {
			t.Errorf("the account is %+v", got)
		}
		elsewhere.UserID = "till"
		is("the account's name in another tenant", elsewhere)
		elsewhere.UserID = "monitor"
		is("an account of any tenant", elsewhere, user.Viewer)

		asked := u.asked
		before := is("the roles are cached", owner("u1"), user.Cashier)
		if u.asked != asked {
			t.Errorf("the row was read %d times more", u.asked-asked)
		}
		u.roles = []user.Role{user.Viewer}
		is("a change that was not announced applies later", owner("u1"), user.Cashier)
		change := auth.Revocation{TenantID: "demo", UserID: "u1", Changed: true, At: time.Now(), Until: time.Now().Add(time.Minute)}
		c.List().Revoked(change)
		after := is("an announced change applies at once, and revokes no token", owner("u1"), user.Viewer)
		if told.Load() != 1 {
			t.Errorf("told %d times of the change", told.Load())
		}
		if !change.Covers(before) {
			t.Error("a stream that was admitted with the old roles continues")
		}
		time.Sleep(time.Second)
		later := auth.Revocation{TenantID: "demo", UserID: "u1", Changed: true, At: after.Checked.Add(-time.Nanosecond), Until: time.Now().Add(time.Minute)}
		if later.Covers(after) {
			t.Error("a change ends streams that were admitted after it")
		}

		time.Sleep(5 * time.Second)
		u.err = errors.New("no answer")
		is("without the database the last known roles apply", owner("u1"), user.Viewer)
		if _, err := c.Current(ctx, owner("u3")); err == nil {
			t.Error("an unknown user is admitted without the database")
		}
		time.Sleep(10 * time.Minute)
		if _, err := c.Current(ctx, owner("u1")); err == nil {
			t.Error("the last known roles apply without end")
		}
		u.err = nil

		c.List().Revoked(auth.Revocation{TenantID: "demo", TokenID: "t-till", At: time.Now(), Until: time.Now().Add(time.Minute)})
		refused("a revoked token of an account", owner("till"))
		is("a user's token that was not revoked", owner("u1"), user.Viewer)
		u.roles = nil
		c.List().Revoked(change)
		c.List().Revoked(auth.Revocation{TenantID: "demo", UserID: "u1", At: time.Now(), Until: time.Now().Add(time.Minute)})
		refused("a removed user's token", owner("u1"))
		fresh := owner("u1")
		fresh.Issued = time.Now().Add(time.Second)
		is("a removed user's new token", fresh)
	})
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]rights.Accounts{
		"":                  {},
		"demo/till:cashier": {"demo/till": {user.Cashier}},
		" */a:b/c:owner+viewer , x/y:kitchen+kitchen": {"*/a:b/c": {user.Owner, user.Viewer}, "x/y": {user.Kitchen}},
	} {
		var got rights.Accounts
		if err := got.Decode(text); err != nil || !cmp.Equal(want, got) {
			t.Errorf("%q is read as %v, %v, want %v", text, got, err, want)
		}
	}
	for text, says := range map[string]string{
		"till:cashier": "TENANT/SUBJECT:ROLE", "demo/till": "TENANT/SUBJECT:ROLE", "demo/:cashier": "TENANT/SUBJECT:ROLE",
		"{x}/till:cashier": "TENANT/SUBJECT:ROLE", "demo/till:": "not one of the roles", "demo/till:boss": "not one of the roles",
	} {
		var got rights.Accounts
		if err := got.Decode(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}

func TestRefusalsAreCountedAndBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &users{}
		c, err := rights.New(rights.Config{}, &source{}, u, slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c.Run(ctx)
		}()
		refuse := func(tenant, actor string) {
			c.Refused(user.Record{TenantID: tenant, Actor: actor, Action: "sign_in", Address: "192.0.2.1", Outcome: user.Refused, Detail: "the token was revoked"})
		}
		for range 3 {
			refuse("demo", "user:u1")
		}
		time.Sleep(6 * time.Second)
		want := []user.Record{{
			TenantID: "demo", Actor: "user:u1", Action: "sign_in", Address: "192.0.2.1", Outcome: user.Refused, Detail: "the token was revoked", Times: 3,
		}}
		if diff := cmp.Diff(want, u.refused); diff != "" {
			t.Error(diff)
		}
		u.refused = nil
		for i := range 300 {
			for j := range 60 {
				refuse(fmt.Sprint("t", i), fmt.Sprint("user:", j))
			}
		}
		cancel() // what was counted is written at the end
		<-ended
		var times int64
		tenants := map[string]int{}
		for _, r := range u.refused {
			times += r.Times
			tenants[r.TenantID]++
		}
		if times != 300*60 || len(tenants) > 201 || len(u.refused) > 201*51 {
			t.Errorf("%d refusals in %d records of %d tenants", times, len(u.refused), len(tenants))
		}
	})
}

func TestADevice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &users{roles: []user.Role{user.Owner}}
		c, err := rights.New(rights.Config{CacheFor: 5 * time.Second, Accounts: rights.Accounts{"*/d1": {user.Owner}}}, &source{}, u, slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go c.List().Run(ctx)
		c.List().RevocationsConfirmed()
		synctest.Wait()
		device := func(tenantID, id, hash string) auth.Principal {
			return auth.Principal{TenantID: tenantID, UserID: id, Device: hash}
		}
		refused := func(what string, p auth.Principal) {
			t.Helper()
			var refused *problem.Problem
			if got, err := c.Current(ctx, p); !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized {
				t.Errorf("%s: %+v, %v, want 401", what, got, err)
			}
		}
		got, err := c.Current(ctx, device("demo", "d1", "its-own"))
		if err != nil || !slices.Equal(got.Roles, []user.Role{user.Kitchen}) || got.Actor() != "device:d1" {
			t.Errorf("a device is %+v as %s, %v, want the role of its row", got, got.Actor(), err)
		}
		asked := u.asked
		if _, err := c.Current(ctx, device("demo", "d1", "its-own")); err != nil || u.asked != asked {
			t.Errorf("the role is read again: %v, %d times", err, u.asked-asked)
		}
		refused("another secret", device("demo", "d1", "a-guess"))
		refused("the same guess, which is not cached", device("demo", "d1", "a-guess"))
		if u.asked != asked+2 {
			t.Errorf("two guesses are %d lookups, want 2", u.asked-asked)
		}
		refused("a device of another tenant", device("other", "d1", "its-own"))
		refused("a user as a device", device("demo", "u1", "its-own"))
		if got, err := c.Current(ctx, auth.Principal{TenantID: "demo", UserID: "d2"}); err != nil || len(got.Roles) > 0 {
			t.Errorf("a user's token with the id of a device is %+v, %v", got, err)
		}
		c.List().Revoked(auth.Revocation{TenantID: "demo", UserID: "d1", At: time.Now(), Until: time.Now().Add(time.Hour)})
		refused("a revoked device, although its role is cached", device("demo", "d1", "its-own"))
		u.roles = nil // the row is revoked too
		time.Sleep(2 * time.Hour)
		refused("a revoked device, after the revocation is forgotten", device("demo", "d1", "its-own"))

		without, err := rights.New(rights.Config{}, &source{}, nil, slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		go without.List().Run(ctx)
		without.List().RevocationsConfirmed()
		synctest.Wait()
		var problem *problem.Problem
		if got, err := without.Current(ctx, device("demo", "d1", "its-own")); !errors.As(err, &problem) || problem.Status != http.StatusUnauthorized {
			t.Errorf("without a database a device is %+v, %v, want 401", got, err)
		}
	})
}

// during is users of whom something changes right after a row was read.
type during struct {
	*users

	change func()
}

func (d *during) Roles(ctx context.Context, tenantID, id string) ([]user.Role, error) {
	roles, err := d.users.Roles(ctx, tenantID, id)
	d.change()
	return roles, err
}

func (d *during) DeviceRole(ctx context.Context, tenantID, id, hash string) (user.Role, error) {
	role, err := d.users.DeviceRole(ctx, tenantID, id, hash)
	d.change()
	return role, err
}

func TestWhatChangesDuringALookupCounts(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]auth.Principal{"a user": owner("u1"), "a device": {TenantID: "demo", UserID: "d1", Device: "its-own"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p.Issued = time.Now().Add(-time.Minute)
				u := &during{users: &users{roles: []user.Role{user.Owner}}, change: func() {}}
				c, err := rights.New(rights.Config{CacheFor: 5 * time.Second}, &source{}, u, slog.New(slog.DiscardHandler), nil)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go c.List().Run(ctx)
				c.List().RevocationsConfirmed()
				synctest.Wait()
				tell := func(changed bool) {
					c.List().Revoked(auth.Revocation{TenantID: "demo", UserID: p.UserID, Changed: changed, At: time.Now(), Until: time.Now().Add(time.Hour)})
				}
				u.change = func() {
					u.roles = []user.Role{user.Viewer}
					tell(true)
				}
				if _, err := c.Current(ctx, p); err != nil {
					t.Fatal(err)
				}
				u.change = func() {}
				if got, err := c.Current(ctx, p); err != nil || slices.Contains(got.Roles, user.Owner) || u.asked != 2 {
					t.Errorf("after a change during the lookup the roles are %v, %v, after %d lookups; want those of a second one", got.Roles, err, u.asked)
				}
				time.Sleep(time.Minute)
				u.change = func() { tell(false) }
				var refused *problem.Problem
				if got, err := c.Current(ctx, p); !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized {
					t.Errorf("a revocation during the lookup is missed: %v, %v", got.Roles, err)
				}
			})
		})
	}
}
