package userstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/store/database"
	"orderbell/internal/user"
)

// limitColumns are the limits in the order of [user.LimitNames], whose names are the columns'.
func limitColumns() string {
	names := make([]string, 0, len(user.LimitNames()))
	for _, l := range user.LimitNames() {
		names = append(names, string(l))
	}
	return strings.Join(names, ", ")
}

// scanLimits scans the given targets, then the columns of limits.
func scanLimits(row pgx.CollectableRow, before ...any) (user.Limits, error) {
	names := user.LimitNames()
	values := make([]*int64, len(names))
	for i := range values {
		before = append(before, &values[i])
	}
	if err := row.Scan(before...); err != nil {
		return nil, err
	}
	chosen := user.Limits{}
	for i, v := range values {
		if v != nil {
			chosen[names[i]] = *v
		}
	}
	return chosen, nil
}

// Limits returns the limits that the operator has set for the tenant; none if the tenant does not exist.
func (s *Store) Limits(ctx context.Context, tenantID string) (user.Limits, error) {
	chosen, err := database.CollectOne(ctx, s.pool, tenantID,
		func(row pgx.CollectableRow) (user.Limits, error) { return scanLimits(row) },
		`SELECT `+limitColumns()+` FROM tenant_limits WHERE tenant_id = $1`, tenantID)
	if errors.Is(err, pgx.ErrNoRows) {
		return user.Limits{}, nil
	}
	return chosen, database.Wrap("read limits", err)
}

// AllLimits returns the limits that the operator has set, by tenant. Only the tables' owner may call it.
func (s *Store) AllLimits(ctx context.Context) (map[string]user.Limits, error) {
	all := map[string]user.Limits{}
	err := database.Transact(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, seeAll); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT tenant_id, `+limitColumns()+` FROM tenant_limits`)
		if err != nil {
			return err
		}
		_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (user.Limits, error) {
			var tenant string
			chosen, err := scanLimits(row, &tenant)
			all[tenant] = chosen
			return chosen, err
		})
		return err
	})
	return all, database.Wrap("read limits", err)
}

// SetLimits changes limits of the tenant; nil resets one to the default. It returns the limits that are set, and writes
// an audit record. Only the tables' owner may call it. Errors: [user.ErrNoTenant].
func (s *Store) SetLimits(ctx context.Context, tenantID, actor string, changes map[user.Limit]*int64) (chosen user.Limits, err error) {
	err = database.Transact(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, seeAll); err != nil {
			return err
		}
		const ensure = `INSERT INTO tenant_limits (tenant_id) SELECT id FROM tenants WHERE id = $1 ON CONFLICT (tenant_id) DO NOTHING`
		if _, err := tx.Exec(ctx, ensure, tenantID); err != nil {
			return err
		}
		var detail []string
		for _, l := range user.LimitNames() {
			value, asked := changes[l]
			if !asked {
				continue
			}
			// The name is one of a fixed list.
			if _, err := tx.Exec(ctx, `UPDATE tenant_limits SET `+string(l)+` = $2, updated_at = clock_timestamp() WHERE tenant_id = $1`, tenantID, value); err != nil {
				return err
			}
			if value == nil {
				detail = append(detail, string(l)+" is the default")
			} else {
				detail = append(detail, fmt.Sprintf("%s is %d", l, *value))
			}
		}
		rows, err := tx.Query(ctx, `SELECT `+limitColumns()+` FROM tenant_limits WHERE tenant_id = $1`, tenantID)
		if err != nil {
			return err
		}
		chosen, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (user.Limits, error) { return scanLimits(row) })
		if errors.Is(err, pgx.ErrNoRows) {
			return user.ErrNoTenant
		}
		if err != nil {
			return err
		}
		return addRecord(ctx, tx, user.Record{
			TenantID: tenantID, Actor: actor, Action: "tenant.limits", Target: "tenant:" + tenantID, Outcome: user.Done, Detail: strings.Join(detail, ", "),
		})
	})
	return chosen, outcome("set limits", err)
}
