// Package memberstore keeps tenants and their people in PostgreSQL.
package memberstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"orderbell/internal/member"
)

// ErrNotFound says that the tenant has no such person.
var ErrNotFound = errors.New("no such person")

// Store is safe for concurrent use.
type Store struct{ pool *pgxpool.Pool }

// New returns a store on the pool.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

// EnsureTenant creates t unless a tenant with its id is there already, which stays as it is.
func (s *Store) EnsureTenant(ctx context.Context, t member.Tenant) error {
	const insert = `INSERT INTO tenants (id, name, locale) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING`
	if _, err := s.pool.Exec(ctx, insert, t.ID, t.Name, t.Locale); err != nil {
		return fmt.Errorf("create tenant %s: %w", t.ID, err)
	}
	return nil
}

// EnsurePerson creates p, with a new id if it has none, unless the tenant has a person of its address already, who
// stays as they are. It returns the person as stored.
func (s *Store) EnsurePerson(ctx context.Context, p member.Person) (member.Person, error) {
	if p.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return member.Person{}, fmt.Errorf("make a user id: %w", err)
		}
		p.ID = id.String()
	}
	const insert = `INSERT INTO users (id, tenant_id, email, name, roles, notification_email_enabled, notification_in_app_enabled)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant_id, lower(email)) DO NOTHING`
	if _, err := s.pool.Exec(ctx, insert, p.ID, p.TenantID, p.Email, p.Name, p.Roles, p.EmailEnabled, p.InAppEnabled); err != nil {
		return member.Person{}, fmt.Errorf("create user %s: %w", p.Email, err)
	}
	return s.FindByEmail(ctx, p.TenantID, p.Email)
}

const selectPerson = `SELECT id::text, tenant_id, email, name, roles, notification_email_enabled, notification_in_app_enabled
	FROM users WHERE tenant_id = $1`

func scanPerson(row pgx.CollectableRow) (member.Person, error) {
	var p member.Person
	err := row.Scan(&p.ID, &p.TenantID, &p.Email, &p.Name, &p.Roles, &p.EmailEnabled, &p.InAppEnabled)
	return p, err
}

// FindByEmail returns the tenant's person with the address, however it is typed, or [ErrNotFound].
func (s *Store) FindByEmail(ctx context.Context, tenantID, email string) (member.Person, error) {
	rows, err := s.pool.Query(ctx, selectPerson+` AND lower(email) = lower($2)`, tenantID, email)
	if err != nil {
		return member.Person{}, fmt.Errorf("find user %s: %w", email, err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, scanPerson)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return member.Person{}, ErrNotFound
	case err != nil:
		return member.Person{}, fmt.Errorf("find user %s: %w", email, err)
	}
	return p, nil
}

// People returns the tenant's people by address.
func (s *Store) People(ctx context.Context, tenantID string) ([]member.Person, error) {
	rows, err := s.pool.Query(ctx, selectPerson+` ORDER BY lower(email)`, tenantID)
	if err != nil {
		return nil, fmt.Errorf("list users of %s: %w", tenantID, err)
	}
	people, err := pgx.CollectRows(rows, scanPerson)
	if err != nil {
		return nil, fmt.Errorf("list users of %s: %w", tenantID, err)
	}
	return people, nil
}
