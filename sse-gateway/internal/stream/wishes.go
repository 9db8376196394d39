package stream

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"orderbell/internal/problem"
)

// wishes are the query parameters of a stream.
type wishes struct {
	ticket      string
	lastEventID string
	heartbeat   time.Duration // 0: as usual
}

// longestHeartbeat bounds the parameter. [fanout.Config.Beat] decides the interval.
const longestHeartbeat = 3600

// readWishes reads the query parameters of a request. Its error is 400.
func readWishes(r *http.Request) (wishes, error) {
	query, err := problem.Query(r, "ticket", "lastEventId", "heartbeat")
	if err != nil {
		return wishes{}, err
	}
	// The header comes from a reconnect. The query parameter is from the first request and becomes outdated.
	// A header that is repeated is one list (RFC 9110 §5.3), which is the id of no event: the client gets a resync.
	w := wishes{ticket: query.Get("ticket"), lastEventID: strings.Join(r.Header.Values("Last-Event-ID"), ", ")}
	if w.lastEventID == "" {
		w.lastEventID = query.Get("lastEventId")
	}
	if query.Has("heartbeat") {
		seconds, err := strconv.Atoi(query.Get("heartbeat"))
		if err != nil || seconds < 1 || seconds > longestHeartbeat {
			return wishes{}, problem.BadParameter("heartbeat", "must be a whole number of seconds from 1 to 3600")
		}
		w.heartbeat = time.Duration(seconds) * time.Second
	}
	return w, nil
}
