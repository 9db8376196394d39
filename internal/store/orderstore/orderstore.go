// Package orderstore keeps orders in PostgreSQL. With each change of an order it writes the event into the outbox, in
// the same transaction.
//
// Statements for a tenant run as the tenant, see [database.Collect]. A change is one statement, so one round trip and
// one transaction: it locks the order's row, checks the transition, increments the version, adds the outbox row and
// stores the Idempotency-Key. An order's outbox ids increase with its version, because both are assigned under the row
// lock.
package orderstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"orderbell/internal/event"
	"orderbell/internal/order"
	"orderbell/internal/store/database"
)

// Store is safe for concurrent use.
type Store struct{ pool *database.Pool }

// New returns a store on a database with the schema of this program.
func New(pool *database.Pool) *Store { return &Store{pool: pool} }

// Shard returns the outbox shard of an order. All events of an order are in one shard, so that they are sent in order.
func Shard(orderID string) int16 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(orderID))
	return int16(h.Sum32() % event.OutboxShards)
}

// Create creates an order of r's tenant with o's Reference, TotalAmount and Currency; without a currency it uses the
// tenant's. A repeated Key gets the first answer, and waits for it while the first request is under way. Errors:
// [order.ErrKeyReused], [order.ErrNoTenant].
func (s *Store) Create(ctx context.Context, o order.Order, r order.Request) (order.Answer, error) {
	id, eventID, err := newIDs()
	if err != nil {
		return order.Answer{}, err
	}
	query, args := createSQL, append(arguments(r, id, order.Submitted, eventID), o.Reference, o.TotalAmount, o.Currency, order.DuplicateWithin)
	if r.Key != "" {
		query, args = createOnceSQL, append(args, r.Key, r.Fingerprint[:])
	}
	made, err := s.write(ctx, r.TenantID, query, args...)
	switch {
	case err == nil:
		made.EventID = eventID
		return made, nil
	case database.Violates(err, database.ForeignKey, database.NotNull): // without a tenant there is no default currency
		return order.Answer{}, order.ErrNoTenant
	case !errors.Is(err, pgx.ErrNoRows):
		return order.Answer{}, database.Wrap("create order", err)
	}
	// The key exists already: the transaction that wrote it has committed.
	first, err := s.firstAnswer(ctx, r)
	if errors.Is(err, pgx.ErrNoRows) {
		return order.Answer{}, fmt.Errorf("create order: the Idempotency-Key vanished: %w", errBusy)
	}
	return first, err
}

// changeTries bounds how often a change is tried again because the order changed between its rejection and the query for the reason.
const changeTries = 5

// errBusy is returned after changeTries refusals that were all outdated.
var errBusy = &busyError{}

type busyError struct{}

func (*busyError) Error() string   { return "the order keeps changing" }
func (*busyError) Temporary() bool { return true }

// Change brings an order of r's tenant into state next. A repeated Key gets the first answer. Errors:
// [order.ErrNotFound], *[order.TransitionError], [order.ErrKeyReused]. An error changes nothing: a later request with
// the same Key counts as the first.
func (s *Store) Change(ctx context.Context, id string, next order.Status, r order.Request) (order.Answer, error) {
	var from []string // the states that next may follow: the rule is in package order, the check runs under the row lock
	for _, s := range order.Statuses() {
		if s.CanBecome(next) {
			from = append(from, string(s))
		}
	}
	_, eventID, err := newIDs()
	if err != nil {
		return order.Answer{}, err
	}
	query, args := changeSQL, append(arguments(r, id, next, eventID), from, next.CanBeUndone())
	if r.Key != "" {
		query, args = changeOnceSQL, append(args, r.Key, r.Fingerprint[:])
	}
	return s.change(ctx, id, r, query, args, func(now order.Order) error {
		if now.Status.CanBecome(next) {
			return errBusy
		}
		return &order.TransitionError{From: now.Status, To: next}
	})
}

