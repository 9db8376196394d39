package memberstore_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"orderbell/internal/database/databasetest"
	"orderbell/internal/member"
	"orderbell/internal/memberstore"
)

func setup(t *testing.T) *memberstore.Store {
	t.Helper()
	s := memberstore.New(databasetest.New(t))
	for _, id := range []string{"demo", "other"} {
		if err := s.EnsureTenant(t.Context(), member.Tenant{ID: id, Name: id, Locale: "en"}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func ana() member.Person {
	return member.Person{
		ID: "01a2b3c4-0000-7000-8000-000000000001", TenantID: "demo", Email: "Ana@demo.example", Name: "Ana",
		Roles: []member.Role{member.Owner, member.Kitchen}, EmailEnabled: true, Version: 1,
		EmailEvents: member.UsualEvents(), InAppEvents: []string{}, TimeZone: "UTC",
	}
}

// timeless leaves out what the server's clock says.
func timeless() cmp.Option { return cmpopts.IgnoreFields(member.Person{}, "CreatedAt", "UpdatedAt") }

func TestPeople(t *testing.T) {
	t.Parallel()
	s := setup(t)
	stored, err := s.EnsurePerson(t.Context(), ana())
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
	t.Run("another tenant does not have the person", func(t *testing.T) {
		t.Parallel()
		if _, err := s.FindByEmail(t.Context(), "other", ana().Email); !errors.Is(err, member.ErrNotFound) {
			t.Errorf("FindByEmail = %v, want %v", err, member.ErrNotFound)
		}
		people, _, err := s.People(t.Context(), "other", "", 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(people) != 0 {
			t.Errorf("People = %v, want none", people)
		}
	})
	t.Run("who is there already stays as they are", func(t *testing.T) {
		t.Parallel()
		again := ana()
		again.ID, again.Email, again.Name, again.EmailEnabled = "", "ANA@demo.example", "Somebody else", false
		got, err := s.EnsurePerson(t.Context(), again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(stored, got); diff != "" {
			t.Error(diff)
		}
		people, _, err := s.People(t.Context(), "demo", "", 10)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]member.Person{stored}, people); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a role that does not exist is refused", func(t *testing.T) {
		t.Parallel()
		wrong := ana()
		wrong.ID, wrong.Email, wrong.Roles = "", "eve@demo.example", []member.Role{"admin"}
		if _, err := s.EnsurePerson(t.Context(), wrong); err == nil {
			t.Error("EnsurePerson took the role admin")
		}
	})
}
