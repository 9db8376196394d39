package auth

import "time"

// Revocation takes tokens back before they expire: one of them by its id, or all that a user had been issued by then. With
// Changed it takes no token back: it says that the user's roles have changed, so that what was let in by the old ones ends.
type Revocation struct {
	TenantID string    `json:"tenant_id"`
	UserID   string    `json:"user_id,omitempty"`
	TokenID  string    `json:"token_id,omitempty"` // "": all of the user's
	Changed  bool      `json:"changed,omitempty"`
	At       time.Time `json:"at"`    // what the user was issued in a later second is good
	Until    time.Time `json:"until"` // by then they have all expired
}

// Covers says whether the token that p holds is taken back or, for a change of roles, whether those of p are older.
func (r Revocation) Covers(p Principal) bool {
	if r.TenantID != p.TenantID {
		return false
	}
	if r.Changed {
		return r.UserID == p.UserID && !p.Checked.IsZero() && !p.Checked.After(r.At)
	}
	if r.TokenID != "" {
		return r.TokenID == p.TokenID
	}
	// A token says when it was issued in whole seconds (or not at all): in doubt it is the old one.
	return r.UserID != "" && r.UserID == p.UserID && !p.Issued.After(r.At)
}
