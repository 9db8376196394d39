// Package guard bounds how often one name may do something: an address, a user, a tenant. It counts on this instance alone.
package guard

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxNames bounds the memory of a guard. When it is full, it forgets all: strangers with so many addresses have other ways.
const maxNames = 10_000

// Guard lets each name do something so many times in a period.
type Guard struct {
	most   int
	period time.Duration

	mu   sync.Mutex
	used map[string]*rate.Limiter
}

// New returns a guard that lets each name act most times at once, and then once each period/most.
func New(most int, period time.Duration) *Guard {
	return &Guard{most: most, period: period, used: map[string]*rate.Limiter{}}
}

// Take counts one, and returns 0, or how long name has to wait. What has to wait is not counted.
func (g *Guard) Take(name string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.used[name]
	if l == nil {
		if len(g.used) >= maxNames {
			clear(g.used)
		}
		l = rate.NewLimiter(rate.Every(g.period/time.Duration(g.most)), g.most)
		g.used[name] = l
	}
	if l.Allow() {
		return 0
	}
	return g.period / time.Duration(g.most)
}

// Wait returns how long name has to wait, without counting.
func (g *Guard) Wait(name string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l := g.used[name]; l != nil && l.Tokens() < 1 {
		return g.period / time.Duration(g.most)
	}
	return 0
}
