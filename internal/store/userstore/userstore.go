// Package userstore keeps tenants and their users in PostgreSQL.
package userstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"orderbell/internal/address"
	"orderbell/internal/store/database"
	"orderbell/internal/user"
)

// Store is safe for concurrent use.
type Store struct{ pool *database.Pool }

// New returns a store on the pool.
func New(pool *database.Pool) *Store { return &Store{pool: pool} }

// EnsureTenant creates t unless a tenant with its id exists. An existing one does not change.
func (s *Store) EnsureTenant(ctx context.Context, t user.Tenant) error {
	const ifNew = insertTenantSQL + ` ON CONFLICT (id) DO NOTHING`
	if _, err := s.pool.Exec(ctx, ifNew, tenantArguments(t)...); err != nil {
		return database.Wrap("create tenant "+t.ID, err)
	}
	return nil
}

const columns = `id::text, tenant_id, email, name, roles, notification_email_enabled, notification_in_app_enabled,
	notification_email_events, notification_in_app_events, time_zone, quiet_hours, version, created_at, updated_at,
	coalesce(email_confirmed_at, '0001-01-01T00:00:00Z'), coalesce(invitation_expires_at, '0001-01-01T00:00:00Z')`

func scan(row pgx.CollectableRow) (user.User, error) {
	var p user.User
	err := row.Scan(fields(&p)...)
	inUTC(&p)
	return p, err
}

func inUTC(p *user.User) {
	for _, t := range []*time.Time{&p.CreatedAt, &p.UpdatedAt, &p.ConfirmedAt, &p.InvitationExpires} {
		*t = t.UTC()
	}
}

// fields returns the scan targets of the columns.
func fields(p *user.User) []any {
	return []any{
		&p.ID, &p.TenantID, &p.Email, &p.Name, &p.Roles, &p.EmailEnabled, &p.InAppEnabled,
		&p.EmailEvents, &p.InAppEvents, &p.TimeZone, &p.QuietHours, &p.Version, &p.CreatedAt, &p.UpdatedAt,
		&p.ConfirmedAt, &p.InvitationExpires,
	}
}

