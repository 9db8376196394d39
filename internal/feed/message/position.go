package message

import (
	"cmp"
	"strconv"
	"strings"
)

// Position is a position in a tenant's stream, as in Redis: milliseconds and a sequence number. The zero Position is
// before all entries.
type Position struct{ Millis, Seq uint64 }

// Compare returns -1, 0 or 1 if p is before, at or after q.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Millis, q.Millis), cmp.Compare(p.Seq, q.Seq))
}

// Next returns the first possible position after p.
func (p Position) Next() Position { return Position{p.Millis, p.Seq + 1} }

// String returns p as "millis-seq".
func (p Position) String() string {
	return strconv.FormatUint(p.Millis, 10) + "-" + strconv.FormatUint(p.Seq, 10)
}

// ParsePosition reads "millis-seq".
func ParsePosition(s string) (Position, bool) {
	millis, seq, ok := strings.Cut(s, "-")
	if !ok {
		return Position{}, false
	}
	var p Position
	var err1, err2 error
	p.Millis, err1 = strconv.ParseUint(millis, 10, 64)
	p.Seq, err2 = strconv.ParseUint(seq, 10, 64)
	return p, err1 == nil && err2 == nil
}

// Published is a message with its position in the tenant's stream. A reader that saw Prev last has missed nothing.
type Published struct {
	Prev, At Position
	PrevID   string // the id of the event at Prev, if known
	Message  Message
	Err      error // not nil: the entry exists, but its message could not be parsed
}

// Tail is the end of a tenant's stream: the last position and its event, or the zero Tail of a stream that never had an
// event.
type Tail struct {
	At      Position
	EventID string
}
