package deadletter

import (
	"slices"
	"strconv"
	"time"

	"orderbell/internal/event/deadletter"
)

const (
	// firstPause is the wait before a dead letter is redriven automatically. Before that the broker has retried for
	// minutes.
	firstPause = time.Minute
	// longestPause is the longest wait between two redrives of one event.
	longestPause = time.Hour
)

// due returns the chosen dead letters that may be redriven automatically now. Each earlier dead letter of the same
// event doubles its pause, so a function that keeps failing gets few of them.
func due(all, chosen []Letter, now time.Time) []Letter {
	earlier := map[[32]byte]int{}
	for _, l := range all {
		if l.SameAs == "" {
			earlier[l.content]++
		}
	}
	return slices.DeleteFunc(chosen, func(l Letter) bool {
		pause := min(firstPause<<min(earlier[l.content]-1, 10), longestPause)
		return !l.passing() || now.Sub(l.BuriedAt) < pause
	})
}

// passing reports whether the failure may be temporary: the function did not answer, or answered with a status that
// brokers retry. Other refusals need an operator.
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
