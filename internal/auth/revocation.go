package auth

import "time"

// RevocationKept is how long a revocation is kept: longer than any token that was issued before it is valid, whatever
// AUTH_MAX_LIFETIME and AUTH_LEEWAY are. So no token comes back to life.
const RevocationKept = longestLifetime + 2*maxLeeway

// Revocation revokes tokens before they expire: one by its id, or all of a user's that were issued until a time. With
// Changed it revokes no token: it announces that the user's roles have changed, so that streams with the old roles end.
type Revocation struct {
	TenantID string    `json:"tenant_id"`
	UserID   string    `json:"user_id,omitempty"`
	TokenID  string    `json:"token_id,omitempty"` // "": all of the user's
	Changed  bool      `json:"changed,omitempty"`
	At       time.Time `json:"at"`    // tokens that are issued more than AUTH_LEEWAY later are valid
	Until    time.Time `json:"until"` // all of these tokens have expired by then
}

// Covers reports whether the token of p is revoked or, for a change of roles, whether the roles of p are older.
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
	// A token has its time of issue in whole seconds, of another clock. In doubt it is covered.
	return r.UserID != "" && r.UserID == p.UserID && !p.Issued.After(r.At)
}
