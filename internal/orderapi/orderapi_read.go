package orderapi

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"orderbell/internal/auth"
	"orderbell/internal/order"
	"orderbell/internal/route"
)

// Limits of a snapshot's page.
const (
	defaultLimit = 100
	maxLimit     = 500 // some 130 KB of JSON
)

func (a api) get(w http.ResponseWriter, r *http.Request) error {
	id, err := orderID(r)
	if err != nil {
		return err
	}
	principal, err := auth.Who(r)
	if err != nil {
		return err
	}
	o, err := a.store.Get(r.Context(), principal.TenantID, id)
	if err != nil {
		return refusal(err)
	}
	return route.Serve(w, r, route.VersionTag(o.Version), FromOrder(o))
}

func (a api) snapshot(w http.ResponseWriter, r *http.Request) error {
	principal, err := auth.Who(r)
	if err != nil {
		return err
	}
	limit, after, err := pageOf(r)
	if err != nil {
		return err
	}
	page, more, err := a.store.Page(r.Context(), principal.TenantID, after, limit)
	if err != nil {
		return refusal(err)
	}
	answer := Snapshot{Orders: make([]Order, len(page))} // never null
	for i, o := range page {
		answer.Orders[i] = FromOrder(o)
	}
	if more {
		answer.NextCursor = cursor(page[len(page)-1].Position())
	}
	return route.Serve(w, r, "", answer)
}

func pageOf(r *http.Request) (int, order.Position, error) {
	query := r.URL.Query()
	limit := defaultLimit
	if query.Has("limit") {
		n, err := strconv.Atoi(query.Get("limit"))
		if err != nil || n < 1 || n > maxLimit {
			return 0, order.Position{}, route.BadParameter("limit", fmt.Sprintf("is not a number from 1 to %d", maxLimit))
		}
		limit = n
	}
	if !query.Has("cursor") {
		return limit, order.Position{}, nil
	}
	after, err := parseCursor(query.Get("cursor"))
	if err != nil {
		return 0, order.Position{}, route.BadParameter("cursor", "is not a next_cursor of this API")
	}
	return limit, after, nil
}

// A cursor is a position's microseconds since 1970 (8 bytes, big-endian) and order id (16 bytes) in base64url.
const cursorSize = 8 + 16

// lastInstant keeps a made-up cursor within what PostgreSQL takes for a time.
const lastInstant = 253402300800_000_000 // the year 10000

func cursor(p order.Position) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, cursorSize), uint64(p.CreatedAt.UnixMicro()))
	id := uuid.MustParse(p.ID) // the store's ids are UUIDs
	return base64.RawURLEncoding.EncodeToString(append(b, id[:]...))
}

var errCursor = errors.New("not a cursor")

func parseCursor(s string) (order.Position, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != cursorSize {
		return order.Position{}, errCursor
	}
	micros := binary.BigEndian.Uint64(b)
	if micros > lastInstant {
		return order.Position{}, errCursor
	}
	return order.Position{CreatedAt: time.UnixMicro(int64(micros)).UTC(), ID: uuid.UUID(b[8:]).String()}, nil
}
