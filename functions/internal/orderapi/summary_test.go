package orderapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/functions/internal/orderapi"
	"orderbell/internal/order"
	"orderbell/internal/user"
)

// sold writes an order and its changes, each with its own time.
func (b bundle) sold(t *testing.T, tenant, currency string, amount int64, created string, changes ...string) {
	t.Helper()
	status, n := "submitted", len(changes)/2
	if n > 0 {
		status = changes[2*n-2]
	}
	var id string
	if err := b.pool.QueryRow(t.Context(), `INSERT INTO orders (id, tenant_id, reference, status, total_amount, currency, version, created_at, updated_at)
		VALUES (gen_random_uuid(), $1, '', $2, $3, $4, $5, $6, $6) RETURNING id::text`, tenant, status, amount, currency, n+1, created).Scan(&id); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		b.exec(t, `INSERT INTO order_changes (tenant_id, order_id, version, status, event_id, total_amount, currency, changed_at)
			VALUES ($1, $2, $3, $4, gen_random_uuid(), $5, $6, $7)`, tenant, id, i+2, changes[2*i], amount, currency, changes[2*i+1])
	}
}

func (b bundle) summary(t *testing.T, query string) orderapi.Summary {
	t.Helper()
	return decode[orderapi.Summary](t, b.do(t, call{"GET", "/api/orders/summary" + query, "", b.as(t, ana, "acme", user.Owner)}), http.StatusOK)
}

func hours(payments map[int]int) []orderapi.Hour {
	is := make([]orderapi.Hour, 24)
	for i := range is {
		is[i] = orderapi.Hour{Hour: i, Payments: payments[i]}
	}
	return is
}

func TestSummaryIsOfADayOfTheTenantsClock(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, "UPDATE tenants SET time_zone = 'Asia/Jakarta' WHERE id = 'acme'")           // UTC+7
	b.sold(t, "acme", "IDR", 1000, "2026-11-23T16:59:00Z", "paid", "2026-11-23T17:00:00Z") // made on the 23rd, paid on the 24th
	b.sold(t, "acme", "IDR", 2000, "2026-11-24T02:00:00Z", "paid", "2026-11-24T02:00:59Z", "ready", "2026-11-24T02:05:00Z")
	b.sold(t, "acme", "IDR", 4000, "2026-11-24T02:00:00Z", "paid", "2026-11-24T02:30:00Z", "refunded", "2026-11-24T16:59:59Z")
	b.sold(t, "acme", "EUR", 500, "2026-11-24T03:00:00Z", "paid", "2026-11-24T03:00:00Z", "completed", "2026-11-24T03:10:00Z")
	b.sold(t, "acme", "EUR", 500, "2026-11-24T03:00:00Z", "cancelled", "2026-11-24T03:00:00Z")
	b.sold(t, "acme", "IDR", 9000, "2026-11-24T04:00:00Z")
	b.sold(t, "acme", "IDR", 8000, "2026-11-24T17:00:00Z", "paid", "2026-11-24T17:00:00Z") // on the 25th
	b.sold(t, "other", "IDR", 7000, "2026-11-24T02:00:00Z", "paid", "2026-11-24T02:00:00Z")

	none := func() map[order.Status]int {
		is := map[order.Status]int{}
		for _, s := range order.Statuses() {
			is[s] = 0
		}
		return is
	}
	day, before := none(), none()
	day[order.Submitted], day[order.Ready], day[order.Completed], day[order.Cancelled], day[order.Refunded] = 1, 1, 1, 1, 1
	before[order.Paid] = 1
	want := orderapi.Summary{
		TimeZone: "Asia/Jakarta",
		Day: orderapi.Day{
			Date: "2026-11-24", Counts: day, Hours: hours(map[int]int{0: 1, 9: 2, 10: 1}),
			Takings: []orderapi.Takings{
				{Currency: "IDR", Payments: 3, Paid: 7000, Refunds: 1, Refunded: 4000}, {Currency: "EUR", Payments: 1, Paid: 500},
			},
			Funnel: orderapi.Funnel{Created: 5, Paid: 3, Ready: 2, Completed: 1},
		},
		Before: orderapi.Day{
			Date: "2026-11-23", Counts: before, Hours: hours(nil), Takings: []orderapi.Takings{},
			Funnel: orderapi.Funnel{Created: 1, Paid: 1},
		},
	}
	if diff := cmp.Diff(want, b.summary(t, "?date=2026-11-24")); diff != "" {
		t.Error(diff)
	}
}

