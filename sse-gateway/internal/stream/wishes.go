package stream

import (
	"net/http"
	"strconv"
	"time"

	"orderbell/internal/problem"
)

// wishes is what a client asks for in the address of its stream.
type wishes struct {
	ticket      string
	lastEventID string
	heartbeat   time.Duration // 0: as usual
}

// longestHeartbeat bounds what can be asked for; what is granted is [fanout.Config.Beat].
const longestHeartbeat = 3600

// readWishes returns the wishes of a request. Its error is 400.
func readWishes(r *http.Request) (wishes, error) {
	query, err := problem.Query(r, "ticket", "lastEventId", "heartbeat")
	if err != nil {
		return wishes{}, err
	}
	// The header is a reconnect's, the query a page's first request: it stays in the URL and grows old.
	w := wishes{ticket: query.Get("ticket"), lastEventID: r.Header.Get("Last-Event-ID")}
	if w.lastEventID == "" {
		w.lastEventID = query.Get("lastEventId")
	}
	if query.Has("heartbeat") {
		seconds, err := strconv.Atoi(query.Get("heartbeat"))
		if err != nil || seconds < 1 || seconds > longestHeartbeat {
			return wishes{}, problem.BadParameter("heartbeat", "is not a whole number of seconds from 1 to 3600")
		}
		w.heartbeat = time.Duration(seconds) * time.Second
	}
	return w, nil
}
