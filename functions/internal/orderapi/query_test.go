package orderapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/functions/internal/orderapi"
	"orderbell/internal/order"
)

// shelf makes one order of each state, today and three days ago, whose references say which they are.
func shelf(t *testing.T) bundle {
	t.Helper()
	b := setup(t)
	_, err := b.pool.Exec(t.Context(), `UPDATE tenants SET time_zone = 'Asia/Jakarta';
		INSERT INTO orders (id, tenant_id, reference, status, total_amount, currency, created_at, updated_at)
		SELECT gen_random_uuid(), 'acme', s || '-' || days, s, 1, 'EUR', now() - days * interval '1 day', now()
		FROM unnest(ARRAY['submitted','paid','preparing','ready','completed','cancelled','refunded']) s, unnest(ARRAY[0, 3]) days`)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b bundle) list(t *testing.T, query string) []string {
	t.Helper()
	var all []string
	for path := "/api/orders/snapshot?limit=3&" + query; ; {
		page := decode[orderapi.Snapshot](t, b.do(t, call{method: "GET", path: path}), http.StatusOK)
		for i, o := range page.Orders {
			if i > 0 && o.CreatedAt.After(page.Orders[i-1].CreatedAt) {
				t.Errorf("%s: %s is newer than the order before it", query, o.Reference)
			}
			all = append(all, o.Reference)
		}
		if page.NextCursor == "" {
			slices.Sort(all)
			return all
		}
		path = "/api/orders/snapshot?limit=3&" + query + "&cursor=" + page.NextCursor
	}
}

func TestSnapshotOfStatesAndTimes(t *testing.T) {
	t.Parallel()
	b := shelf(t)
	jakarta, err := time.LoadLocation("Asia/Jakarta")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	old := now.AddDate(0, 0, -3).In(jakarta).Format(time.DateOnly)
	open := []string{"paid-0", "paid-3", "preparing-0", "preparing-3", "ready-0", "ready-3", "submitted-0", "submitted-3"}
	done := []string{"cancelled-0", "cancelled-3", "completed-0", "completed-3", "refunded-0", "refunded-3"}
	ofOld := []string{"cancelled-3", "completed-3", "paid-3", "preparing-3", "ready-3", "refunded-3", "submitted-3"}
	for query, want := range map[string][]string{
		"state=open":                 open,
		"state=done":                 done,
		"state=current":              slices.Sorted(slices.Values(append(slices.Clone(open), "cancelled-0", "completed-0", "refunded-0"))),
		"state=ready,refunded":       {"ready-0", "ready-3", "refunded-0", "refunded-3"},
		"state=ready,ready":          {"ready-0", "ready-3"},
		"from=" + old + "&to=" + old: ofOld,
		"state=paid&to=" + now.Add(-time.Hour).UTC().Format(time.RFC3339):   {"paid-3"},
		"state=paid&from=" + now.Add(-time.Hour).UTC().Format(time.RFC3339): {"paid-0"},
		"to=2020-01-01": nil,
		"from=0001-01-01&to=9999-12-31&state=paid":                                 {"paid-0", "paid-3"}, // the farthest ones, in any zone
		"from=0001-01-01T00:00:00%2B14:00&to=9999-12-31T23:59:59-12:00&state=paid": {"paid-0", "paid-3"},
		"q=ready":   nil,
		"q=READY-3": {"ready-3"},
		"q=ready-0": {"ready-0"},
		"q=eady":    nil,
	} {
		if diff := cmp.Diff(want, b.list(t, query)); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
	made := b.create(t)
	for _, q := range []string{made.OrderID, made.OrderID[:13], strings.ToUpper(made.OrderID[:20])} {
		if diff := cmp.Diff([]string{"A-1042"}, b.list(t, "q="+q)); diff != "" {
			t.Errorf("q=%s: %s", q, diff)
		}
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	b := shelf(t)
	_, err := b.pool.Exec(t.Context(), `INSERT INTO orders (id, tenant_id, status, total_amount, currency, created_at, updated_at)
		SELECT gen_random_uuid(), 'acme', 'completed', 1, 'EUR', now() - interval '3 days', now() FROM generate_series(1, 1500)`)
	if err != nil {
		t.Fatal(err)
	}
	all := map[order.Status]int{}
	for _, s := range order.Statuses() {
		all[s] = 2
	}
	all[order.Completed] = 1000
	got := decode[orderapi.Counts](t, b.do(t, call{method: "GET", path: "/api/orders/counts"}), http.StatusOK)
	if diff := cmp.Diff(orderapi.Counts{Counts: all, UpTo: 1000}, got); diff != "" {
		t.Error(diff)
	}
	for s := range all {
		all[s] = 1
	}
	got = decode[orderapi.Counts](t, b.do(t, call{method: "GET", path: "/api/orders/counts?from=" + time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)}), http.StatusOK)
	if diff := cmp.Diff(orderapi.Counts{Counts: all, UpTo: 1000}, got); diff != "" {
		t.Error(diff)
	}
}

func TestBadParametersOfAList(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for query, field := range map[string]string{
		"state=": "state", "state=opne": "state", "state=paid,": "state", "state=open,paid": "state", "state=open&state=done": "state",
		"state=current&from=2026-01-01": "state", "from=": "from", "from=yesterday": "from", "from=2026-02-30": "from", "to=2026-11-24T10:00:00": "to",
		"to=0000-01-01": "to", "from=-0001-01-01": "from", "to=10000-01-01": "to", "from=0000-12-31T23:59:59-12:00": "from", "to=2026-02-29": "to", "to=2026-11-24T24:00:00Z": "to",
		"from=2026-11-24T10:00:60Z": "from", "to=1e9": "to", "from=2026-11-25&to=2026-11-24": "from", "to=2026-11-24&to=2026-11-25": "to", "q=": "q", "q=%00": "q", "q=%ff": "q",
		"q=A&state=open": "q", "q=A&q=B": "q", "sttae=open": "sttae", "State=open": "State", "limit=2&LIMIT=3": "LIMIT", "limit=2&limit=2": "limit",
	} {
		p := isProblem(t, b.do(t, call{method: "GET", path: "/api/orders/snapshot?" + query}), http.StatusBadRequest, field)
		if len(p.Errors) != 1 || p.Errors[0].Field != field {
			t.Errorf("%s: %+v, want %s to be named", query, p.Errors, field)
		}
	}
	for path, field := range map[string]string{"counts?from=x": "from", "counts?state=open": "state"} {
		isProblem(t, b.do(t, call{method: "GET", path: "/api/orders/" + path}), http.StatusBadRequest, field)
	}
}
