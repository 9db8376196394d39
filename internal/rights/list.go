package rights

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"orderbell/internal/auth"
	"orderbell/internal/backoff"
)

// Source is where revocations are kept.
type Source interface {
	Revocations(ctx context.Context) ([]auth.Revocation, error)
}

// List is the revocations that are not over. It is safe for concurrent use.
//
// All of them are in memory, so that a check costs nothing. They come from Redis: each as it is made, and all of them
// whenever the subscription begins again, and once a minute, since pub/sub forgets. Until they have been read once, every
// request is rejected; after that the last known ones hold while Redis is away.
type List struct {
	source Source
	log    *slog.Logger
	news   chan struct{} // there may be more in the source
	known  chan struct{} // closed: the source has been read

	mu     sync.RWMutex
	byName map[string][]auth.Revocation // by tenant
	tell   func(auth.Revocation)
}

// NewList returns an empty list. Tell is called, with what was not known before, whenever something is revoked: it must not
// block.
func NewList(source Source, log *slog.Logger, tell func(auth.Revocation)) *List {
	return &List{
		source: source, log: log, tell: tell, news: make(chan struct{}, 1), known: make(chan struct{}),
		byName: map[string][]auth.Revocation{},
	}
}

// Await waits until the list is complete: before that it cannot tell who may come in.
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

// Temporary is true: Redis will answer.
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

// Revoked takes a revocation in.
func (l *List) Revoked(r auth.Revocation) {
	l.mu.Lock()
	fresh := l.add(r)
	l.mu.Unlock()
	if fresh { // only after the revocation is stored: clients admitted in between are checked again after their admission
		l.tell(r)
	}
}

func (l *List) add(r auth.Revocation) bool {
	if slices.ContainsFunc(l.byName[r.TenantID], func(known auth.Revocation) bool { return same(known, r) }) {
		return false
	}
	if r.Changed { // the latest change of a user says all that earlier ones said
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

// RevocationsConfirmed takes the word that revocations are followed: what came before is read.
func (l *List) RevocationsConfirmed() {
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// How often the source is read.
const (
	readEvery = time.Minute
	readAgain = 200 * time.Millisecond // after it could not be read
)

// Run reads the source when there is news, and forgets what is over, until ctx ends.
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
		all, err := l.source.Revocations(ctx)
		if err != nil {
			if ctx.Err() == nil {
				l.log.WarnContext(ctx, "revocations not read", "err", err)
			}
			if backoff.Sleep(ctx, backoff.Jitter(2*readAgain)) {
				l.RevocationsConfirmed()
			}
			continue
		}
		for _, r := range all {
			l.Revoked(r)
		}
		complete()
	}
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