// TestADayBeginsWhenTheClockIsPutAheadAtMidnight uses a day that begins at 01:00, in a zone west of UTC.
func TestADayBeginsWhenTheClockIsPutAheadAtMidnight(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, "UPDATE tenants SET time_zone = 'America/Santiago' WHERE id = 'acme'")      // from UTC-4 to UTC-3
	b.sold(t, "acme", "CLP", 1, "2026-09-06T03:59:00Z", "paid", "2026-09-06T03:59:00Z")   // 23:59 of the 5th
	b.sold(t, "acme", "CLP", 10, "2026-09-06T04:00:00Z", "paid", "2026-09-06T04:00:00Z")  // 01:00 of the 6th
	b.sold(t, "acme", "CLP", 100, "2026-09-07T02:59:00Z", "paid", "2026-09-07T02:59:00Z") // 23:59 of the 6th
	b.sold(t, "acme", "CLP", 1000, "2026-09-07T03:00:00Z", "paid", "2026-09-07T03:00:00Z")
	got := b.summary(t, "?date=2026-09-06")
	type day struct {
		Date    string
		Takings []orderapi.Takings
	}
	want := []day{
		{"2026-09-06", []orderapi.Takings{{Currency: "CLP", Payments: 2, Paid: 110}}}, {"2026-09-05", []orderapi.Takings{{Currency: "CLP", Payments: 1, Paid: 1}}},
	}
	if diff := cmp.Diff(want, []day{{got.Day.Date, got.Day.Takings}, {got.Before.Date, got.Before.Takings}}); diff != "" {
		t.Error(diff)
	}
	if all := b.list(t, "from=2026-09-06&to=2026-09-06"); len(all) != 2 {
		t.Errorf("the list of the day has %d orders, want 2", len(all))
	}
}

func TestSummaryOfTodayHasTheLastHour(t *testing.T) {
	t.Parallel()
	b := setup(t)
	now := time.Now().UTC()
	at := now.Add(-10 * time.Minute).Format(time.RFC3339)
	b.sold(t, "acme", "EUR", 500, at, "paid", at)
	b.sold(t, "acme", "EUR", 500, at, "paid", now.Add(-2*time.Hour).Format(time.RFC3339))
	got := b.summary(t, "")
	if got.Recent == nil {
		t.Fatal("today has no last hour")
	}
	sum, first := 0, 0
	for i, n := range got.Recent.Payments {
		if n > 0 {
			sum, first = sum+n, i
		}
	}
	if len(got.Recent.Payments) != 60 || sum != 1 || first < 48 || first > 50 {
		t.Errorf("%d minutes, %d payments, the last in minute %d: %+v", len(got.Recent.Payments), sum, first, got.Recent)
	}
	if old := b.summary(t, "?date=2020-01-01"); old.Recent != nil {
		t.Errorf("a day that is over has a last hour: %+v", old.Recent)
	}
}

func TestSummaryOfAmountsThatNoNumberHolds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, `INSERT INTO order_changes (tenant_id, order_id, version, status, event_id, total_amount, currency, changed_at)
		SELECT 'acme', gen_random_uuid(), 2, 'paid', gen_random_uuid(), $1, 'EUR', '2026-11-24T10:00:00Z'::timestamptz + make_interval(mins => n % 2)
		FROM generate_series(1, 20000) n`, int64(order.MaxAmount))
	got := b.summary(t, "?date=2026-11-24")
	if want := []orderapi.Takings{{Currency: "EUR", Payments: 20_000, Paid: order.MostTakings}}; cmp.Diff(want, got.Day.Takings) != "" {
		t.Errorf("takings are %+v, want %+v", got.Day.Takings, want)
	}
}

func TestSummaryRefusesWhatIsNoDate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, query := range []string{"?date=", "?date=today", "?date=2026-02-30", "?date=9999-12-31", "?date=2026-11-24&date=2026-11-25"} {
		res := b.do(t, call{"GET", "/api/orders/summary" + query, "", b.as(t, ana, "acme", user.Manager)})
		_ = res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: status %d, want 400", query, res.StatusCode)
		}
	}
	for _, role := range []user.Role{user.Cashier, user.Kitchen, user.Viewer} {
		res := b.do(t, call{"GET", "/api/orders/summary", "", b.as(t, ana, "acme", role)})
		_ = res.Body.Close()
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: status %d, want 403", role, res.StatusCode)
		}
	}
}
