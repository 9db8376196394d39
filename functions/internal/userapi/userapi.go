// Package userapi is the HTTP API with which a tenant's leaders manage its users, and every user manages their own preferences.
//
// Every error is a problem (RFC 9457). The token names the tenant; users of another tenant do not exist for it. A
// user's ETag is their version: a change with If-Match is made only if the version still matches.
package userapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"orderbell/functions/internal/route"
	"orderbell/internal/auth"
	"orderbell/internal/guard"
	"orderbell/internal/paths"
	"orderbell/internal/problem"
	"orderbell/internal/user"
)

// Store keeps the users. Its errors are package user's outcomes or failures of the store.
type Store interface {
	Users(ctx context.Context, tenantID, after string, limit int) (users []user.User, more bool, err error)
	Find(ctx context.Context, tenantID, id string) (user.User, error)
	Invite(ctx context.Context, p user.User, terms user.InvitationTerms, by user.Act) (user.User, error)
	InviteAgain(ctx context.Context, tenantID, id string, c user.Change, terms user.InvitationTerms) (user.User, error)
	ConfirmVerified(ctx context.Context, tenantID, id, verified string, by user.Act) (bool, error)
	Update(ctx context.Context, tenantID, id string, c user.Change, terms user.InvitationTerms) (user.User, error)
	FindWithTenant(ctx context.Context, tenantID, id string) (user.User, user.Tenant, error)
	Tenant(ctx context.Context, tenantID string) (user.Tenant, error)
	UpdateTenant(ctx context.Context, tenantID string, c user.TenantChange) (user.Tenant, error)
	Remove(ctx context.Context, tenantID, id string, c user.Change) error
}

// Revoker announces to every program that a user's tokens are revoked or that their roles have changed.
type Revoker interface {
	Revoke(ctx context.Context, r auth.Revocation) error
}

// User is a user in the API's JSON.
type User struct {
	UserID   string      `json:"user_id"` // UUID
	TenantID string      `json:"tenant_id"`
	Email    string      `json:"email"`
	Name     string      `json:"name"` // may be empty
	Roles    []user.Role `json:"roles"`

	// EmailState says whether the address is confirmed. Before that it gets no mails about orders.
	EmailState        user.EmailState `json:"email_state"`
	InvitationExpires *time.Time      `json:"invitation_expires_at,omitempty"` // while the address is not confirmed

	EmailEnabled bool `json:"notification_email_enabled"`
	InAppEnabled bool `json:"notification_in_app_enabled"`

	EmailEvents []string `json:"notification_email_events"`  // of which event types, while the channel is enabled
	InAppEvents []string `json:"notification_in_app_events"` // likewise for the inbox
	TimeZone    string   `json:"time_zone"`                  // IANA
	QuietHours  string   `json:"quiet_hours"`                // 22:00-07:00 by that zone's clock, "" for none

	Version   int64     `json:"version"`    // 1 at creation, one more with each change; the ETag
	CreatedAt time.Time `json:"created_at"` // RFC 3339, UTC
	UpdatedAt time.Time `json:"updated_at"`

	Tenant *Tenant `json:"tenant,omitempty"` // only in the answer to GET /api/me
}

// FromUser converts p to the API's JSON.
func FromUser(p user.User) User {
	u := User{
		UserID: p.ID, TenantID: p.TenantID, Email: p.Email, Name: p.Name, Roles: p.Roles,
		EmailEnabled: p.EmailEnabled, InAppEnabled: p.InAppEnabled,
		EmailEvents: p.EmailEvents, InAppEvents: p.InAppEvents, TimeZone: p.TimeZone, QuietHours: p.QuietHours,
		Version: p.Version, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt, EmailState: p.EmailState(time.Now()),
	}
	if u.EmailState != user.EmailConfirmed && !p.InvitationExpires.IsZero() {
		u.InvitationExpires = &p.InvitationExpires
	}
	return u
}

// Page is the answer to GET /api/users.
type Page struct {
	Users      []User `json:"users"`                 // in the order of their creation
	NextCursor string `json:"next_cursor,omitempty"` // "" on the last page
}

type api struct {
	log   *slog.Logger
	store Store
	told  Revoker
	terms user.InvitationTerms

	ofUser, ofTenant *guard.Guard // changes of users and settings
}

// The burst of changes that one user and a whole tenant may make, in hours of the limit. A user who has used up their share does not
// keep an owner from making changes.
const (
	hoursOfUser   = 3
	hoursOfTenant = 10
)

