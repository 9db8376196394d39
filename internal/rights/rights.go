// Package rights returns the current rights of a token's holder: whether the token was revoked, and the current roles
// of its user.
//
// A token has the roles at its time of issue. The current roles are in the user's row, cached for a few seconds;
// a change of the row is announced through Redis and invalidates the cache at once. A user without a row has no roles,
// except for configured service accounts. Revocations come from Redis and PostgreSQL, see [List].
//
// While Redis is down, the last known revocations apply, and a change of roles applies when the cache expires. A
// program that has not read the revocations of both since its start rejects every request. While PostgreSQL is down,
// the last known roles of a user apply for [staleFor].
package rights

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"orderbell/internal/auth"
	"orderbell/internal/user"
)

// Config has the service accounts and the cache time of roles.
type Config struct {
	// Accounts are service accounts with their roles: TENANT/SUBJECT:ROLE+ROLE,…, where * stands for any tenant.
	Accounts Accounts      `envconfig:"AUTH_SERVICE_ACCOUNTS"`
	CacheFor time.Duration `envconfig:"AUTH_ROLES_CACHE" default:"5s"`
}

// Users reads the roles of users, and the revocations that are stored with them. It stores refusals.
type Users interface {
	Source
	// Roles returns the roles of the user, or [user.ErrNotFound].
	Roles(ctx context.Context, tenantID, userID string) ([]user.Role, error)
	// AddRefusals counts refusals of a tenant for the audit trail.
	AddRefusals(ctx context.Context, tenantID string, all []user.Record) error
	// DeviceRole returns the role of a paired device, or [user.ErrNotFound] if the secret is not its own or if it is revoked.
	DeviceRole(ctx context.Context, tenantID, deviceID, secretHash string) (user.Role, error)
}

const (
	// awaitFor is how long a request waits for the first read of the revocations.
	awaitFor = 3 * time.Second
	// staleFor is how long the last known roles apply while the database is down.
	staleFor = 10 * time.Minute
	// maxCached bounds the cache. An entry takes about 200 bytes.
	maxCached = 20_000
)

// Checker is safe for concurrent use.
type Checker struct {
	*refusals

	cfg   Config
	users Users // nil: no database, so a token's roles apply
	list  *List

	lookup chan struct{} // one lookup of a device at a time: strangers' guesses leave connections for users

	mu    sync.Mutex
	roles map[key]known
	news  uint64 // number of received changes: rows read before the last change are not cached
}

type key struct {
	tenantID, userID string
	device           string // the hash of a device's secret
}

type known struct {
	roles []user.Role // nil: there is no such user
	read  time.Time
}

// New returns a checker that reads revocations from source and from users. told, which may be nil, is called for each new
// revocation; it must not block. users is nil without a database. The caller must make the feed follow [Checker.List] and
// call [Checker.Run].
func New(cfg Config, source Source, users Users, log *slog.Logger, told func(auth.Revocation)) (*Checker, error) {
	if cfg.CacheFor < 0 || cfg.CacheFor > time.Minute {
		return nil, fmt.Errorf("AUTH_ROLES_CACHE is %s, want 0s to 1m", cfg.CacheFor)
	}
	c := &Checker{refusals: newRefusals(users, log), cfg: cfg, users: users, roles: map[key]known{}, lookup: make(chan struct{}, 1)}
	sources := []Source{source}
	if users != nil {
		sources = append(sources, users)
	}
	c.list = NewList(sources, log, func(r auth.Revocation) {
		c.forget(r)
		if told != nil {
			told(r)
		}
	})
	return c, nil
}

// List returns the revocations that c uses.
func (c *Checker) List() *List { return c.list }

// Run reads revocations, and writes refusals, until ctx ends.
func (c *Checker) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { c.list.Run(ctx) })
	running.Go(func() { c.run(ctx) })
	running.Wait()
}

// Current implements [auth.Rights]. A revoked token is 401.
func (c *Checker) Current(ctx context.Context, p auth.Principal) (auth.Principal, error) {
	wait, cancel := context.WithTimeout(ctx, awaitFor)
	defer cancel()
	if err := c.list.Await(wait); err != nil {
		return auth.Principal{}, err
	}
	if err := c.revoked(p); err != nil {
		return auth.Principal{}, err
	}
	p.Checked = time.Now()
	if p.Device != "" {
		return c.device(ctx, p)
	}
	if roles, ok := c.cfg.Accounts.roles(p); ok {
		p.Roles, p.Service = roles, true
		return p, nil
	}
	if c.users == nil {
		return p, nil
	}
	found, err := c.find(ctx, key{p.TenantID, p.UserID, ""}, c.users.Roles)
	if err != nil {
		return auth.Principal{}, err
	}
	p.Roles = found.roles
	if found.read.Before(p.Checked) {
		p.Checked = found.read
	}
	return p, c.revoked(p) // revocations that arrived while the row was read
}

// device returns p with the role of the device if the secret is its own, else 401.
func (c *Checker) device(ctx context.Context, p auth.Principal) (auth.Principal, error) {
	refused := auth.InvalidToken(auth.ErrDevice.Error())
	if c.users == nil { // nothing here can check the secret
		return auth.Principal{}, refused
	}
	found, err := c.find(ctx, key{p.TenantID, p.UserID, p.Device}, func(ctx context.Context, tenantID, id string) ([]user.Role, error) {
		select {
		case c.lookup <- struct{}{}:
			defer func() { <-c.lookup }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		role, err := c.users.DeviceRole(ctx, tenantID, id, p.Device)
		if err != nil {
			return nil, err
		}
		return []user.Role{role}, nil
	})
	switch {
	case err != nil:
		return auth.Principal{}, err
	case found.roles == nil:
		return auth.Principal{}, refused
	}
	p.Roles = found.roles
	if found.read.Before(p.Checked) {
		p.Checked = found.read
	}
	return p, c.revoked(p) // revocations that arrived while the row was read
}

func (c *Checker) revoked(p auth.Principal) error {
	p.Checked = time.Time{} // a change of roles revokes no token
	if _, ok := c.list.Find(p); ok {
		return auth.InvalidToken("the token was revoked: sign in again")
	}
	return nil
}

// find returns the user's roles from the cache, or from the row.
func (c *Checker) find(ctx context.Context, k key, read func(ctx context.Context, tenantID, id string) ([]user.Role, error)) (known, error) {
	c.mu.Lock()
	last, cached := c.roles[k]
	news := c.news
	c.mu.Unlock()
	now := time.Now()
	if cached && now.Sub(last.read) < c.cfg.CacheFor {
		return last, nil
	}
	roles, err := read(ctx, k.tenantID, k.userID)
	switch {
	case errors.Is(err, user.ErrNotFound):
		roles = nil
	case err != nil && cached && ctx.Err() == nil && now.Sub(last.read) < staleFor:
		return last, nil
	case err != nil:
		return known{}, err
	}
	fresh := known{roles, now}
	if roles == nil && k.device != "" { // guesses must not fill the cache
		return fresh, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.news == news {
		c.keep(k, fresh)
	}
	return fresh, nil
}

// keep caches the roles. A full cache is cleared, which costs one lookup for each user.
func (c *Checker) keep(k key, fresh known) {
	if _, there := c.roles[k]; !there && len(c.roles) >= maxCached {
		clear(c.roles)
	}
	c.roles[k] = fresh
}

// forget removes the user from the cache.
func (c *Checker) forget(r auth.Revocation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.news++
	delete(c.roles, key{r.TenantID, r.UserID, ""}) // a device's role never changes
}
