package userstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/store/database"
	"orderbell/internal/user"
)

// locked is a user before a change.
type locked struct {
	ID      string
	Version int64
	Email   string
	Roles   []user.Role
}

func (l locked) owner() bool { return slices.Contains(l.Roles, user.Owner) }

// differences describes a change for the audit trail: the roles and the address.
func (l locked) differences(now user.User) string {
	var all []string
	if !slices.Equal(l.Roles, now.Roles) {
		all = append(all, fmt.Sprintf("roles %v are %v", l.Roles, now.Roles))
	}
	if l.Email != now.Email {
		all = append(all, fmt.Sprintf("address %s is %s", l.Email, now.Email))
	}
	return strings.Join(all, ", ")
}

// record returns the audit record of a change of the user with the id.
func record(by user.Act, tenantID, action, id, detail string) user.Record {
	return user.Record{
		TenantID: tenantID, Actor: by.Actor, Action: action, Target: "user:" + id, Address: by.Address, Outcome: user.Done, Detail: detail,
	}
}

// mayChange locks the user and, if an owner may be lost, every owner: if two owners step down at the same time, the
// second one is refused as the last owner. The locks are taken in the order of the ids, which prevents deadlocks.
func mayChange(ctx context.Context, tx pgx.Tx, tenantID, id string, c user.Change) (was locked, err error) {
	return lock(ctx, tx, tenantID, id, c, c.Roles != nil && !slices.Contains(c.Roles, user.Owner))
}

func lock(ctx context.Context, tx pgx.Tx, tenantID, id string, c user.Change, demotes bool) (was locked, err error) {
	const sql = `SELECT id::text, version, email, roles FROM users
		WHERE tenant_id = $1 AND (id = $2 OR $3 AND 'owner' = ANY (roles)) ORDER BY id FOR NO KEY UPDATE`
	rows, err := tx.Query(ctx, sql, tenantID, id, demotes)
	if err != nil {
		return locked{}, err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[locked])
	if err != nil {
		return locked{}, err
	}
	at := slices.IndexFunc(all, func(l locked) bool { return l.ID == id })
	if at < 0 {
		return locked{}, user.ErrNotFound
	}
	was = all[at]
	others := slices.ContainsFunc(all, func(l locked) bool { return l.ID != id && l.owner() })
	switch {
	case was.owner() && c.SpareOwners:
		return locked{}, user.ErrOwner
	case c.Version != 0 && c.Version != was.Version:
		return locked{}, user.ErrStale
	case was.owner() && demotes && !others:
		return locked{}, user.ErrLastOwner
	}
	return was, nil
}

// Remove removes a user of the tenant with their notifications and due mails. Only Version, SpareOwners and By of c are
// used. Errors: [user.ErrNotFound], [user.ErrStale], [user.ErrLastOwner], [user.ErrOwner].
func (s *Store) Remove(ctx context.Context, tenantID, id string, c user.Change) error {
	err := database.InTenant(ctx, s.pool, tenantID, func(tx pgx.Tx) error {
		was, err := lock(ctx, tx, tenantID, id, c, true)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM users WHERE tenant_id = $1 AND id = $2`, tenantID, id); err != nil {
			return err
		}
		return addRecord(ctx, tx, record(c.By, tenantID, "user.removed", id, fmt.Sprintf("address %s, roles %v", was.Email, was.Roles)))
	})
	return outcome("remove user", err)
}
