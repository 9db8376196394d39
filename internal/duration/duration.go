// Package duration has the type of a configured duration that is a whole number of seconds.
package duration

import (
	"fmt"
	"strconv"
	"time"
)

// Seconds is a duration that the environment gives as a whole number of seconds, for variables that end in _SECONDS.
type Seconds time.Duration

// Decode implements envconfig's Decoder.
func (s *Seconds) Decode(value string) error {
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not a whole number of seconds", value)
	}
	*s = Seconds(time.Duration(n) * time.Second)
	return nil
}

// Duration returns s as a [time.Duration].
func (s Seconds) Duration() time.Duration { return time.Duration(s) }
