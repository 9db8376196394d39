// Package orderapi is the HTTP API with which tills create, change and list orders.
//
// Every error is a problem (RFC 9457). The token names the tenant; orders of another tenant do not exist for it. A POST
// may have an Idempotency-Key: its retries get the first answer and change nothing.
package orderapi

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"orderbell/functions/internal/route"
	"orderbell/internal/auth"
	"orderbell/internal/order"
	"orderbell/internal/paths"
	"orderbell/internal/problem"
	"orderbell/internal/text"
	"orderbell/internal/user"
)

// Store keeps the orders. Its errors are package order's outcomes or failures of the store.
type Store interface {
	Create(ctx context.Context, o order.Order, r order.Request) (order.Answer, error)
	Change(ctx context.Context, id string, next order.Status, r order.Request) (order.Answer, error)
	Undo(ctx context.Context, id string, version int64, states []order.Status, r order.Request) (order.Answer, error)
	Get(ctx context.Context, tenantID, id string) (order.Order, error)
	Page(ctx context.Context, tenantID string, q order.Query) (page []order.Order, more bool, err error)
	Search(ctx context.Context, tenantID, text string, limit int) ([]order.Order, error)
	Count(ctx context.Context, tenantID string, from, to time.Time) (map[order.Status]int, error)
	TimeZone(ctx context.Context, tenantID string) (string, error)
	History(ctx context.Context, tenantID, id, reader string) (changes []order.Change, more bool, err error)
	Takings(ctx context.Context, tenantID string, from, to time.Time) ([]order.Tally, error)
	Made(ctx context.Context, tenantID string, from, to time.Time) (map[order.Status]int, error)
}

// Order is an order in the API's JSON.
type Order struct {
	OrderID     string       `json:"order_id"` // UUID
	TenantID    string       `json:"tenant_id"`
	Reference   string       `json:"reference"` // the number that users call out; may be empty
	Status      order.Status `json:"status"`
	TotalAmount int64        `json:"total_amount"` // in the currency's minor unit
	Currency    string       `json:"currency"`     // ISO 4217
	Version     int64        `json:"version"`      // 1 at creation, one more with each change; the ETag
	CreatedAt   time.Time    `json:"created_at"`   // RFC 3339, UTC
	UpdatedAt   time.Time    `json:"updated_at"`

	UndoUntil   time.Time `json:"undo_until,omitzero"`              // absent if the latest change cannot be undone
	DuplicateOf string    `json:"duplicate_reference_of,omitempty"` // only in the answer to POST /api/orders
}

// NewOrder is the body of POST /api/orders.
type NewOrder struct {
	Reference   string         `json:"reference,omitempty"`
	TotalAmount *order.Integer `json:"total_amount"`       // a pointer tells 0 from missing
	Currency    *string        `json:"currency,omitempty"` // nil: the tenant's
}

// NewStatus is the body of POST /api/orders/{id}/status.
type NewStatus struct {
	Status *order.Status `json:"status"`
}

// Snapshot is the answer to GET /api/orders/snapshot.
type Snapshot struct {
	Orders     []Order `json:"orders"`                // from the newest to the oldest
	NextCursor string  `json:"next_cursor,omitempty"` // "" on the last page
}

type api struct{ store Store }

// New returns the API's handler for the paths /api/orders and below.
func New(log *slog.Logger, verifier *auth.Verifier, store Store) route.API {
	a := api{store}
	return route.New(log, verifier, map[string]route.Methods{
		paths.Orders:                   {"POST": {Roles: user.Sellers(), Handle: a.create}},
		paths.Snapshot:                 {"GET": {Roles: user.Roles(), Handle: a.snapshot}},
		paths.Orders + "/counts":       {"GET": {Roles: user.Roles(), Handle: a.counts}},
		paths.Orders + "/{id}":         {"GET": {Roles: user.Roles(), Handle: a.get}},
		paths.Orders + "/{id}/history": {"GET": {Roles: user.Roles(), Handle: a.history}},
		paths.Orders + "/summary":      {"GET": {Roles: user.Leaders(), Handle: a.summary}},
		paths.Orders + "/{id}/pay":     {"POST": {Roles: user.Sellers(), Handle: a.pay}},
		paths.Orders + "/{id}/undo":    {"POST": {Roles: user.Workers(), Handle: a.undo}},
		paths.Orders + "/{id}/status":  {"POST": {Roles: user.Workers(), Handle: a.setStatus}}, // see [Movers]
	})
}

