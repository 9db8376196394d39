// Package guard limits the rate of actions per name, such as an address, a user or a tenant. Each instance counts by itself.
package guard

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxNames bounds the memory of a guard. A full guard is cleared: an attacker with so many addresses could avoid the limit anyway.
const maxNames = 10_000

// Guard limits the rate of each name.
type Guard struct {
	most   int
	period time.Duration

	mu   sync.Mutex
	used map[string]*rate.Limiter
}

// New returns a guard that permits each name a burst of most actions, and then one per period/most.
func New(most int, period time.Duration) *Guard {
	return &Guard{most: most, period: period, used: map[string]*rate.Limiter{}}
}

// Take counts an action and returns 0 if it is permitted. Otherwise it returns the time to wait and counts nothing.
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

// Wait returns the time that name has to wait, without counting.
func (g *Guard) Wait(name string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l := g.used[name]; l != nil && l.Tokens() < 1 {
		return g.period / time.Duration(g.most)
	}
	return 0
}
