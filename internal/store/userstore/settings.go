package userstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/store/database"
	"orderbell/internal/user"
)

const insertTenantSQL = `INSERT INTO tenants (id, name, locale, currency, time_zone) VALUES ($1, $2, $3, $4, $5)`

// tenantArguments returns insertTenantSQL's arguments, with defaults for empty fields of t.
func tenantArguments(t user.Tenant) []any {
	return []any{t.ID, t.Name, t.Locale, cmp.Or(t.Currency, user.UsualCurrency), cmp.Or(t.TimeZone, user.UsualTimeZone)}
}

const tenantColumns = `t.id, t.name, t.locale, t.currency, t.time_zone, t.version`

func tenantFields(t *user.Tenant) []any {
	return []any{&t.ID, &t.Name, &t.Locale, &t.Currency, &t.TimeZone, &t.Version}
}

func scanTenant(row pgx.CollectableRow) (user.Tenant, error) {
	var t user.Tenant
	return t, row.Scan(tenantFields(&t)...)
}

// Tenant returns a tenant with its settings, or [user.ErrNoTenant].
func (s *Store) Tenant(ctx context.Context, tenantID string) (user.Tenant, error) {
	const byID = `SELECT ` + tenantColumns + ` FROM tenants t WHERE t.id = $1`
	t, err := database.CollectOne(ctx, s.pool, tenantID, scanTenant, byID, tenantID)
	if errors.Is(err, pgx.ErrNoRows) {
		return t, user.ErrNoTenant
	}
	return t, database.Wrap("read tenant", err)
}

// UpdateTenant changes a tenant's settings and returns the new ones. Errors: [user.ErrNoTenant], [user.ErrStale].
func (s *Store) UpdateTenant(ctx context.Context, tenantID string, c user.TenantChange) (user.Tenant, error) {
	const update = `UPDATE tenants t SET
			locale = coalesce($2, locale), currency = coalesce($3, currency), time_zone = coalesce($4, time_zone),
			version = version + 1
		WHERE id = $1 AND ($5::bigint = 0 OR version = $5)
		RETURNING ` + tenantColumns
	var t user.Tenant
	err := database.InTenant(ctx, s.pool, tenantID, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, update, tenantID, c.Locale, c.Currency, c.TimeZone, c.Version)
		if err != nil {
			return err
		}
		if t, err = pgx.CollectExactlyOneRow(rows, scanTenant); err != nil {
			return err
		}
		return addRecord(ctx, tx, user.Record{
			TenantID: tenantID, Actor: c.By.Actor, Action: "tenant.settings", Target: "tenant:" + tenantID, Address: c.By.Address, Outcome: user.Done,
			Detail: fmt.Sprintf("locale %s, currency %s, time zone %s", t.Locale, t.Currency, t.TimeZone),
		})
	})
	if !errors.Is(err, pgx.ErrNoRows) {
		return t, database.Wrap("change tenant", err)
	}
	if _, err := s.Tenant(ctx, tenantID); err != nil {
		return t, err
	}
	return t, user.ErrStale
}

// FindWithTenant returns a user and their tenant in one round trip, or [user.ErrNotFound].
func (s *Store) FindWithTenant(ctx context.Context, tenantID, id string) (user.User, user.Tenant, error) {
	const byID = `SELECT ` + tenantColumns + `, u.* FROM tenants t, LATERAL (
			SELECT ` + columns + ` FROM users WHERE tenant_id = t.id AND id = $2
		) u WHERE t.id = $1`
	var t user.Tenant
	p, err := database.CollectOne(ctx, s.pool, tenantID, func(row pgx.CollectableRow) (user.User, error) {
		var p user.User
		err := row.Scan(append(tenantFields(&t), fields(&p)...)...)
		inUTC(&p)
		return p, err
	}, byID, tenantID, id)
	return p, t, outcome("find user", err)
}
