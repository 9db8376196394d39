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

// shop is a tenant of one fault's own.
type shop struct {
	id     string
	people []person
}

// user is somebody of a shop.
type person struct {
	id    string
	role  user.Role
	inApp bool // is told in the inbox
	mail  bool // is told by e-mail
	token string
}

// openShops makes the shops of a fault: two, and one whose owner takes e-mail, which is slow and so gets few orders.
func (w *world) openShops(t *testing.T, name string) []shop {
	t.Helper()
	config := authtest.Config(secret)
	var shops []shop
	for _, kind := range []string{"a", "b", "mail"} {
		s := shop{id: name + "-" + kind, people: []person{
			{role: user.Owner, inApp: true, mail: kind == "mail"},
			{role: user.Cashier, inApp: true},
			{role: user.Manager}, // wants to be told nothing
			{role: user.Viewer, inApp: true},
		}}
		w.exec(t, `INSERT INTO tenants (id, name) VALUES ($1, $1)`, s.id)
		for i := range s.people {
			p := &s.people[i]
			p.id = uuid.NewString()
			w.exec(t, `INSERT INTO users (id, tenant_id, email, roles, notification_in_app_enabled, notification_email_enabled)
				VALUES ($1, $2, $3, $4, $5, $6)`,
				p.id, s.id, string(p.role)+"@"+s.id+".example", []string{string(p.role)}, p.inApp, p.mail)
			p.token = authtest.Token(t, config, auth.Principal{
				UserID: p.id, TenantID: s.id, Roles: []user.Role{p.role}, Expires: time.Now().Add(12 * time.Hour), TokenID: uuid.NewString(),
			})
		}
		shops = append(shops, s)
	}
	return shops
}

func (s shop) owner() person { return s.people[0] }

func ids(shops []shop) []string {
	var all []string
	for _, s := range shops {
		all = append(all, s.id)
	}
	return all
}

func (w *world) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	// A server that was away has left broken connections in the pool.
	eventually(t, patience, "the database to take a row", func() error {
		_, err := w.db.Exec(t.Context(), sql, args...)
		return err
	})
}
