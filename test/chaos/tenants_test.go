//go:build chaos

package chaos_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/user"
)

// tenant is a tenant that only one fault uses.
type tenant struct {
	id    string
	users []tenantUser
}

// tenantUser is a user of a tenant.
type tenantUser struct {
	id    string
	role  user.Role
	inApp bool // receives notifications
	mail  bool // receives mails
	token string
}

// createTenants creates the tenants of a fault: two without mails, and one whose owner receives mails. Mails are slow, so it
// gets few orders.
func (w *world) createTenants(t *testing.T, name string) []tenant {
	t.Helper()
	config := authtest.Config(secret)
	var tenants []tenant
	for _, kind := range []string{"a", "b", "mail"} {
		s := tenant{id: name + "-" + kind, users: []tenantUser{
			{role: user.Owner, inApp: true, mail: kind == "mail"},
			{role: user.Cashier, inApp: true},
			{role: user.Manager}, // receives nothing
			{role: user.Viewer, inApp: true},
		}}
		w.exec(t, `INSERT INTO tenants (id, name) VALUES ($1, $1)`, s.id)
		for i := range s.users {
			p := &s.users[i]
			p.id = uuid.NewString()
			w.exec(t, `INSERT INTO users (id, tenant_id, email, roles, notification_in_app_enabled, notification_email_enabled)
				VALUES ($1, $2, $3, $4, $5, $6)`,
				p.id, s.id, string(p.role)+"@"+s.id+".example", []string{string(p.role)}, p.inApp, p.mail)
			p.token = authtest.Token(t, config, auth.Principal{
				UserID: p.id, TenantID: s.id, Roles: []user.Role{p.role}, Expires: time.Now().Add(12 * time.Hour), TokenID: uuid.NewString(),
			})
		}
		tenants = append(tenants, s)
	}
	return tenants
}

func (s tenant) owner() tenantUser { return s.users[0] }

func ids(tenants []tenant) []string {
	var all []string
	for _, s := range tenants {
		all = append(all, s.id)
	}
	return all
}

func (w *world) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	// The pool may hold broken connections after a fault.
	eventually(t, patience, "the database to take a row", func() error {
		_, err := w.db.Exec(t.Context(), sql, args...)
		return err
	})
}
