package database

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// RolesConfig gives the roles of programs a password to log in with.
type RolesConfig struct {
	Passwords map[string]string `envconfig:"DATABASE_ROLES"` // role:password,…
}

// Roles returns the roles with which programs log in.
func Roles() []string {
	return []string{
		"orderbell_order_api", "orderbell_user_api", "orderbell_sse_gateway", "orderbell_outbox_relay", "orderbell_functions",
		"orderbell_delivery_sweeper", "orderbell_operator", "orderbell_reader",
	}
}

// SetLogins lets each role of passwords log in with its password. The roles exist after the schema's steps; cfg must connect
// as a role that may change them: their creator or a superuser.
func SetLogins(ctx context.Context, cfg Config, passwords map[string]string) (err error) {
	for _, role := range slices.Sorted(maps.Keys(passwords)) {
		if !slices.Contains(Roles(), role) {
			return fmt.Errorf("DATABASE_ROLES names %q, want one of %v", role, Roles())
		}
		if passwords[role] == "" {
			return fmt.Errorf("DATABASE_ROLES has no password for %s", role)
		}
	}
	conn, err := pgx.Connect(ctx, cfg.URL)
	if err != nil {
		return Wrap("connect to set passwords", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	for _, role := range slices.Sorted(maps.Keys(passwords)) {
		// Utility statements take no parameters. The setting ensures standard string literals.
		sql := "ALTER ROLE " + pgx.Identifier{role}.Sanitize() + " LOGIN PASSWORD '" + strings.ReplaceAll(passwords[role], "'", "''") + "'"
		if _, err := conn.Exec(ctx, sql); err != nil {
			return Wrap("set the password of role "+role, err)
		}
	}
	return nil
}