func (a api) create(w http.ResponseWriter, r *http.Request) error {
	body, err := problem.ReadBody(w, r)
	if err != nil {
		return err
	}
	var asked NewOrder
	if err := problem.Decode(body, &asked); err != nil {
		return err
	}
	o, err := asked.order()
	if err != nil {
		return err
	}
	request, err := newRequest(r, body)
	if err != nil {
		return err
	}
	answer, err := a.store.Create(r.Context(), o, request)
	if err != nil {
		return refusal(err)
	}
	w.Header().Set("Location", paths.Orders+"/"+answer.Order.ID)
	return write(w, http.StatusCreated, answer)
}

// order validates the request and returns the requested order, or 422 that names every wrong field.
func (n NewOrder) order() (order.Order, error) {
	var wrong []problem.FieldError
	add := func(field, detail string) { wrong = append(wrong, problem.FieldError{Field: field, Detail: detail}) }
	reference := text.Normal(n.Reference)
	if max(utf8.RuneCountInString(n.Reference), utf8.RuneCountInString(reference)) > order.MaxReference {
		add("reference", "is longer than "+strconv.Itoa(order.MaxReference)+" characters")
	} else if fault := text.Fault(n.Reference); fault != "" {
		add("reference", fault)
	}
	if n.TotalAmount == nil {
		add("total_amount", "is missing")
	} else if *n.TotalAmount < 0 || *n.TotalAmount > order.MaxAmount {
		add("total_amount", "must be an integer from 0 to "+strconv.Itoa(order.MaxAmount)+" in the currency's minor unit")
	}
	currency := "" // the tenant's
	if n.Currency != nil {
		currency = *n.Currency
	}
	if n.Currency != nil && !order.IsCurrency(currency) {
		add("currency", "must be three capital letters as in ISO 4217, such as EUR")
	}
	if len(wrong) > 0 {
		return order.Order{}, problem.Fields(wrong)
	}
	return order.Order{Reference: reference, TotalAmount: int64(*n.TotalAmount), Currency: currency}, nil
}

func (a api) pay(w http.ResponseWriter, r *http.Request) error {
	body, err := problem.OptionalBody(w, r)
	if err != nil {
		return err
	}
	return a.change(w, r, body, order.Paid)
}

func (a api) setStatus(w http.ResponseWriter, r *http.Request) error {
	body, err := problem.ReadBody(w, r)
	if err != nil {
		return err
	}
	var asked NewStatus
	if err := problem.Decode(body, &asked); err != nil {
		return err
	}
	switch {
	case asked.Status == nil:
		return problem.Field("status", "is missing")
	case !asked.Status.Valid():
		return problem.Field("status", "must be one of %s", text.List(order.Statuses()))
	case *asked.Status == order.Paid:
		return problem.Field("status", "cannot be set to paid: use POST /api/orders/{id}/pay")
	}
	principal, err := auth.Who(r)
	if err != nil {
		return err
	}
	if !principal.Has(Movers(*asked.Status)...) {
		return problem.New(http.StatusForbidden, "setting an order to %s needs one of the roles %s", *asked.Status, text.List(Movers(*asked.Status)))
	}
	return a.change(w, r, body, *asked.Status)
}

// Movers returns the roles that may bring an order into state next. The kitchen may neither refund nor cancel.
func Movers(next order.Status) []user.Role {
	switch next {
	case order.Paid, order.Cancelled, order.Refunded:
		return user.Sellers()
	case order.Submitted, order.Preparing, order.Ready, order.Completed:
	}
	return user.Workers()
}

