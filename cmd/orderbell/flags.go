package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"orderbell/internal/event"
	"orderbell/internal/text"
)

// moment is a flag for a point in time: a time, or a duration before now.
type moment struct {
	time.Time

	now func() time.Time
}

func newMoment() *moment { return &moment{now: time.Now} }

// Set reads an RFC 3339 time, a day (of UTC), or a duration before now. It refuses the zero time, which stands for no flag.
func (m *moment) Set(s string) error {
	at, err := m.parse(s)
	if err != nil {
		return err
	}
	if year := at.UTC().Year(); year < event.FirstYear || year > event.LastYear {
		return fmt.Errorf("must be in the years %d to %d", event.FirstYear, event.LastYear)
	}
	m.Time = at
	return nil
}

func (m *moment) parse(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	ago, err := time.ParseDuration(s)
	if err != nil || ago < 0 {
		return time.Time{}, fmt.Errorf("must be a duration, such as 90m, or a time, such as 2026-11-24T10:00:00Z or 2026-11-24")
	}
	return m.now().Add(-ago), nil
}

func (m *moment) String() string {
	if m.IsZero() {
		return ""
	}
	return m.Format(time.RFC3339)
}

// Type is the name of the value in the usage text.
func (*moment) Type() string { return "when" }

// printJSON escapes terminal control characters. The JSON value does not change.
func printJSON(out io.Writer, v any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return err
	}
	_, err := out.Write(text.JSON(b.Bytes()))
	return err
}
