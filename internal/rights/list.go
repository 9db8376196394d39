package rights

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"orderbell/internal/auth"
	"orderbell/internal/backoff"
)

// Source stores revocations.
type Source interface {
	Revocations(ctx context.Context) ([]auth.Revocation, error)
}

// List has the revocations that have not expired. It is safe for concurrent use.
//
// All of them are in memory, so that a check is cheap. They come from Redis: each new one through pub/sub, and all of
// them after each reconnect and once a minute, because pub/sub may lose messages. They come from PostgreSQL too, because
// Redis may lose its data. Until each source has been read once, every request is rejected; after that the last known
// ones apply while a source is down or has lost them.
type List struct {
	sources []Source
	log     *slog.Logger
	news    chan struct{} // the sources must be read again
	known   chan struct{} // closed: every source has been read

	mu     sync.RWMutex
	byName map[string][]auth.Revocation // by tenant
	tell   func(auth.Revocation)
}

// NewList returns an empty list. tell is called for each new revocation and must not block.
func NewList(sources []Source, log *slog.Logger, tell func(auth.Revocation)) *List {
	return &List{
		sources: sources, log: log, tell: tell, news: make(chan struct{}, 1), known: make(chan struct{}),
		byName: map[string][]auth.Revocation{},
	}
}

// Await waits until the list is complete.
func (l *List) Await(ctx context.Context) error {
	select {
	case <-l.known:
		return nil
	case <-ctx.Done():
		return &unknownError{ctx.Err()}
	}
}

type unknownError struct{ err error }

func (e *unknownError) Error() string { return "read revocations: " + e.err.Error() }
func (e *unknownError) Unwrap() error { return e.err }

// Temporary is true.
func (e *unknownError) Temporary() bool { return true }

// Find returns the revocation that covers p, if there is one.
func (l *List) Find(p auth.Principal) (auth.Revocation, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, r := range l.byName[p.TenantID] {
		if r.Covers(p) && r.Until.After(time.Now()) {
			return r, true
		}
	}
	return auth.Revocation{}, false
}

// Revoked adds a revocation.
func (l *List) Revoked(r auth.Revocation) {
	l.mu.Lock()
	fresh := l.add(r)
	l.mu.Unlock()
	if fresh { // only after the revocation is stored: clients that are admitted meanwhile are checked again after their admission
		l.tell(r)
	}
}

func (l *List) add(r auth.Revocation) bool {
	if slices.ContainsFunc(l.byName[r.TenantID], func(known auth.Revocation) bool { return same(known, r) }) {
		return false
	}
	if r.Changed { // the latest change of a user replaces earlier ones
		l.byName[r.TenantID] = slices.DeleteFunc(l.byName[r.TenantID], func(known auth.Revocation) bool {
			return known.Changed && known.UserID == r.UserID && known.At.Before(r.At)
		})
	}
	l.byName[r.TenantID] = append(l.byName[r.TenantID], r)
	return true
}

func same(a, b auth.Revocation) bool {
	return a.UserID == b.UserID && a.TokenID == b.TokenID && a.Changed == b.Changed && a.At.Equal(b.At) && a.Until.Equal(b.Until)
}

// RevocationsConfirmed reads the source again, because the subscription has begun.
func (l *List) RevocationsConfirmed() {
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// Intervals of reading the sources.
const (
	readEvery = time.Minute
	readAgain = 200 * time.Millisecond // after it could not be read
)

// Run reads the sources when necessary, and removes expired revocations, until ctx ends.
func (l *List) Run(ctx context.Context) {
	again := time.NewTicker(readEvery)
	defer again.Stop()
	complete := sync.OnceFunc(func() { close(l.known) })
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.news:
		case <-again.C:
			l.forget(time.Now())
		}
		if err := l.read(ctx); err != nil {
			if ctx.Err() == nil {
				l.log.WarnContext(ctx, "revocations not read", "err", err)
			}
			if backoff.Sleep(ctx, backoff.Jitter(2*readAgain)) {
				l.RevocationsConfirmed()
			}
			continue
		}
		complete()
	}
}

// read reads every source. If one source fails, the entries of the others are used.
func (l *List) read(ctx context.Context) error {
	var errs []error
	for _, s := range l.sources {
		all, err := s.Revocations(ctx)
		errs = append(errs, err)
		for _, r := range all {
			l.Revoked(r)
		}
	}
	return errors.Join(errs...)
}

func (l *List) forget(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for tenant, all := range l.byName {
		kept := slices.DeleteFunc(all, func(r auth.Revocation) bool { return !r.Until.After(now) })
		if l.byName[tenant] = kept; len(kept) == 0 {
			delete(l.byName, tenant)
		}
	}
}