func (a api) change(w http.ResponseWriter, r *http.Request, body []byte, next order.Status) error {
	id, err := orderID(r)
	if err != nil {
		return err
	}
	request, err := newRequest(r, body)
	if err != nil {
		return err
	}
	answer, err := a.store.Change(r.Context(), id, next, request)
	if err != nil {
		return refusal(err)
	}
	return write(w, http.StatusOK, answer)
}

// orderID returns the order id of the path. A malformed id is answered like an unknown order.
func orderID(r *http.Request) (string, error) {
	id, ok := route.PathID(r)
	if !ok {
		return "", refusal(order.ErrNotFound)
	}
	return id, nil
}

// named returns the caller, and the order id of the path.
func named(r *http.Request) (caller auth.Principal, id string, err error) {
	if id, err = orderID(r); err != nil {
		return auth.Principal{}, "", err
	}
	caller, err = auth.Who(r)
	return caller, id, err
}

// keyHeader is the header of draft-ietf-httpapi-idempotency-key-header.
const keyHeader = "Idempotency-Key"

// maxKey is the longest Idempotency-Key, as the table idempotency_keys has it.
const maxKey = 255

func newRequest(r *http.Request, body []byte) (order.Request, error) {
	principal, err := auth.Who(r)
	if err != nil {
		return order.Request{}, err
	}
	trace := traceOf(r)
	request := order.Request{
		TenantID: principal.TenantID, ActorID: principal.UserID, TraceParent: trace.TraceParent, TraceState: trace.TraceState,
	}
	keys, sent := r.Header[keyHeader]
	if !sent {
		return request, nil
	}
	if len(keys) != 1 || keys[0] == "" || len(keys[0]) > maxKey ||
		strings.ContainsFunc(keys[0], func(c rune) bool { return c < 0x20 || c > 0x7e }) {
		return order.Request{}, problem.New(http.StatusBadRequest, "%s must be one value of 1 to %d printable ASCII characters", keyHeader, maxKey)
	}
	request.Key = keys[0]
	request.Fingerprint = sha256.Sum256(slices.Concat([]byte(r.Method+" "+r.URL.Path+"\n"), body))
	return request, nil
}

// refusal converts the store's outcomes to problems. It returns other errors unchanged.
func refusal(err error) error {
	var transition *order.TransitionError
	var rate *RateError
	var undo *order.UndoError
	switch {
	case errors.As(err, &rate):
		return problem.Limited(http.StatusTooManyRequests, string(rate.Limit), rate.Max).
			With("Retry-After", route.Seconds(rate.After))
	case errors.Is(err, order.ErrNotFound):
		return problem.New(http.StatusNotFound, "there is no such order")
	case errors.Is(err, order.ErrNoTenant):
		return problem.New(http.StatusForbidden, "the token's tenant does not exist")
	case errors.Is(err, order.ErrKeyReused):
		return problem.New(http.StatusUnprocessableEntity, "%s was used for another request: choose a new key", keyHeader)
	case errors.As(err, &undo):
		return problem.New(http.StatusConflict, "%s", undo)
	case errors.As(err, &transition):
		return problem.New(http.StatusConflict, "%s", transition)
	}
	return err
}

// write answers a POST. A repeated request gets the status and the body of the first.
func write(w http.ResponseWriter, status int, a order.Answer) error {
	if a.Repeated {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	o := FromOrder(a.Order)
	o.DuplicateOf = a.DuplicateOf
	return route.Answer(w, status, route.VersionTag(o.Version), o)
}

// FromOrder converts o to the API's JSON.
func FromOrder(o order.Order) Order {
	return Order{
		OrderID: o.ID, TenantID: o.TenantID, Reference: o.Reference, Status: o.Status, TotalAmount: o.TotalAmount,
		Currency: o.Currency, Version: o.Version, CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt,
		UndoUntil: o.UndoUntil(),
	}
}
