package userstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/store/database"
	"orderbell/internal/user"
)

// seeAll makes a statement fail if row-level security would hide rows from it. The methods below are for operators.
const seeAll = `SELECT require_all_tenants()`

// Found creates the tenant t with its first user, whose id, if they have none, is a new one, and returns the user as
// stored. It writes an audit record of the actor. Either all are created, or none. Errors: [user.ErrTenantTaken],
// [user.ErrNameTaken] however the name is typed.
func (s *Store) Found(ctx context.Context, t user.Tenant, first user.User, actor string) (made user.User, err error) {
	first.TenantID = t.ID
	args, err := insertion(first)
	if err != nil {
		return user.User{}, err
	}
	err = database.Transact(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, seeAll); err != nil {
			return err
		}
		if err := insertTenant(ctx, tx, t); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, insert+` RETURNING `+columns, args...)
		if err != nil {
			return err
		}
		if made, err = pgx.CollectExactlyOneRow(rows, scan); err != nil {
			return err
		}
		return addRecord(ctx, tx, user.Record{
			TenantID: t.ID, Actor: actor, Action: "tenant.created", Target: "tenant:" + t.ID, Outcome: user.Done,
			Detail: fmt.Sprintf("owner %s, user:%s", made.Email, made.ID),
		})
	})
	if errors.Is(err, user.ErrTenantTaken) || errors.Is(err, user.ErrNameTaken) {
		return user.User{}, err
	}
	return made, database.Wrap("create tenant "+t.ID, err)
}

func insertTenant(ctx context.Context, tx pgx.Tx, t user.Tenant) error {
	const (
		// One creator at a time, so that two cannot take the same name.
		lock  = `SELECT pg_advisory_xact_lock(hashtext('tenants.name'))`
		named = `SELECT EXISTS (SELECT FROM tenants WHERE lower(name) = lower($1))`
	)
	if _, err := tx.Exec(ctx, lock); err != nil {
		return err
	}
	var taken bool
	if err := tx.QueryRow(ctx, named, t.Name).Scan(&taken); err != nil {
		return err
	}
	if taken {
		return user.ErrNameTaken
	}
	_, err := tx.Exec(ctx, insertTenantSQL, tenantArguments(t)...)
	if database.Violates(err, database.Unique) {
		return user.ErrTenantTaken
	}
	return err
}

// Tenants returns every tenant, in the order of their creation.
func (s *Store) Tenants(ctx context.Context) (all []user.Business, err error) {
	const list = `SELECT t.id, t.name, t.locale, t.currency, t.time_zone, t.version, t.created_at, count(u.id),
			coalesce(array_agg(u.email ORDER BY u.email) FILTER (WHERE 'owner' = ANY (u.roles)), '{}')
		FROM tenants t LEFT JOIN users u ON u.tenant_id = t.id
		GROUP BY t.id ORDER BY t.created_at, t.id`
	err = database.Transact(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, seeAll); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, list)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (user.Business, error) {
			var b user.Business
			err := row.Scan(&b.ID, &b.Name, &b.Locale, &b.Currency, &b.TimeZone, &b.Version, &b.CreatedAt, &b.Users, &b.Owners)
			b.CreatedAt = b.CreatedAt.UTC()
			return b, err
		})
		return err
	})
	return all, database.Wrap("list tenants", err)
}

// HasTenant returns [user.ErrNoTenant] if there is no such tenant.
func (s *Store) HasTenant(ctx context.Context, tenantID string) error {
	_, err := database.CollectOne(ctx, s.pool, tenantID, pgx.RowTo[string], `SELECT id FROM tenants WHERE id = $1`, tenantID)
	if errors.Is(err, pgx.ErrNoRows) {
		return user.ErrNoTenant
	}
	return database.Wrap("find tenant", err)
}
