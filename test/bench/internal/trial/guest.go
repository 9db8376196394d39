package trial

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"orderbell/test/bench/internal/message"
)

// guest is a client that connects, leaves after a while, and resumes with its last event id.
type guest struct {
	address, token string
	stay           time.Duration
	last           int // the number of the last message

	lastEventID string
	next        int // the next message that it must get; < 0 means any, because it has none yet
	visits      int
	skipped     int
	resyncs     int
	failed      error // of the last visit
}

// live opens streams until it has the last message or ctx ends.
func (g *guest) live(ctx context.Context) {
	for g.next <= g.last && ctx.Err() == nil {
		g.visits++
		g.failed = g.visit(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(rand.N(g.stay / 4)):
		}
	}
}

// visit opens a stream and reads it for a while.
func (g *guest) visit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, g.stay/2+rand.N(g.stay))
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.address, nil)
	if err != nil {
		return fmt.Errorf("visit: %w", err)
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Authorization", "Bearer "+g.token)
	if g.lastEventID != "" {
		r.Header.Set("Last-Event-ID", g.lastEventID)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("visit: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // it is left
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("visit: status %d", response.StatusCode)
	}
	lines := bufio.NewReaderSize(response.Body, 1<<10)
	id := ""
	for g.next <= g.last {
		line, err := lines.ReadString('\n')
		if err != nil {
			return fmt.Errorf("visit: %w", err)
		}
		switch name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); name {
		case "id":
			id = value
		case "event":
			if value == "resync" {
				g.resyncs++
			}
		case "data":
			message.Scan([]byte(value), func(n int, _ int64) { g.shown(n) })
		case "":
			if id != "" {
				g.lastEventID = id
			}
		}
	}
	return nil
}

// shown checks that messages arrive in their order.
func (g *guest) shown(n int) {
	if g.next >= 0 && n != g.next {
		g.skipped++
	}
	g.next = n + 1
}

var errUnsound = errors.New("the soak failed")

// Judge returns an error if something was lost, or memory grew.
func (s Soaked) Judge(mostGrowth float64) error {
	var problems bytes.Buffer
	for what, n := range map[string]int{
		"deliveries are missing": s.Missing, "were duplicated": s.Repeated, "streams were closed": s.Closed,
		"messages reached a guest out of order or not at all": s.Skipped, "guests got a resync": s.Resyncs,
	} {
		if n > 0 {
			fmt.Fprintf(&problems, "; %d %s", n, what)
		}
	}
	if g := s.Growth(); g > mostGrowth {
		fmt.Fprintf(&problems, "; memory grew by %.1f %%", 100*g)
	}
	if problems.Len() > 0 {
		return fmt.Errorf("%w%s", errUnsound, problems.String())
	}
	return nil
}
