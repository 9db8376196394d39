package access

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"orderbell/functions/internal/route"
	"orderbell/internal/problem"
	"orderbell/internal/user"
)

// ShareConfig bounds one tenant's share of an instance.
type ShareConfig struct {
	// AtOnce is how many requests of a tenant run at once. Each takes a database connection, so half of DATABASE_MAX_CONNS
	// leaves as many for all other tenants.
	AtOnce int `envconfig:"TENANT_REQUESTS_AT_ONCE" default:"2"`
}

// Check returns an error for a limit below 1.
func (c ShareConfig) Check() error {
	if c.AtOnce < 1 {
		return fmt.Errorf("TENANT_REQUESTS_AT_ONCE is %d, want 1 or more", c.AtOnce)
	}
	return nil
}

const (
	// maxWaiting bounds the waiting requests of a tenant. A further one is answered 429.
	maxWaiting = 32
	// waitFor is the longest wait of a request.
	waitFor = time.Second
)

// Shares bounds the concurrent requests of each tenant and queues a few more. A tenant without requests uses no memory.
type Shares struct {
	atOnce int

	mu      sync.Mutex
	tenants map[string]*share
}

// share is a tenant's share of the instance.
type share struct {
	slots   chan struct{} // one element for each request that runs
	holders int           // requests that run or wait
}

// NewShares returns shares of the same size for every tenant.
func NewShares(cfg ShareConfig) *Shares {
	return &Shares{atOnce: cfg.AtOnce, tenants: map[string]*share{}}
}

// Enter waits until the tenant's request may run, and returns the function to call at its end. The error is a problem
// 429 that names the limit.
func (s *Shares) Enter(ctx context.Context, tenantID string) (leave func(), err error) {
	s.mu.Lock()
	mine := s.tenants[tenantID]
	if mine == nil {
		mine = &share{slots: make(chan struct{}, s.atOnce)}
		s.tenants[tenantID] = mine
	}
	if mine.holders >= s.atOnce+maxWaiting {
		s.mu.Unlock()
		return nil, s.refusal()
	}
	mine.holders++
	s.mu.Unlock()
	leave = func() {
		<-mine.slots
		s.drop(tenantID, mine)
	}
	select {
	case mine.slots <- struct{}{}:
		return leave, nil
	default: // wait
	}
	limit := time.NewTimer(waitFor)
	defer limit.Stop()
	select {
	case mine.slots <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		err = fmt.Errorf("wait for the tenant's turn: %w", ctx.Err())
	case <-limit.C:
		err = s.refusal()
	}
	s.drop(tenantID, mine)
	return nil, err
}

func (s *Shares) drop(tenantID string, mine *share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if mine.holders--; mine.holders == 0 {
		delete(s.tenants, tenantID)
	}
}

func (s *Shares) refusal() error {
	return problem.Limited(http.StatusTooManyRequests, string(user.RequestsAtOnce), int64(s.atOnce)).With("Retry-After", route.Seconds(waitFor))
}
