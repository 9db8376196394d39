package userapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/functions/internal/userapi"
	"orderbell/internal/problem"
)

func TestTenantSettings(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want := userapi.Tenant{TenantID: "acme", Name: "acme", Locale: "en", Currency: "EUR", TimeZone: "UTC", Version: 1}
	res := b.do(t, b.asCash, "GET", "/api/tenant", "")
	if diff := cmp.Diff(want, decode[userapi.Tenant](t, res, http.StatusOK)); diff != "" {
		t.Error(diff)
	}
	if tag := res.Header.Get("ETag"); !strings.HasPrefix(tag, `"1-`) {
		t.Errorf("ETag is %s", tag)
	}

	want.Currency, want.TimeZone, want.Version = "IDR", "Asia/Jakarta", 2
	res = b.do(t, b.asManager, "PATCH", "/api/tenant", `{"currency":"IDR","time_zone":"Asia/Jakarta"}`, "If-Match", `"1"`)
	if diff := cmp.Diff(want, decode[userapi.Tenant](t, res, http.StatusOK)); diff != "" {
		t.Error(diff)
	}
	if tag := res.Header.Get("ETag"); !strings.HasPrefix(tag, `"2-`) {
		t.Errorf("ETag is %s", tag)
	}
	want.Locale, want.Version = "pt-BR", 3
	res = b.do(t, b.asOwner, "PATCH", "/api/tenant", `{"locale":"PT-br"}`)
	if diff := cmp.Diff(want, decode[userapi.Tenant](t, res, http.StatusOK)); diff != "" {
		t.Error(diff)
	}
	stale := b.do(t, b.asOwner, "PATCH", "/api/tenant", `{"locale":"en"}`, "If-Match", `"2"`)
	if stale.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("a change of an older version gets %d, want 412", stale.StatusCode)
	}
	if forbidden := b.do(t, b.asCash, "PATCH", "/api/tenant", `{"locale":"en"}`); forbidden.StatusCode != http.StatusForbidden {
		t.Errorf("a cashier's change gets %d, want 403", forbidden.StatusCode)
	}
	if diff := cmp.Diff(want, decode[userapi.Tenant](t, b.do(t, b.asCash, "GET", "/api/tenant", ""), http.StatusOK)); diff != "" {
		t.Errorf("after refused changes: %s", diff)
	}
	theirs := decode[userapi.Tenant](t, b.do(t, b.asE, "GET", "/api/tenant", ""), http.StatusOK)
	if theirs.Currency != "EUR" || theirs.Version != 1 {
		t.Errorf("the other tenant has become %+v", theirs)
	}
	records, err := b.store.Records(t.Context(), "acme", time.Time{}, 10)
	if err != nil || len(records) != 2 || records[1].Actor != "user:"+b.manager.ID || records[1].Action != "tenant.settings" ||
		records[1].Detail != "locale en, currency IDR, time zone Asia/Jakarta" {
		t.Errorf("the audit trail has %+v, %v, want the two changes", records, err)
	}
}

func TestMeHasTheTenant(t *testing.T) {
	t.Parallel()
	b := setup(t)
	decode[userapi.Tenant](t, b.do(t, b.asOwner, "PATCH", "/api/tenant", `{"currency":"IDR"}`), http.StatusOK)
	res := b.do(t, b.asCash, "GET", "/api/me", "")
	me, tag := decode[userapi.User](t, res, http.StatusOK), res.Header.Get("ETag")
	want := &userapi.Tenant{TenantID: "acme", Name: "acme", Locale: "en", Currency: "IDR", TimeZone: "UTC", Version: 2}
	if diff := cmp.Diff(want, me.Tenant); diff != "" {
		t.Error(diff)
	}
	if same := b.do(t, b.asCash, "GET", "/api/me", "", "If-None-Match", tag); same.StatusCode != http.StatusNotModified {
		t.Errorf("the same answer gets %d, want 304", same.StatusCode)
	}
	decode[userapi.Tenant](t, b.do(t, b.asOwner, "PATCH", "/api/tenant", `{"currency":"EUR"}`), http.StatusOK)
	if other := b.do(t, b.asCash, "GET", "/api/me", "", "If-None-Match", tag); other.StatusCode != http.StatusOK {
		t.Errorf("with other settings it gets %d, want 200", other.StatusCode)
	}
	changed := b.do(t, b.asCash, "PATCH", "/api/me/preferences", `{"notification_email_enabled":false}`, "If-Match", tag)
	if got := decode[userapi.User](t, changed, http.StatusOK); got.Version != 2 || got.Tenant != nil {
		t.Errorf("a change with the ETag makes %+v", got)
	}
	if stale := b.do(t, b.asCash, "PATCH", "/api/me/preferences", `{}`, "If-Match", tag); stale.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("a change with an older ETag gets %d, want 412", stale.StatusCode)
	}
}

// TestTheETagOfOneUserIsNobodyElses requests the resources that have the same path for every user, as two users of one browser.
func TestTheETagOfOneUserIsNobodyElses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/api/me", "/api/tenant", "/api/users?limit=500"} {
		mine := b.do(t, b.asOwner, "GET", path, "")
		tag := mine.Header.Get("ETag")
		if got := mine.Header.Get("Cache-Control") + " " + mine.Header.Get("Vary"); got != "private, no-cache Authorization" {
			t.Errorf("%s: Cache-Control and Vary are %q", path, got)
		}
		if same := b.do(t, b.asOwner, "GET", path, "", "If-None-Match", tag); same.StatusCode != http.StatusNotModified {
			t.Errorf("%s: the same user gets %d, want 304", path, same.StatusCode)
		}
		for name, token := range map[string]string{"another user": b.asManager, "another tenant's user": b.asE} {
			if other := b.do(t, token, "GET", path, "", "If-None-Match", tag); other.StatusCode != http.StatusOK {
				t.Errorf("%s: %s gets %d for the ETag of the first, want 200", path, name, other.StatusCode)
			}
		}
	}
}

func TestWrongTenantSettings(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for body, field := range map[string]string{
		`{"currency":"idr"}`: "currency", `{"currency":"RUP"}`: "currency", `{"currency":""}`: "currency",
		`{"time_zone":"Asia/Nowhere"}`: "time_zone", `{"time_zone":"Local"}`: "time_zone", `{"locale":"no such"}`: "locale",
		`{"name":"Mine"}`: "name", `{"tenant_id":"other"}`: "tenant_id",
	} {
		p := decode[problem.Problem](t, b.do(t, b.asOwner, "PATCH", "/api/tenant", body), http.StatusUnprocessableEntity)
		if len(p.Errors) != 1 || p.Errors[0].Field != field {
			t.Errorf("%s: %+v, want %s to be named", body, p.Errors, field)
		}
	}
}
