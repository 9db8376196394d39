// Package duration defines the type of configuration variables in whole seconds.
package duration

import (
	"fmt"
	"strconv"
	"time"
)

// Seconds is the value of an environment variable that ends in _SECONDS: a whole number of seconds.
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
