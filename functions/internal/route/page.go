package route

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"orderbell/internal/problem"
)

// Position is a place in a list that is ordered by time and id.
type Position struct {
	At time.Time // to the microsecond, as PostgreSQL keeps it
	ID string    // UUID
}

// A cursor is a position's microseconds since 1970 (8 bytes, big-endian) and id (16 bytes) in base64url.
const cursorSize = 8 + 16

// lastInstant bounds the time of a cursor to PostgreSQL's range.
const lastInstant = 253402300800_000_000 // the year 10000

// Cursor returns the cursor of p for clients.
func (p Position) Cursor() string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, cursorSize), uint64(p.At.UnixMicro()))
	id := uuid.MustParse(p.ID) // the stores' ids are UUIDs
	return base64.RawURLEncoding.EncodeToString(append(b, id[:]...))
}

var errCursor = errors.New("not a cursor")

func parseCursor(s string) (Position, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != cursorSize {
		return Position{}, errCursor
	}
	micros := binary.BigEndian.Uint64(b)
	if micros > lastInstant {
		return Position{}, errCursor
	}
	return Position{At: time.UnixMicro(int64(micros)).UTC(), ID: uuid.UUID(b[8:]).String()}, nil
}

// Limits of a page.
const (
	defaultLimit = 100
	maxLimit     = 500 // some 130 KB of JSON
)

// PageOf reads limit and cursor of a request: the largest number of entries, and the position after which they start, which is the
// zero Position for the first page. others are the names of the call's other parameters. Its error is 400.
func PageOf(r *http.Request, others ...string) (limit int, after Position, err error) {
	query, err := problem.OnlyQuery(r, append([]string{"limit", "cursor"}, others...)...)
	if err != nil {
		return 0, Position{}, err
	}
	limit = defaultLimit
	if query.Has("limit") {
		if limit, err = strconv.Atoi(query.Get("limit")); err != nil || limit < 1 || limit > maxLimit {
			return 0, Position{}, problem.BadParameter("limit", fmt.Sprintf("must be a whole number from 1 to %d", maxLimit))
		}
	}
	if query.Has("cursor") {
		if after, err = parseCursor(query.Get("cursor")); err != nil {
			return 0, Position{}, problem.BadParameter("cursor", "must be the next_cursor of an earlier answer")
		}
	}
	return limit, after, nil
}

// PathID returns the path's id in canonical form, or false if it is not a UUID.
func PathID(r *http.Request) (string, bool) { return ID(r.PathValue("id")) }

// ID returns a UUID in canonical form, or false.
func ID(s string) (string, bool) {
	const spelled = 36 // uuid.Parse accepts other spellings, which are refused here
	id, err := uuid.Parse(s)
	return id.String(), err == nil && len(s) == spelled
}
