package peer

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"orderbell/internal/event"
	"orderbell/test/bench/internal/message"
)

// frame renders a message as the gateway does.
func frame(n int, at time.Time) []byte {
	return fmt.Appendf(nil, "id: %s\nevent: %s\ndata: %s\n\n", message.EventID(n), event.OrderPaid, message.JSON(n, at))
}

// hub is the usual hand-written design: a channel for each client, a goroutine that writes what comes out of it. It waits for
// the slowest client rather than drop messages, so that it delivers all of them as the others must.
type hub struct {
	mu      sync.Mutex
	clients map[chan []byte]struct{}
}

// hubBuffer is as much as r3labs/sse has.
const hubBuffer = 64

func newHub() *server {
	h := &hub{clients: map[chan []byte]struct{}{}}
	return &server{handler: h, Stream: Stream{Path: "/"}, publish: func(_ context.Context, n int, at time.Time) error {
		rendered := frame(n, at)
		h.mu.Lock()
		defer h.mu.Unlock()
		for c := range h.clients {
			c <- rendered
		}
		return nil
	}}
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	frames := make(chan []byte, hubBuffer)
	h.mu.Lock()
	h.clients[frames] = struct{}{}
	h.mu.Unlock()
	defer func() {
		go func() { // so that who sends to it meanwhile is not held up
			for range frames {
			}
		}()
		h.mu.Lock()
		delete(h.clients, frames)
		h.mu.Unlock()
		close(frames)
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w).Flush
	if flush() != nil {
		return
	}
	for {
		select {
		case rendered := <-frames:
			if _, err := w.Write(rendered); err != nil || flush() != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}