// insert creates a user with a confirmed address. Only the tables' owner may do that.
const insert = `INSERT INTO users (id, tenant_id, email, name, roles, notification_email_enabled, notification_in_app_enabled,
		notification_email_events, notification_in_app_events, time_zone, quiet_hours)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

// insertion returns insert's arguments for p, with a new id if it has none, and defaults for empty fields.
func insertion(p user.User) ([]any, error) {
	if p.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, fmt.Errorf("make a user id: %w", err)
		}
		p.ID = id.String()
	}
	if p.EmailEvents == nil {
		p.EmailEvents = user.UsualEvents()
	}
	if p.InAppEvents == nil {
		p.InAppEvents = user.UsualEvents()
	}
	return []any{
		p.ID, p.TenantID, address.Canonical(p.Email), p.Name, p.Roles, p.EmailEnabled, p.InAppEnabled,
		p.EmailEvents, p.InAppEvents, cmp.Or(p.TimeZone, user.UsualTimeZone), p.QuietHours,
	}, nil
}

// EnsureUser creates p, with a new id if it has none, unless the tenant already has a user with its address, who does not
// change. It returns the stored user. Only the tables' owner may call it; the address counts as confirmed.
func (s *Store) EnsureUser(ctx context.Context, p user.User) (user.User, error) {
	args, err := insertion(p)
	if err != nil {
		return user.User{}, err
	}
	if _, err := s.pool.Exec(ctx, insert+` ON CONFLICT (tenant_id, lower(email)) DO NOTHING`, args...); err != nil {
		return user.User{}, database.Wrap("create user "+p.Email, err)
	}
	return s.FindByEmail(ctx, p.TenantID, p.Email)
}

// FindByEmail returns the tenant's user with the address, however it is typed, or [user.ErrNotFound].
func (s *Store) FindByEmail(ctx context.Context, tenantID, email string) (user.User, error) {
	const byEmail = `SELECT ` + columns + ` FROM users WHERE tenant_id = $1 AND lower(email) = lower($2)`
	p, err := database.CollectOne(ctx, s.pool, tenantID, scan, byEmail, tenantID, address.Canonical(email))
	return p, outcome("find user "+email, err)
}

// Find returns a user of the tenant, or [user.ErrNotFound].
func (s *Store) Find(ctx context.Context, tenantID, id string) (user.User, error) {
	const byID = `SELECT ` + columns + ` FROM users WHERE tenant_id = $1 AND id = $2`
	p, err := database.CollectOne(ctx, s.pool, tenantID, scan, byID, tenantID, id)
	return p, outcome("find user", err)
}

// Roles returns the roles of a user of the tenant, or [user.ErrNotFound].
func (s *Store) Roles(ctx context.Context, tenantID, id string) ([]user.Role, error) {
	if !user.IsID(id) { // other subjects are not users
		return nil, user.ErrNotFound
	}
	const byID = `SELECT roles FROM users WHERE tenant_id = $1 AND id = $2`
	roles, err := database.CollectOne(ctx, s.pool, tenantID, pgx.RowTo[[]user.Role], byID, tenantID, id)
	return roles, outcome("find roles", err)
}

// Users returns at most limit of the tenant's users after the one with the id after ("": from the first on), in the order
// of their ids, which is the order of their creation, and whether there are more.
func (s *Store) Users(ctx context.Context, tenantID, after string, limit int) (users []user.User, more bool, err error) {
	const page = `SELECT ` + columns + ` FROM users WHERE tenant_id = $1 AND id > coalesce(nullif($2, '')::uuid, '00000000-0000-0000-0000-000000000000')
		ORDER BY id LIMIT $3`
	users, err = database.Collect(ctx, s.pool, tenantID, scan, page, tenantID, after, limit+1)
	if err != nil {
		return nil, false, database.Wrap("list users", err)
	}
	if len(users) > limit {
		return users[:limit], true, nil
	}
	return users, false, nil
}

// Add creates p, with a new id if it has none, and returns it as stored. Only the tables' owner may call it; the
// address counts as confirmed. Errors: [user.ErrEmailTaken], [user.ErrNoTenant].
func (s *Store) Add(ctx context.Context, p user.User) (user.User, error) {
	args, err := insertion(p)
	if err != nil {
		return user.User{}, err
	}
	rows, err := s.pool.Query(ctx, insert+` RETURNING `+columns, args...)
	if err != nil {
		return user.User{}, outcome("create user", err)
	}
	made, err := pgx.CollectExactlyOneRow(rows, scan)
	return made, outcome("create user", err)
}

// change sets the columns whose argument is not null.
const change = `UPDATE users SET
		email = coalesce($3, email),
		name = coalesce($4, name),
		roles = coalesce($5, roles),
		notification_email_enabled = coalesce($6, notification_email_enabled),
		notification_in_app_enabled = coalesce($7, notification_in_app_enabled),
		notification_email_events = coalesce($8, notification_email_events),
		notification_in_app_events = coalesce($9, notification_in_app_events),
		time_zone = coalesce($10, time_zone),
		quiet_hours = coalesce($11, quiet_hours),
		version = version + 1,
		updated_at = clock_timestamp()
	WHERE tenant_id = $1 AND id = $2
	RETURNING ` + columns

// Update changes a user of the tenant and returns the changed user. A new address must be confirmed: its confirmation mail becomes
// due with the change. Errors: [user.ErrNotFound], [user.ErrStale], [user.ErrEmailTaken], [user.ErrLastOwner], [user.ErrOwner], and
// for a new address *[user.LimitError].
func (s *Store) Update(ctx context.Context, tenantID, id string, c user.Change, terms user.InvitationTerms) (changed user.User, err error) {
	if c.Email != nil {
		canonical := address.Canonical(*c.Email)
		c.Email = &canonical
	}
	err = database.InTenant(ctx, s.pool, tenantID, func(tx pgx.Tx) error {
		if c.Email != nil {
			if err := oneAtATime(ctx, tx, tenantID); err != nil {
				return err
			}
		}
		was, err := mayChange(ctx, tx, tenantID, id, c)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, change, tenantID, id, c.Email, c.Name, c.Roles, c.EmailEnabled, c.InAppEnabled,
			c.EmailEvents, c.InAppEvents, c.TimeZone, c.QuietHours)
		if err != nil {
			return err
		}
		if changed, err = pgx.CollectExactlyOneRow(rows, scan); err != nil {
			return err
		}
		if !strings.EqualFold(was.Email, changed.Email) {
			if err := mayInvite(ctx, tx, tenantID, 0, terms); err != nil {
				return err
			}
			if changed, err = askForConfirmation(ctx, tx, changed, terms); err != nil {
				return err
			}
		}
		detail := was.differences(changed)
		if detail == "" {
			return nil
		}
		return addRecord(ctx, tx, record(c.By, tenantID, "user.changed", id, detail))
	})
	return changed, outcome("change user", err)
}

// outcome converts an error of PostgreSQL to the error of package user, if there is one.
func outcome(doing string, err error) error {
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return user.ErrNotFound
	case database.Violates(err, database.Unique):
		return user.ErrEmailTaken
	case database.Violates(err, database.ForeignKey):
		return user.ErrNoTenant
	}
	if limit, soon := new(user.LimitError), new(user.TooSoonError); errors.As(err, &limit) || errors.As(err, &soon) {
		return err
	}
	for _, known := range []error{user.ErrNotFound, user.ErrNoTenant, user.ErrOwner, user.ErrStale, user.ErrLastOwner, user.ErrUsed, user.ErrConfirmed} {
		if errors.Is(err, known) {
			return known
		}
	}
	return database.Wrap(doing, err)
}
