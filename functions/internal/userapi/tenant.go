package userapi

import (
	"net/http"

	"golang.org/x/text/language"

	"orderbell/functions/internal/route"
	"orderbell/internal/auth"
	"orderbell/internal/order"
	"orderbell/internal/problem"
	"orderbell/internal/user"
)

// Tenant is a business with its settings in the API's JSON.
type Tenant struct {
	TenantID string `json:"tenant_id"`
	Name     string `json:"name"`
	Locale   string `json:"locale"`    // BCP 47
	Currency string `json:"currency"`  // ISO 4217: default of new orders
	TimeZone string `json:"time_zone"` // IANA: defines when its day begins
	Version  int64  `json:"version"`   // 1 at creation, one more with each change; the ETag
}

// FromTenant converts t to the API's JSON.
func FromTenant(t user.Tenant) Tenant {
	return Tenant{TenantID: t.ID, Name: t.Name, Locale: t.Locale, Currency: t.Currency, TimeZone: t.TimeZone, Version: t.Version}
}

// TenantChanges is the body of PATCH /api/tenant. Absent fields do not change.
type TenantChanges struct {
	Locale   *string `json:"locale,omitempty"`
	Currency *string `json:"currency,omitempty"`
	TimeZone *string `json:"time_zone,omitempty"`
}

func (a api) tenant(w http.ResponseWriter, r *http.Request) error {
	principal, err := auth.Who(r)
	if err != nil {
		return err
	}
	t, err := a.store.Tenant(r.Context(), principal.TenantID)
	if err != nil {
		return refusal(err)
	}
	return route.Serve(w, r, route.OwnTag(principal, t.Version), FromTenant(t))
}

func (a api) changeTenant(w http.ResponseWriter, r *http.Request) error {
	principal, asked, err := read[TenantChanges](w, r)
	if err != nil {
		return err
	}
	c, err := asked.change()
	if err != nil {
		return err
	}
	if c.Version, err = route.IfMatch(r); err != nil {
		return err
	}
	c.By = by(r, principal)
	t, err := a.store.UpdateTenant(r.Context(), principal.TenantID, c)
	if err != nil {
		return refusal(err)
	}
	return route.Answer(w, http.StatusOK, route.OwnTag(principal, t.Version), FromTenant(t))
}

// change validates the fields that are present, and returns the locale in canonical form.
func (c TenantChanges) change() (user.TenantChange, error) {
	var wrong []problem.FieldError
	add := func(field, detail string) { wrong = append(wrong, problem.FieldError{Field: field, Detail: detail}) }
	if c.Locale != nil {
		tag, err := language.Parse(*c.Locale)
		if err != nil {
			add("locale", "must be a language (BCP 47), such as en or id")
		}
		locale := tag.String()
		c.Locale = &locale
	}
	if c.Currency != nil && !isInUse(*c.Currency) {
		add("currency", "must be a currency of ISO 4217, such as EUR or IDR")
	}
	if c.TimeZone != nil && !user.IsTimeZone(*c.TimeZone) {
		add("time_zone", "must be a time zone of the IANA database, such as Asia/Jakarta")
	}
	if len(wrong) > 0 {
		return user.TenantChange{}, problem.Fields(wrong)
	}
	return user.TenantChange{Locale: c.Locale, Currency: c.Currency, TimeZone: c.TimeZone}, nil
}

// isInUse reports whether code is the code of a currency.
func isInUse(currency string) bool {
	_, known := order.MinorDigits(currency)
	return known
}
