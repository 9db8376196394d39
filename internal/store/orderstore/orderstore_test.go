package orderstore_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/order"
	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/orderstore"
)

const (
	tenant = "acme"
	trace  = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

type bundle struct {
	store *orderstore.Store
	pool  *database.Pool
}

func setup(tb testing.TB) bundle {
	tb.Helper()
	pool := databasetest.New(tb)
	_, err := pool.Exec(context.Background(), "INSERT INTO tenants (id, name) VALUES ('acme', 'Acme'), ('other', 'Other')")
	if err != nil {
		tb.Fatal(err)
	}
	return bundle{store: orderstore.New(pool), pool: pool}
}

func request(key, asked string) order.Request {
	return order.Request{TenantID: tenant, Key: key, Fingerprint: sha256.Sum256([]byte(asked)), TraceParent: trace, ActorID: actor().UserID}
}

// actor makes all requests. It is not a user of the tenant, so it has no name.
func actor() event.Actor { return event.Actor{UserID: `some"body`} }

func lunch() order.Order {
	return order.Order{Reference: `A-1042 "Ünï" <3`, TotalAmount: 125_000, Currency: "IDR"}
}

func (b bundle) create(tb testing.TB) order.Order {
	tb.Helper()
	a, err := b.store.Create(context.Background(), lunch(), request("", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return a.Order
}

func (b bundle) change(tb testing.TB, o order.Order, next order.Status) order.Order {
	tb.Helper()
	a, err := b.store.Change(context.Background(), o.ID, next, request("", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return a.Order
}

// outboxRow is a row as a relay sends it.
type outboxRow struct {
	Shard      int16
	EventID    string
	Source     string
	Type       string
	TenantID   string
	OrderID    string
	Data       []byte
	OccurredAt time.Time
	Trace      string
}

func (b bundle) outbox(tb testing.TB) []outboxRow {
	tb.Helper()
	rows, err := b.pool.Query(context.Background(), `SELECT shard, event_id, source, type, tenant_id, order_id, data, occurred_at, traceparent
		FROM outbox ORDER BY id`)
	if err != nil {
		tb.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[outboxRow])
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

func (b bundle) count(tb testing.TB, table string) int {
	tb.Helper()
	var n int
	if err := b.pool.QueryRow(context.Background(), "SELECT count(*) FROM "+pgx.Identifier{table}.Sanitize()).Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

// A server whose clock is a day ahead would make events that the functions refuse as those of the future.
func TestAnEventIsNotOfTheFuture(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := uuid.Must(uuid.NewV7())
	made := time.Unix(id.Time().UnixTime()).UTC().Truncate(time.Millisecond)
	query := "SELECT " + strings.ReplaceAll(orderstore.EventTime, "$5", "$1") + " FROM (SELECT $2::timestamptz AS updated_at) o"
	for _, test := range []struct{ ahead, want time.Duration }{
		{-24 * time.Hour, -24 * time.Hour}, {0, 0}, {59 * time.Second, 59 * time.Second}, {time.Hour, time.Minute}, {24 * time.Hour, time.Minute},
	} {
		got := databasetest.One[time.Time](t, b.pool, query, id.String(), made.Add(test.ahead))
		if ahead := got.Sub(made); ahead != test.want {
			t.Errorf("with a server's clock %s ahead, the event is of %s after its id, want %s", test.ahead, ahead, test.want)
		}
	}
}

func TestCreateWritesTheOrderAndItsEvent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := time.Now().Add(-time.Minute)
	made := b.create(t)
	if made.CreatedAt.Before(before) || made.CreatedAt.After(time.Now().Add(time.Minute)) {
		t.Errorf("created at %s", made.CreatedAt)
	}
	want := lunch()
	want.ID, want.TenantID, want.Status, want.Version = made.ID, tenant, order.Submitted, 1
	want.CreatedAt, want.UpdatedAt = made.CreatedAt, made.CreatedAt
	if diff := cmp.Diff(want, made); diff != "" {
		t.Error(diff)
	}
	got, err := b.store.Get(t.Context(), tenant, made.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(made, got); diff != "" {
		t.Error(diff)
	}
	checkOutbox(t, b.outbox(t), made)
}

// checkOutbox checks that the outbox has one event per version of an order, each valid under the contract and equal, byte for
// byte, to what the Go types write.
func checkOutbox(t *testing.T, rows []outboxRow, versions ...order.Order) {
	t.Helper()
	if len(rows) != len(versions) {
		t.Fatalf("the outbox has %d rows, want %d", len(rows), len(versions))
	}
	for i, row := range rows {
		o := versions[i]
		data := event.Data{
			OrderID: o.ID, TenantID: o.TenantID, Status: o.Status, Reference: o.Reference, TotalAmount: o.TotalAmount,
			Currency: o.Currency, Version: o.Version, Timestamp: o.UpdatedAt, Actor: actor(),
		}
		want := outboxRow{
			Shard: orderstore.Shard(o.ID), EventID: row.EventID, Source: event.Source, Type: string(event.TypeFor(o.Status)),
			TenantID: o.TenantID, OrderID: o.ID, Data: row.Data, OccurredAt: o.UpdatedAt, Trace: trace,
		}
		row.OccurredAt = row.OccurredAt.UTC()
		if diff := cmp.Diff(want, row); diff != "" {
			t.Error(diff)
		}
		if id, err := uuid.Parse(row.EventID); err != nil || id.Version() != 7 {
			t.Errorf("event id %s is not a UUIDv7", row.EventID)
		}
		ce, err := cloudevent.New(event.Event{
			ID: row.EventID, Source: row.Source, Type: event.Type(row.Type), Time: row.OccurredAt, TraceParent: row.Trace,
			Data: data, Raw: row.Data,
		})
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := cloudevent.Parse(ce)
		if err != nil {
			t.Fatalf("the event breaks the contract: %v\n%s", err, row.Data)
		}
		if diff := cmp.Diff(data, parsed.Data); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(fields(t, mustJSON(t, data)), fields(t, row.Data)); diff != "" {
			t.Errorf("the data's fields differ from the Go type's: %s", diff)
		}
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fields returns a JSON object without its time, which is written with more zeros by SQL than by Go.
func fields(t *testing.T, b []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	if _, ok := m["timestamp"].(string); !ok {
		t.Errorf("no timestamp in %s", b)
	}
	m["timestamp"] = ""
	return m
}

func TestCreateWithoutReferenceLeavesItOutOfTheEvent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a, err := b.store.Create(t.Context(), order.Order{TotalAmount: 0, Currency: "EUR"}, request("", ""))
	if err != nil {
		t.Fatal(err)
	}
	checkOutbox(t, b.outbox(t), a.Order)
}

func TestCreateForAnUnknownTenant(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, key := range []string{"", "key"} {
		r := request(key, "")
		r.TenantID = "nobody"
		if _, err := b.store.Create(t.Context(), lunch(), r); !errors.Is(err, order.ErrNoTenant) {
			t.Errorf("with key %q: error is %v, want ErrNoTenant", key, err)
		}
	}
	if n := b.count(t, "outbox") + b.count(t, "orders") + b.count(t, "idempotency_keys"); n != 0 {
		t.Errorf("%d rows were left", n)
	}
}

func TestChangeTakesAnOrderThroughItsLife(t *testing.T) {
	t.Parallel()
	b := setup(t)
	versions := []order.Order{b.create(t)}
	for _, next := range []order.Status{order.Paid, order.Preparing, order.Ready, order.Completed, order.Refunded} {
		last := versions[len(versions)-1]
		got := b.change(t, last, next)
		want, err := last.Change(next, got.UpdatedAt)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if !got.UpdatedAt.After(last.UpdatedAt) {
			t.Errorf("version %d is of %s, version %d of %s", got.Version, got.UpdatedAt, last.Version, last.UpdatedAt)
		}
		versions = append(versions, got)
	}
	checkOutbox(t, b.outbox(t), versions...)
}

// TestChangeObeysTheRules tries every change from every state and compares it with package order's answer.
func TestChangeObeysTheRules(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ways := map[order.Status][]order.Status{
		order.Submitted: nil, order.Paid: {order.Paid}, order.Preparing: {order.Paid, order.Preparing},
		order.Ready: {order.Paid, order.Ready}, order.Completed: {order.Paid, order.Completed},
		order.Cancelled: {order.Cancelled}, order.Refunded: {order.Paid, order.Refunded},
	}
	for _, from := range order.Statuses() {
		for _, to := range order.Statuses() {
			o := b.create(t)
			for _, step := range ways[from] {
				o = b.change(t, o, step)
			}
			got, err := b.store.Change(t.Context(), o.ID, to, request("", ""))
			want, wantErr := o.Change(to, got.Order.UpdatedAt)
			if diff := cmp.Diff(want, got.Order); diff != "" {
				t.Errorf("%s to %s: %s", from, to, diff)
			}
			if fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Errorf("%s to %s: error is %v, want %v", from, to, err, wantErr)
			}
		}
	}
}

func TestOrdersOfAnotherTenantAreNotFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	o := b.create(t)
	if _, err := b.store.Get(t.Context(), "other", o.ID); !errors.Is(err, order.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	for _, key := range []string{"", "key"} {
		r := request(key, "")
		r.TenantID = "other"
		if _, err := b.store.Change(t.Context(), o.ID, order.Paid, r); !errors.Is(err, order.ErrNotFound) {
			t.Errorf("change with key %q: %v", key, err)
		}
	}
	if n := b.count(t, "idempotency_keys"); n != 0 {
		t.Errorf("%d keys were kept for refused requests", n)
	}
}

func TestPageGoesFromTheNewestToTheOldest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []order.Order
	for range 7 {
		want = append([]order.Order{b.create(t)}, want...)
	}
	// Orders of the same instant are told apart by their ids.
	if _, err := b.pool.Exec(t.Context(), "UPDATE orders SET created_at = $1", want[3].CreatedAt); err != nil {
		t.Fatal(err)
	}
	var got []string
	var after order.Position
	for pages := 1; ; pages++ {
		page, more, err := b.store.Page(t.Context(), tenant, order.Query{After: after, Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page {
			got = append(got, o.ID)
		}
		if !more {
			if pages != 3 || len(page) != 1 {
				t.Errorf("page %d is the last and has %d orders, want page 3 with 1", pages, len(page))
			}
			break
		}
		after = page[len(page)-1].Position()
	}
	var ids []string
	for _, o := range want {
		ids = append(ids, o.ID) // UUIDv7 of one process rise with time
	}
	if diff := cmp.Diff(ids, got); diff != "" {
		t.Error(diff)
	}
	page, more, err := b.store.Page(t.Context(), "other", order.Query{Limit: 3})
	if err != nil || more || len(page) != 0 {
		t.Errorf("the other tenant has %d orders, more %t, error %v", len(page), more, err)
	}
	page, more, err = b.store.Page(t.Context(), tenant, order.Query{Limit: 7})
	if err != nil || more || len(page) != 7 {
		t.Errorf("a page that holds all has %d orders, more %t, error %v", len(page), more, err)
	}
}

// together runs n calls at once and returns when all have ended.
func together(n int, call func(i int)) {
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			call(i)
		})
	}
	done.Wait()
}
