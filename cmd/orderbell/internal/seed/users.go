package seed

import (
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/google/uuid"

	"orderbell/internal/auth"
	"orderbell/internal/problem"
	"orderbell/internal/user"
)

// Tokens makes tokens for users with the development secret.
type Tokens struct {
	Auth auth.Config
	TTL  time.Duration
}

// For returns a new token for p and when it ends.
func (t Tokens) For(p user.User, now time.Time) (token string, expires time.Time, err error) {
	expires = now.Add(t.TTL).Truncate(time.Second)
	token, err = t.Auth.Sign(auth.Principal{
		UserID: p.ID, TenantID: p.TenantID, Roles: p.Roles, Expires: expires, TokenID: uuid.NewString(),
	}, now)
	return token, expires, err
}

// demoUser is one entry of GET /dev/users.
type demoUser struct {
	UserID     string      `json:"user_id"`
	TenantID   string      `json:"tenant_id"`
	TenantName string      `json:"tenant_name"`
	Currency   string      `json:"currency"`
	Email      string      `json:"email"`
	Name       string      `json:"name"`
	Roles      []user.Role `json:"roles"`
	Token      string      `json:"token"`
	ExpiresAt  time.Time   `json:"expires_at"`
}

// NewUsersHandler answers GET /dev/users: a JSON array of the users with new tokens. It serves only requests for this
// machine's own names, as a protection against DNS rebinding.
func NewUsersHandler(businesses []Business, tokens Tokens, logger *log.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLocal(r.Host) {
			problem.New(http.StatusForbidden, "demo tokens are given out at localhost only, not at %q", r.Host).Write(w)
			return
		}
		users, err := listUsers(businesses, tokens, time.Now())
		if err != nil {
			logger.Print(err)
			problem.New(http.StatusInternalServerError, "see the log").Write(w)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if err := json.NewEncoder(w).Encode(users); err != nil {
			logger.Printf("answer /dev/users: %v", err)
		}
	})
}

func listUsers(businesses []Business, tokens Tokens, now time.Time) ([]demoUser, error) {
	users := []demoUser{}
	for _, b := range businesses {
		for _, p := range b.Users {
			token, expires, err := tokens.For(p, now)
			if err != nil {
				return nil, fmt.Errorf("make a token for %s: %w", p.Email, err)
			}
			users = append(users, demoUser{
				UserID: p.ID, TenantID: p.TenantID, TenantName: b.Tenant.Name, Currency: b.Tenant.Currency, Email: p.Email, Name: p.Name,
				Roles: p.Roles, Token: token, ExpiresAt: expires,
			})
		}
	}
	return users, nil
}

func isLocal(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	return host == "localhost" || host == "127.0.0.1" || host == "::1" || host == "[::1]"
}