// New returns the API's handler for the paths /api/users and /api/me and below.
func New(log *slog.Logger, verifier *auth.Verifier, store Store, told Revoker, terms user.InvitationTerms) route.API {
	a := api{log: log, store: store, told: told, terms: terms}
	if most := int(terms.Limits.UserChanges); most > 0 {
		a.ofUser = guard.New(hoursOfUser*most, hoursOfUser*time.Hour)
		a.ofTenant = guard.New(hoursOfTenant*most, hoursOfTenant*time.Hour)
	}
	return route.New(log, verifier, map[string]route.Methods{
		paths.Users: {
			"GET":  {Roles: user.Leaders(), Handle: a.list},
			"POST": {Roles: user.Leaders(), Handle: a.counted(a.add)},
		},
		paths.Users + "/{id}": {
			"GET":    {Roles: user.Leaders(), Handle: a.get},
			"PATCH":  {Roles: user.Leaders(), Handle: a.counted(a.change)},
			"DELETE": {Roles: user.Leaders(), Handle: a.counted(a.remove)},
		},
		paths.Users + "/{id}/invitation": {"POST": {Roles: user.Leaders(), Handle: a.inviteAgain}},
		paths.Me + "/invitation":         {"POST": {Roles: user.Roles(), Handle: a.askAgain}},
		paths.Tenant: {
			"GET":   {Roles: user.Roles(), Handle: a.tenant},
			"PATCH": {Roles: user.Leaders(), Handle: a.counted(a.changeTenant)},
		},
		paths.Me:                  {"GET": {Roles: user.Roles(), Handle: a.me}},
		paths.Me + "/preferences": {"PATCH": {Roles: user.Roles(), Handle: a.prefer}},
	})
}

func (a api) list(w http.ResponseWriter, r *http.Request) error {
	principal, err := auth.Who(r)
	if err != nil {
		return err
	}
	limit, after, err := route.PageOf(r)
	if err != nil {
		return err
	}
	users, more, err := a.store.Users(r.Context(), principal.TenantID, after.ID, limit)
	if err != nil {
		return refusal(err)
	}
	answer := Page{Users: make([]User, len(users))} // never null
	for i, p := range users {
		answer.Users[i] = FromUser(p)
	}
	if more {
		last := users[len(users)-1]
		answer.NextCursor = route.Position{At: last.CreatedAt, ID: last.ID}.Cursor()
	}
	return route.Serve(w, r, "", answer)
}

func (a api) get(w http.ResponseWriter, r *http.Request) error {
	principal, id, err := named(r)
	if err != nil {
		return err
	}
	return a.serve(w, r, principal.TenantID, id)
}

func (a api) me(w http.ResponseWriter, r *http.Request) error {
	principal, id, err := self(r)
	if err != nil {
		return err
	}
	p, t, err := a.store.FindWithTenant(r.Context(), principal.TenantID, id)
	if err != nil {
		return refusal(err)
	}
	if p.ConfirmedAt.IsZero() && principal.VerifiedEmail != "" {
		confirmed, err := a.store.ConfirmVerified(r.Context(), principal.TenantID, id, principal.VerifiedEmail, by(r, principal))
		if err != nil {
			return refusal(err)
		}
		if confirmed {
			if p, t, err = a.store.FindWithTenant(r.Context(), principal.TenantID, id); err != nil {
				return refusal(err)
			}
		}
	}
	me, of := FromUser(p), FromTenant(t)
	me.Tenant = &of
	return route.Serve(w, r, route.OwnTag(principal, p.Version, t.Version), me)
}

func (a api) serve(w http.ResponseWriter, r *http.Request, tenantID, id string) error {
	p, err := a.store.Find(r.Context(), tenantID, id)
	if err != nil {
		return refusal(err)
	}
	return route.Serve(w, r, route.VersionTag(p.Version), FromUser(p))
}

// named returns the caller, and the id of the user in the path.
func named(r *http.Request) (caller auth.Principal, id string, err error) {
	if caller, err = auth.Who(r); err != nil {
		return caller, "", err
	}
	id, err = userID(r.PathValue("id"))
	return caller, id, err
}

// self returns the caller, and the caller's id as a user.
func self(r *http.Request) (caller auth.Principal, id string, err error) {
	if caller, err = auth.Who(r); err != nil {
		return caller, "", err
	}
	id, err = userID(caller.UserID)
	return caller, id, err
}

// userID returns a user id. A malformed id is answered like an unknown user.
func userID(s string) (string, error) {
	id, ok := route.ID(s)
	if !ok {
		return "", refusal(user.ErrNotFound)
	}
	return id, nil
}

// refusal converts the store's outcomes to problems. It returns other errors unchanged.
func refusal(err error) error {
	conflict := func(field, detail string) error {
		p := problem.New(http.StatusConflict, "%s %s", field, detail)
		p.Errors = []problem.FieldError{{Field: field, Detail: detail}}
		return p
	}
	limit, soon := new(user.LimitError), new(user.TooSoonError)
	switch {
	case errors.As(err, &soon):
		return problem.New(http.StatusTooManyRequests, "%s", soon).With("Retry-After", route.Seconds(soon.After))
	case errors.Is(err, user.ErrConfirmed):
		return problem.New(http.StatusConflict, "%s", user.ErrConfirmed)
	case errors.As(err, &limit):
		return problem.Limited(http.StatusConflict, string(limit.Limit), limit.Max)
	case errors.Is(err, user.ErrNotFound):
		return problem.New(http.StatusNotFound, "there is no such user")
	case errors.Is(err, user.ErrNoTenant):
		return problem.New(http.StatusForbidden, "the token's tenant does not exist")
	case errors.Is(err, user.ErrStale):
		return route.Stale()
	case errors.Is(err, user.ErrEmailTaken):
		return conflict("email", "belongs to another user: choose another one")
	case errors.Is(err, user.ErrLastOwner):
		return conflict("roles", "would leave the business without an owner: make another user an owner first")
	case errors.Is(err, user.ErrOwner):
		return problem.New(http.StatusForbidden, "only an owner may change an owner")
	}
	return err
}
