package orderapi_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orderbell/functions/internal/orderapi"
	"orderbell/internal/user"
)

func newRequest(t *testing.T, b bundle, method, path, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(context.WithoutCancel(t.Context()), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+b.token(t, "acme", user.Cashier))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

func send(b bundle, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w.Result()
}

func TestGetAsksWhetherTheOrderChanged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := "/api/orders/" + b.create(t).OrderID
	for tags, status := range map[string]int{
		`"1"`: 304, `W/"1"`: 304, `"7", "1"`: 304, `*`: 304, `"2"`: 200, `1`: 200, `"11"`: 200,
	} {
		res := b.do(t, call{"GET", path, "", []string{"If-None-Match", tags}})
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != status || (status == 304) != (len(body) == 0) {
			t.Errorf("If-None-Match: %s gets %d with %d bytes, want %d", tags, res.StatusCode, len(body), status)
		}
		if diff := cmp.Diff([]string{`"1"`, "private, no-cache", "Authorization"},
			[]string{res.Header.Get("ETag"), res.Header.Get("Cache-Control"), res.Header.Get("Vary")}); diff != "" {
			t.Error(diff)
		}
	}
	b.do(t, call{method: "POST", path: path + "/pay"})
	res := b.do(t, call{"GET", path, "", []string{"If-None-Match", `"1"`}})
	if got := decode[orderapi.Order](t, res, http.StatusOK); got.Version != 2 {
		t.Errorf("version is %d, want 2", got.Version)
	}
}

func TestGetTakesAnIdInCapitals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.create(t)
	got := decode[orderapi.Order](t, b.do(t, call{method: "GET", path: "/api/orders/" + strings.ToUpper(made.OrderID)}), http.StatusOK)
	if diff := cmp.Diff(made, got); diff != "" {
		t.Error(diff)
	}
}

func TestSnapshotPagesFromTheNewest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []orderapi.Order
	for range 5 {
		want = append([]orderapi.Order{b.create(t)}, want...)
	}
	var got []orderapi.Order
	path := "/api/orders/snapshot?limit=2"
	for pages := 1; ; pages++ {
		page := decode[orderapi.Snapshot](t, b.do(t, call{method: "GET", path: path}), http.StatusOK)
		got = append(got, page.Orders...)
		if page.NextCursor == "" {
			if pages != 3 {
				t.Errorf("there are %d pages, want 3", pages)
			}
			break
		}
		path = "/api/orders/snapshot?limit=2&cursor=" + page.NextCursor
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	all := decode[orderapi.Snapshot](t, b.do(t, call{method: "GET", path: "/api/orders/snapshot"}), http.StatusOK)
	if diff := cmp.Diff(orderapi.Snapshot{Orders: want}, all); diff != "" {
		t.Error(diff)
	}
}

func TestSnapshotOfAnEmptyTenantIsAnEmptyArray(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t)
	res := b.do(t, call{"GET", "/api/orders/snapshot", "", []string{"Authorization", "Bearer " + b.token(t, "other", user.Viewer)}})
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("{\"orders\":[]}\n", string(body)); diff != "" {
		t.Error(diff)
	}
}

func TestSnapshotAsksWhetherAnythingChanged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := "/api/orders/" + b.create(t).OrderID
	read := func(tag string) *http.Response {
		res := b.do(t, call{"GET", "/api/orders/snapshot", "", []string{"If-None-Match", tag}})
		_ = res.Body.Close()
		return res
	}
	first := read("")
	tag := first.Header.Get("ETag")
	if first.StatusCode != http.StatusOK || tag == "" || first.Header.Get("Cache-Control") != "private, no-cache" {
		t.Fatalf("status %d, headers %v", first.StatusCode, first.Header)
	}
	if same := read(tag); same.StatusCode != http.StatusNotModified {
		t.Errorf("an unchanged snapshot gets %d, want 304", same.StatusCode)
	}
	b.do(t, call{method: "POST", path: path + "/pay"})
	if changed := read(tag); changed.StatusCode != http.StatusOK || changed.Header.Get("ETag") == tag {
		t.Errorf("a changed snapshot gets %d with ETag %s, want 200 with another", changed.StatusCode, changed.Header.Get("ETag"))
	}
}

func TestHeadIsGetWithoutABody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	server := httptest.NewServer(b.handler)
	t.Cleanup(server.Close)
	r := newRequest(t, b, "HEAD", "/", "")
	path := server.URL + "/api/orders/" + b.create(t).OrderID
	head, err := http.NewRequestWithContext(t.Context(), http.MethodHead, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	head.Header = r.Header
	res, err := server.Client().Do(head)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK || res.Header.Get("ETag") != `"1"` || res.ContentLength < 100 {
		t.Errorf("status %d, ETag %s, Content-Length %d", res.StatusCode, res.Header.Get("ETag"), res.ContentLength)
	}
}

func TestParallelPaysOverHTTP(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := "/api/orders/" + b.create(t).OrderID + "/pay"
	var paid, refused atomic.Int32
	var all sync.WaitGroup
	for range 100 {
		r := newRequest(t, b, "POST", path, "")
		all.Go(func() {
			switch res := send(b, r); res.StatusCode {
			case http.StatusOK:
				paid.Add(1)
			case http.StatusConflict:
				refused.Add(1)
			default:
				t.Errorf("status %d", res.StatusCode)
			}
		})
	}
	all.Wait()
	if paid.Load() != 1 || refused.Load() != 99 {
		t.Errorf("%d paid and %d refused, want 1 and 99", paid.Load(), refused.Load())
	}
}
