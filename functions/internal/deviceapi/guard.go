package deviceapi

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxGuarded bounds the memory of a guard. When it is full, it forgets all: strangers with so many addresses have other ways.
const maxGuarded = 10_000

// guard lets each name do something so many times in a period. It counts on this instance alone.
type guard struct {
	most   int
	period time.Duration

	mu   sync.Mutex
	used map[string]*rate.Limiter
}

func newGuard(most int, period time.Duration) *guard {
	return &guard{most: most, period: period, used: map[string]*rate.Limiter{}}
}

// take counts one, and returns 0, or how long name has to wait. What has to wait is not counted.
func (g *guard) take(name string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.used[name]
	if l == nil {
		if len(g.used) >= maxGuarded {
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

// wait returns how long name has to wait, without counting.
func (g *guard) wait(name string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l := g.used[name]; l != nil && l.Tokens() < 1 {
		return g.period / time.Duration(g.most)
	}
	return 0
}
