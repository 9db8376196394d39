package deadletter

import (
	"slices"
	"strconv"
	"time"

	"orderbell/internal/event/deadletter"
)

const (
	// firstPause is how long a letter waits before it is redriven by itself. The broker has tried for minutes before.
	firstPause = time.Minute
	// longestPause is the longest wait between two redrives of one event.
	longestPause = time.Hour
)

// due returns the chosen letters that may be redriven by themselves now. Each letter that an event has had before doubles its
// pause, so events of a function that goes on failing become rare.
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

// passing says whether the letter's function may take the event at another time: it did not answer, or with a status that
// brokers try again. A refusal stays one until somebody has looked at it.
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