// Undo brings an order of r's tenant back into the state before its latest change, which has the version. The order
// must be in an undoable state, for at most [order.UndoFor]. A repeated Key gets the first answer. Errors:
// [order.ErrNotFound], *[order.UndoError], [order.ErrKeyReused].
func (s *Store) Undo(ctx context.Context, id string, version int64, states []order.Status, r order.Request) (order.Answer, error) {
	_, eventID, err := newIDs()
	if err != nil {
		return order.Answer{}, err
	}
	from := make([]string, len(states))
	for i, s := range states {
		from[i] = string(s)
	}
	args := arguments(r, id, order.Preparing, eventID) // the status is read from the row; the type is always order_status_updated
	query, args := undoSQL, append(args, from, order.UndoFor, version)
	if r.Key != "" {
		query, args = undoOnceSQL, append(args, r.Key, r.Fingerprint[:])
	}
	return s.change(ctx, id, r, query, args, func(now order.Order) error {
		switch {
		case now.Version != version:
			return &order.UndoError{Reason: fmt.Sprintf("version %d is not the latest change: the order is at version %d now; load it again", version, now.Version)}
		case now.UndoStatus == "":
			return &order.UndoError{Reason: fmt.Sprintf("version %d, which made the order %s, cannot be undone", version, now.Status)}
		case !slices.Contains(states, now.Status):
			return &order.UndoError{Reason: fmt.Sprintf("your roles may not undo a change to %s: ask an owner, a manager or a cashier", now.Status)}
		}
		return &order.UndoError{Reason: fmt.Sprintf("the change is older than %.0f seconds and can no longer be undone", order.UndoFor.Seconds())}
	})
}

// change runs a statement that changes an order. After a refusal, why returns the reason from the current order, or
// errBusy if there is no reason any more.
func (s *Store) change(ctx context.Context, id string, r order.Request, query string, args []any, why func(order.Order) error) (order.Answer, error) {
	for range changeTries {
		changed, err := s.write(ctx, r.TenantID, query, args...)
		if err == nil {
			changed.EventID, _ = args[eventArgument].(string)
			return changed, nil
		}
		if !errors.Is(err, pgx.ErrNoRows) && !database.Violates(err, database.Unique) {
			return order.Answer{}, database.Wrap("change order", err)
		}
		answer, err := s.whyUnchanged(ctx, id, r, why)
		if !errors.Is(err, errBusy) {
			return answer, err
		}
	}
	return order.Answer{}, fmt.Errorf("change order %s: %w", id, errBusy)
}

// whyUnchanged returns the first answer to a repeated request, or the reason of a refusal.
func (s *Store) whyUnchanged(ctx context.Context, id string, r order.Request, why func(order.Order) error) (order.Answer, error) {
	if r.Key != "" {
		first, err := s.firstAnswer(ctx, r)
		if !errors.Is(err, pgx.ErrNoRows) {
			return first, err
		}
	}
	now, err := s.Get(ctx, r.TenantID, id)
	if err != nil {
		return order.Answer{}, err
	}
	return order.Answer{}, why(now)
}

// Get returns an order of the tenant, or [order.ErrNotFound].
func (s *Store) Get(ctx context.Context, tenantID, id string) (order.Order, error) {
	o, err := s.one(ctx, tenantID, getSQL, tenantID, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return order.Order{}, order.ErrNotFound
	}
	return o, database.Wrap("get order", err)
}

// ForgetKeys removes at most limit idempotency keys that are older than the given time, and returns how many.
func (s *Store) ForgetKeys(ctx context.Context, before time.Time, limit int) (int64, error) {
	tag, err := s.pool.Exec(ctx, forgetKeysSQL, before, limit)
	return tag.RowsAffected(), database.Wrap("forget idempotency keys", err)
}

// eventArgument is the index of the event's id among the [arguments].
const eventArgument = 4

// arguments returns $1 to $10 of every statement that writes, with room for the others.
func arguments(r order.Request, id string, status order.Status, eventID string) []any {
	const most = 16
	var actor any // NULL: ids of users are UUIDs, and an actor may be a service account
	if id, err := uuid.Parse(r.ActorID); err == nil {
		actor = id.String()
	}
	return append(make([]any, 0, most),
		r.TenantID, id, string(status), Shard(id), eventID, string(event.TypeFor(status)), r.TraceParent,
		r.ActorID, actor, r.TraceState)
}

