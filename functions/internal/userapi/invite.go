package userapi

import (
	"fmt"
	"net/http"
	"time"

	"orderbell/functions/internal/route"
	"orderbell/internal/auth"
	"orderbell/internal/problem"
	"orderbell/internal/user"
)

// Config has the lifetime of invitations.
type Config struct {
	Life time.Duration `envconfig:"INVITATION_LIFE" default:"168h"` // of the link that confirms an address
}

// Check returns an error for an invalid lifetime.
func (c Config) Check() error {
	if c.Life < time.Hour || c.Life > 90*24*time.Hour {
		return fmt.Errorf("INVITATION_LIFE is %s, want 1h to 2160h", c.Life)
	}
	return nil
}

// inviteAgain sends a user's confirmation mail once more.
func (a api) inviteAgain(w http.ResponseWriter, r *http.Request) error {
	principal, id, err := named(r)
	if err != nil {
		return err
	}
	return a.mailAgain(w, r, principal, id, user.Change{SpareOwners: !principal.Has(user.Owner)})
}

// askAgain sends the caller's confirmation mail once more.
func (a api) askAgain(w http.ResponseWriter, r *http.Request) error {
	principal, id, err := self(r)
	if err != nil {
		return err
	}
	return a.mailAgain(w, r, principal, id, user.Change{})
}

func (a api) mailAgain(w http.ResponseWriter, r *http.Request, who auth.Principal, id string, c user.Change) error {
	if _, err := problem.OptionalBody(w, r); err != nil {
		return err
	}
	c.By = by(r, who)
	p, err := a.store.InviteAgain(r.Context(), who.TenantID, id, c, a.terms)
	if err != nil {
		return refusal(err)
	}
	return route.Answer(w, http.StatusAccepted, route.VersionTag(p.Version), FromUser(p))
}
