package feed

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"orderbell/internal/auth"
	"orderbell/internal/user"
)

// RevocationSink receives revocations. Its methods must not block.
type RevocationSink interface {
	// Revoked is called for each new revocation.
	Revoked(r auth.Revocation)
	// RevocationsConfirmed is called when the subscription begins, also after a reconnect. [Feed.Revocations] has the
	// earlier ones.
	RevocationsConfirmed()
}

// revoked is the channel of revocations, handled like a tenant's; no tenant's id has this prefix. All programs receive
// all of them, because they are few.
const revoked = "~revoked"

func revocationsKey() string { return "orders:{" + revoked + "}:list" }

//go:embed revoke.lua
var revokeLua string

// FollowRevocations makes [Feed.Run], which is called later, call sink for revocations.
func (f *Feed) FollowRevocations(sink RevocationSink) {
	f.revocations = sink
	f.Follow(revoked)
}

// Revoke revokes tokens: the gateways end their streams, and all programs refuse them until r.Until.
func (f *Feed) Revoke(ctx context.Context, r auth.Revocation) error {
	switch {
	case !user.IsTenantID(r.TenantID):
		return fmt.Errorf("revoke: %q does not name a tenant", r.TenantID)
	case (r.UserID == "") == (r.TokenID == ""):
		return errors.New("revoke: want a user or a token's id, one of the two")
	case !r.Until.After(time.Now()):
		return errors.New("revoke: the revocation is over before it begins")
	}
	payload, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode revocation: %w", err)
	}
	err = f.revoke.Run(ctx, f.client, []string{revocationsKey()}, channel(revoked), payload, r.Until.UnixMilli(), f.cfg.Sharded).Err()
	if err != nil {
		return wrap("revoke", err)
	}
	return nil
}

// Revocations returns those that have not expired.
func (f *Feed) Revocations(ctx context.Context) ([]auth.Revocation, error) {
	members, err := f.client.ZRangeByScore(ctx, revocationsKey(), &redis.ZRangeBy{
		Min: fmt.Sprint(time.Now().UnixMilli()), Max: "+inf",
	}).Result()
	if err != nil {
		return nil, wrap("read revocations", err)
	}
	var all []auth.Revocation
	for _, m := range members {
		var r auth.Revocation
		if err := json.Unmarshal([]byte(m), &r); err != nil {
			return nil, fmt.Errorf("read revocations: %q is not a revocation: %w", m, err)
		}
		all = append(all, r)
	}
	return all, nil
}

func (f *Feed) toldOfRevocation(payload string) {
	var r auth.Revocation
	if err := json.Unmarshal([]byte(payload), &r); err != nil || f.revocations == nil {
		return // an unknown entry is skipped
	}
	f.revocations.Revoked(r)
}
