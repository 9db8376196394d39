package userapi

import (
	"context"
	"net/http"
	"time"

	"orderbell/functions/internal/route"
	"orderbell/internal/auth"
	"orderbell/internal/problem"
	"orderbell/internal/server"
	"orderbell/internal/user"
)

const (
	// changeKept is how long a change of roles is kept for programs that missed its announcement. It is longer than the minute
	// after which programs read all kept changes.
	changeKept = 2 * time.Minute
	// removalKept is how long the tokens of a removed user are revoked: the longest lifetime of a token. Programs that read the
	// users' rows refuse a user without a row anyway.
	removalKept = auth.RevocationKept
	// tellFor is how long a request waits for the announcement. retryFor is how long it is retried in the background.
	tellFor    = time.Second
	retryFor   = time.Minute
	retryEvery = 500 * time.Millisecond
)

func (a api) remove(w http.ResponseWriter, r *http.Request) error {
	principal, id, err := named(r)
	if err != nil {
		return err
	}
	if id == principal.UserID {
		return problem.New(http.StatusConflict, "you cannot remove yourself: ask another owner or manager")
	}
	c := user.Change{SpareOwners: !principal.Has(user.Owner), By: by(r, principal)}
	if c.Version, err = route.IfMatch(r); err != nil {
		return err
	}
	if err := a.store.Remove(r.Context(), principal.TenantID, id, c); err != nil {
		return refusal(err)
	}
	a.tell(r.Context(), auth.Revocation{TenantID: principal.TenantID, UserID: id}, removalKept)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// by describes the caller for the audit trail.
func by(r *http.Request, who auth.Principal) user.Act {
	return user.Act{Actor: who.Actor(), Address: server.ClientAddress(r)}
}

// tell announces a committed change: every program drops its cache of the user, and the gateways end the user's
// streams. If that is not possible now, it is tried again in the background. Until it succeeds, the programs see the
// change when they read the row again, and open streams go on.
func (a api) tell(ctx context.Context, r auth.Revocation, kept time.Duration) {
	r.At = time.Now()
	r.Until = r.At.Add(kept)
	ctx = context.WithoutCancel(ctx)
	once := func() error {
		ctx, cancel := context.WithTimeout(ctx, tellFor)
		defer cancel()
		return a.told.Revoke(ctx, r)
	}
	if once() == nil {
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(ctx, retryFor)
		defer cancel()
		again := time.NewTicker(retryEvery)
		defer again.Stop()
		for {
			select {
			case <-ctx.Done():
				a.log.ErrorContext(ctx, "change of a user's rights not announced: open streams go on until their tokens expire",
					"tenant_id", r.TenantID, "user_id", r.UserID)
				return
			case <-again.C:
				if once() == nil {
					return
				}
			}
		}
	}()
}
