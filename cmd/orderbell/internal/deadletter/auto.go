package deadletter

import (
	"slices"
	"strconv"
	"time"

	"orderbell/internal/event/deadletter"
)

// The times of a redrive without an operator (docs/adr/0021-back-off-outside-the-broker.md).
const (
	// firstPause is the wait before a dead letter is redriven automatically.
	firstPause = 30 * time.Second
	// longestPause is the longest wait between two redrives of one event.
	longestPause = time.Hour
	// calm is the time without a new dead letter after which all dead letters of a subscriber are sent.
	calm = 30 * time.Second // longer than the broker retries
	// crowded is the status of an event of a business with too many events at once. It does not mean that the subscriber fails.
	crowded = "429"
	// probes is the number of dead letters that are sent to a subscriber that still fails.
	probes = 10
	// giveUp is the age of an event's first dead letter after which its dead letters wait for an operator.
	giveUp = 72 * time.Hour
	// lookBack is the age of the oldest dead letters that are read. It is twice giveUp, so that the first dead letter of an event is
	// still read while its last one is due.
	lookBack = 2 * giveUp
)

// due returns the chosen dead letters that may be redriven automatically now. Each earlier dead letter of the same
// event doubles its pause. A subscriber with a new dead letter in the last 30 s, other than a 429, still fails: it gets a few as probes, and
// the rest when no new one comes.
func due(all, chosen []Letter, now time.Time) []Letter {
	letters := map[[32]byte]int{}
	first := map[[32]byte]time.Time{}
	last := map[string]time.Time{} // by subscriber
	for _, l := range all {
		if l.SameAs != "" {
			continue
		}
		if letters[l.content]++; letters[l.content] == 1 {
			first[l.content] = l.BuriedAt // all are sorted by it
		}
		if l.passing() && l.Status != crowded {
			last[l.Subscriber] = l.BuriedAt
		}
	}
	probed := map[string]int{}
	return slices.DeleteFunc(chosen, func(l Letter) bool {
		pause := min(firstPause<<min(letters[l.content]-1, 10), longestPause)
		if !l.passing() || now.Sub(l.BuriedAt) < pause || now.Sub(first[l.content]) > giveUp {
			return true
		}
		if now.Sub(last[l.Subscriber]) >= calm {
			return false
		}
		probed[l.Subscriber]++
		return probed[l.Subscriber] > probes
	})
}

// passing reports whether the failure may be temporary: the function did not answer, or answered with a status that
// brokers retry. Other refusals need an operator.
//
// Knative also gives no status when the answer is below 300 and its body is not a CloudEvent. Such a dead letter looks like one
// without an answer; giveUp ends its redrives.
func (l *Letter) passing() bool {
	if l.Obstacle != "" || l.Subscriber == "" {
		return false
	}
	status, err := strconv.Atoi(l.Status)
	if err != nil {
		return l.Status == ""
	}
	return deadletter.Retryable(status)
}
