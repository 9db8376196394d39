package userstore_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

func setup(t *testing.T) *userstore.Store {
	t.Helper()
	s := userstore.New(databasetest.New(t))
	for _, id := range []string{"demo", "other"} {
		if err := s.EnsureTenant(t.Context(), user.Tenant{ID: id, Name: id, Locale: "en"}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func ana() user.User {
	return user.User{
		ID: "01a2b3c4-0000-7000-8000-000000000001", TenantID: "demo", Email: "Ana@demo.example", Name: "Ana",
		Roles: []user.Role{user.Owner, user.Kitchen}, EmailEnabled: true, Version: 1,
		EmailEvents: user.UsualEvents(), InAppEvents: []string{}, TimeZone: "UTC",
	}
}

// timeless leaves out the times of the server's clock.
func timeless() cmp.Option {
	return cmpopts.IgnoreFields(user.User{}, "CreatedAt", "UpdatedAt", "ConfirmedAt")
}

func TestUsers(t *testing.T) {
	t.Parallel()
	s := setup(t)
	stored, err := s.EnsureUser(t.Context(), ana())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ana(), stored, timeless()); diff != "" {
		t.Error(diff)
	}
	t.Run("an address is found however it is typed", func(t *testing.T) {
		t.Parallel()
		found, err := s.FindByEmail(t.Context(), "demo", "aNA@DEMO.example")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(stored, found); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("another tenant does not have the user", func(t *testing.T) {
		t.Parallel()
		if _, err := s.FindByEmail(t.Context(), "other", ana().Email); !errors.Is(err, user.ErrNotFound) {
			t.Errorf("FindByEmail = %v, want %v", err, user.ErrNotFound)
		}
		users, _, err := s.Users(t.Context(), "other", "", 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(users) != 0 {
			t.Errorf("Users = %v, want none", users)
		}
	})
	t.Run("an existing user does not change", func(t *testing.T) {
		t.Parallel()
		again := ana()
		again.ID, again.Email, again.Name, again.EmailEnabled = "", "ANA@demo.example", "Somebody else", false
		got, err := s.EnsureUser(t.Context(), again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(stored, got); diff != "" {
			t.Error(diff)
		}
		users, _, err := s.Users(t.Context(), "demo", "", 10)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]user.User{stored}, users); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a role that does not exist is refused", func(t *testing.T) {
		t.Parallel()
		wrong := ana()
		wrong.ID, wrong.Email, wrong.Roles = "", "eve@demo.example", []user.Role{"admin"}
		if _, err := s.EnsureUser(t.Context(), wrong); err == nil {
			t.Error("EnsureUser took the role admin")
		}
	})
}