// write runs a statement that creates or changes an order.
func (s *Store) write(ctx context.Context, tenantID, query string, args ...any) (order.Answer, error) {
	return database.CollectOne(ctx, s.pool, tenantID, func(row pgx.CollectableRow) (order.Answer, error) {
		var a order.Answer
		err := row.Scan(append(fields(&a.Order), &a.DuplicateOf, &a.Event)...)
		a.Order = inUTC(a.Order)
		return a, err
	}, query, args...)
}

func (s *Store) one(ctx context.Context, tenantID, query string, args ...any) (order.Order, error) {
	return database.CollectOne(ctx, s.pool, tenantID, scan, query, args...)
}

func scan(row pgx.CollectableRow) (order.Order, error) {
	var o order.Order
	err := row.Scan(fields(&o)...)
	return inUTC(o), err
}

// fields returns the scan targets of the columns.
func fields(o *order.Order) []any {
	return []any{
		&o.ID, &o.TenantID, &o.Reference, (*string)(&o.Status), &o.TotalAmount, &o.Currency, &o.Version,
		&o.CreatedAt, &o.UpdatedAt, (*string)(&o.UndoStatus),
	}
}

func inUTC(o order.Order) order.Order {
	o.CreatedAt, o.UpdatedAt = o.CreatedAt.UTC(), o.UpdatedAt.UTC()
	return o
}

// firstAnswer returns the stored answer for r's Key, or pgx.ErrNoRows.
func (s *Store) firstAnswer(ctx context.Context, r order.Request) (order.Answer, error) {
	first, err := database.CollectOne(ctx, s.pool, r.TenantID, pgx.RowToStructByName[keptAnswer], firstAnswerSQL, r.TenantID, r.Key)
	if err != nil {
		return order.Answer{}, database.Wrap("read first answer", err)
	}
	if string(first.RequestHash) != string(r.Fingerprint[:]) {
		return order.Answer{}, order.ErrKeyReused
	}
	var kept keptOrder
	if err := json.Unmarshal(first.Body, &kept); err != nil {
		return order.Answer{}, fmt.Errorf("read first answer: %w", err)
	}
	return order.Answer{Order: kept.order(), Repeated: true, DuplicateOf: kept.DuplicateOf}, nil
}

// keptAnswer is a row of idempotency_keys.
type keptAnswer struct{ RequestHash, Body []byte }

// keptOrder is an answer as row_to_json writes it.
type keptOrder struct {
	ID          string       `json:"id"`
	TenantID    string       `json:"tenant_id"`
	Reference   string       `json:"reference"`
	Status      order.Status `json:"status"`
	TotalAmount int64        `json:"total_amount"`
	Currency    string       `json:"currency"`
	Version     int64        `json:"version"`
	CreatedAt   time.Time    `json:"created_at"`
	UpdatedAt   time.Time    `json:"updated_at"`
	UndoStatus  order.Status `json:"undo_status"`
	DuplicateOf string       `json:"duplicate_of"`
}

func (k keptOrder) order() order.Order {
	return inUTC(order.Order{
		ID: k.ID, TenantID: k.TenantID, Reference: k.Reference, Status: k.Status, TotalAmount: k.TotalAmount,
		Currency: k.Currency, Version: k.Version, CreatedAt: k.CreatedAt, UpdatedAt: k.UpdatedAt, UndoStatus: k.UndoStatus,
	})
}

// newIDs returns two UUIDv7. Their order keeps new index entries close together.
func newIDs() (string, string, error) {
	first, err := uuid.NewV7()
	if err != nil {
		return "", "", fmt.Errorf("make an id: %w", err)
	}
	second, err := uuid.NewV7()
	if err != nil {
		return "", "", fmt.Errorf("make an id: %w", err)
	}
	return first.String(), second.String(), nil
}
