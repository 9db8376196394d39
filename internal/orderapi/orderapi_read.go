package orderapi

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"orderbell/internal/auth"
	"orderbell/internal/order"
	"orderbell/internal/problem"
)

// Limits of a snapshot's page.
const (
	defaultLimit = 100
	maxLimit     = 500 // some 130 KB of JSON
)

// revalidate lets a client keep an answer, for this person alone, and ask each time whether it still holds.
const revalidate = "private, no-cache"

func (a api) get(w http.ResponseWriter, r *http.Request) error {
	id, err := orderID(r)
	if err != nil {
		return err
	}
	principal, ok := auth.FromContext(r.Context())
	if !ok {
		return errors.New("the request was not authenticated")
	}
	o, err := a.store.Get(r.Context(), principal.TenantID, id)
	if err != nil {
		return refusal(err)
	}
	body, err := json.Marshal(FromOrder(o))
	if err != nil {
		return fmt.Errorf("encode order: %w", err)
	}
	serve(w, r, versionTag(o), body)
	return nil
}

func (a api) snapshot(w http.ResponseWriter, r *http.Request) error {
	principal, ok := auth.FromContext(r.Context())
	if !ok {
		return errors.New("the request was not authenticated")
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
	body, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("encode snapshot: %w", err)
	}
	sum := sha256.Sum256(body)
	const enough = 16 // bytes: versions of one page never collide
	serve(w, r, `"`+base64.RawURLEncoding.EncodeToString(sum[:enough])+`"`, body)
	return nil
}

func pageOf(r *http.Request) (int, order.Position, error) {
	query := r.URL.Query()
	limit := defaultLimit
	if query.Has("limit") {
		n, err := strconv.Atoi(query.Get("limit"))
		if err != nil || n < 1 || n > maxLimit {
			return 0, order.Position{}, badParameter("limit", fmt.Sprintf("is not a number from 1 to %d", maxLimit))
		}
		limit = n
	}
	if !query.Has("cursor") {
		return limit, order.Position{}, nil
	}
	after, err := parseCursor(query.Get("cursor"))
	if err != nil {
		return 0, order.Position{}, badParameter("cursor", "is not a next_cursor of this API")
	}
	return limit, after, nil
}

func badParameter(name, detail string) error {
	p := problem.New(http.StatusBadRequest, "%s %s", name, detail)
	p.Errors = []problem.FieldError{{Field: name, Detail: detail}}
	return p
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

func versionTag(o order.Order) string { return `"` + strconv.FormatInt(o.Version, 10) + `"` }

// serve answers a GET with body, or with 304 if the client has it.
func serve(w http.ResponseWriter, r *http.Request, tag string, body []byte) {
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", revalidate)
	h.Set("Vary", "Authorization")
	if matches(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	_, _ = w.Write(append(body, '\n')) // the client has gone if this fails
}

// matches implements If-None-Match (RFC 9110 §13.1.2): * or a list of tags, compared weakly. Our tags have no comma.
func matches(headers []string, tag string) bool {
	for _, header := range headers {
		for candidate := range strings.SplitSeq(header, ",") {
			candidate = strings.TrimSpace(candidate)
			if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
				return true
			}
		}
	}
	return false
}
