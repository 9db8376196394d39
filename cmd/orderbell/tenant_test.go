package main_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

// business is what tenant list --json says of one.
type business struct {
	TenantID  string    `json:"tenant_id"`
	Name      string    `json:"name"`
	Locale    string    `json:"locale"`
	Currency  string    `json:"currency"`
	TimeZone  string    `json:"time_zone"`
	Owners    []string  `json:"owners"`
	Users     int       `json:"users"`
	CreatedAt time.Time `json:"created_at"`
}

// call returns what a command says that has to succeed.
func call(t *testing.T, env []string, args ...string) string {
	t.Helper()
	stdout, stderr, status := run(t, env, args...)
	if status != 0 || stderr != "" {
		t.Fatalf("%s: exit status %d: %s", strings.Join(args, " "), status, stderr)
	}
	return stdout
}

func parse[T any](t *testing.T, text string) (v T) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

func TestTenant(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	env := []string{"DATABASE_URL=" + address, "AUTH_DEV_SECRET=" + strings.Repeat("s", 32)}
	if got := call(t, env, "tenant", "list", "--json"); got != "[]\n" {
		t.Errorf("no user exists, and list says %q", got)
	}
	made := parse[map[string]string](t, call(t, env, "tenant", "create", "--name", "Corner Shop", "--owner-email", "Ana@shop.example",
		"--owner-name", "Ana", "--json"))
	owner, err := userstore.New(databasetest.Open(t, address)).FindByEmail(t.Context(), "corner-shop", "ana@shop.example")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"tenant_id": "corner-shop", "owner_id": owner.ID}, made); diff != "" {
		t.Error(diff)
	}
	want := user.User{
		ID: owner.ID, TenantID: "corner-shop", Email: "Ana@shop.example", Name: "Ana", Roles: []user.Role{user.Owner},
		EmailEnabled: true, InAppEnabled: true, EmailEvents: user.UsualEvents(), InAppEvents: user.UsualEvents(),
		TimeZone: user.UsualTimeZone, Version: 1, CreatedAt: owner.CreatedAt, UpdatedAt: owner.UpdatedAt,
		ConfirmedAt: owner.CreatedAt, // the operator vouches for the address
	}
	if diff := cmp.Diff(want, owner); diff != "" {
		t.Error(diff)
	}
	call(t, env, "token", "--tenant", "corner-shop", "--email", "ana@shop.example") // she can begin

	said := call(t, env, "tenant", "create", "--name", "Kopi Senja", "--id", "kopi", "--locale", "ID",
		"--currency", "IDR", "--time-zone", "Asia/Jakarta", "--owner-email", "ana@shop.example")
	if !strings.HasPrefix(said, "tenant kopi\nowner  0") {
		t.Errorf("create says %q, want the ids", said)
	}
	for what, c := range map[string]struct {
		args []string
		says string
	}{
		"a name that is taken": {[]string{"--name", "CORNER shop", "--owner-email", "eve@shop.example"}, "a tenant called CORNER shop already exists"},
		"an id that is taken":  {[]string{"--name", "Corner-Shop", "--owner-email", "eve@shop.example"}, "a tenant with the id corner-shop already exists"},
	} {
		if _, stderr, status := run(t, env, append([]string{"tenant", "create"}, c.args...)...); status != 1 || !strings.Contains(stderr, c.says) {
			t.Errorf("%s: exit status %d and %q, want 1 and %q", what, status, stderr, c.says)
		}
	}

	listed := parse[[]business](t, call(t, env, "tenant", "list", "--json"))
	all := []business{
		{TenantID: "corner-shop", Name: "Corner Shop", Locale: "en", Currency: "EUR", TimeZone: "UTC", Owners: []string{"Ana@shop.example"}, Users: 1},
		{TenantID: "kopi", Name: "Kopi Senja", Locale: "id", Currency: "IDR", TimeZone: "Asia/Jakarta", Owners: []string{"ana@shop.example"}, Users: 1},
	}
	if diff := cmp.Diff(all, listed, cmpopts.IgnoreFields(business{}, "CreatedAt")); diff != "" {
		t.Error(diff)
	}
	if got := call(t, env, "tenant", "list"); !strings.Contains(got, "kopi         Kopi Senja   id        IDR       Asia/Jakarta  1") {
		t.Errorf("list as a table is\n%s", got)
	}
}

func TestTenantWithoutASchema(t *testing.T) {
	t.Parallel()
	env := []string{"DATABASE_URL=" + databasetest.EmptyURL(t)}
	if _, stderr, status := run(t, env, "tenant", "list"); status != 1 || !strings.Contains(stderr, "orderbell migrate up") {
		t.Errorf("exit status %d and %q, want to be told to migrate", status, stderr)
	}
}

func TestTenantNames(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]string{
		"Kopi\u202e": "contains U+202E", "\u200b": "contains U+200B", "\u3000": "nothing visible", " Shop": "single spaces",
		"Cafe\u0301": "form NFC", strings.Repeat("\u00fc", 201): "1 to 200 characters",
	} {
		for _, flag := range []string{"--name", "--owner-name"} {
			args := []string{"tenant", "create", "--name", "Shop", "--owner-email", "ana@shop.example", flag, name}
			if _, stderr, status := run(t, nil, args...); status == 0 || !strings.Contains(stderr, flag) || !strings.Contains(stderr, says) {
				t.Errorf("%s %+q: exit status %d and %q, want %q", flag, name, status, stderr, says)
			}
		}
	}
}
