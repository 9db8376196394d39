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

// hub is the usual hand-written design: one channel per client, and one goroutine that writes its messages. It waits for the
// slowest client instead of dropping messages, because every measured server has to deliver all of them.
type hub struct {
	mu      sync.Mutex
	clients map[chan []byte]struct{}
}

// hubBuffer is the buffer size of r3labs/sse.
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
		go func() { // drain the channel, so that a sender is not blocked
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
