//go:build cluster

package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/user"
)

// workers is the number of concurrent requests.
const workers = 100

// tenant is new in each run, so that a run does not depend on the data of an earlier one.
var tenant = "cluster-" + strconv.FormatInt(time.Now().Unix(), 36) //nolint:gochecknoglobals // constant in a run

// env returns a variable that test/cluster/run sets.
func env(t *testing.T, name string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		t.Fatalf("%s is not set: run these tests with test/cluster/run", name)
	}
	return v
}

// world is the deployed system, as these tests reach it.
type world struct {
	kube    *kube
	pods    *podWatch
	db      *pgxpool.Pool
	report  *report
	till    *api
	gateway string // address of the Service sse-gateway
	browser *http.Client
	users   []string // of the tenant, the first is its owner
	mails   int      // taken by Mailpit before
}

func newWorld(ctx context.Context, t *testing.T) *world {
	t.Helper()
	w := &world{
		kube:    newKube(t),
		report:  &report{folder: env(t, "CLUSTER_REPORT")},
		browser: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 10, DisableKeepAlives: true}},
	}
	w.pods = w.kube.watchPods(ctx, t)
	var err error
	if w.db, err = pgxpool.New(ctx, env(t, "DATABASE_URL")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.db.Close)
	w.seed(t)
	w.mails = arrived(t)
	w.till = newAPI("http://"+w.kube.clusterIP(t, namespace, "frontend"), w.token(t, w.users[0]))
	w.gateway = "http://" + w.kube.clusterIP(t, namespace, "sse-gateway")
	return w
}

// seed creates the tenant with an owner who receives mails, and users without mails for the watchers.
func (w *world) seed(t *testing.T) {
	t.Helper()
	w.exec(t, `INSERT INTO tenants (id, name) VALUES ($1, 'Cluster') ON CONFLICT DO NOTHING`, tenant)
	for i := range 30 {
		role, mail := "viewer", false
		if i == 0 {
			role, mail = "owner", true
		}
		w.exec(t, `INSERT INTO users (id, tenant_id, email, roles, notification_email_enabled) VALUES ($1, $2, $3, ARRAY[$4], $5)
			ON CONFLICT DO NOTHING`, uuid.NewString(), tenant, fmt.Sprintf("user-%d@cluster.example", i), role, mail)
	}
	rows, err := w.db.Query(t.Context(), `SELECT id::text FROM users WHERE tenant_id = $1 ORDER BY roles <> ARRAY['owner'], email`, tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		w.users = append(w.users, id)
	}
	if err := rows.Err(); err != nil || len(w.users) == 0 {
		t.Fatalf("users: %d, %v", len(w.users), err)
	}
}

func (w *world) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := w.db.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// count returns the only number of a query.
func (w *world) count(t *testing.T, sql string, args ...any) int {
	t.Helper()
	var n int
	if err := w.db.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// token returns a token for a user of the tenant.
func (w *world) token(t *testing.T, userID string) string {
	t.Helper()
	return authtest.Token(t, authtest.Config(env(t, "AUTH_DEV_SECRET")), auth.Principal{
		UserID: userID, TenantID: tenant, Roles: []user.Role{user.Owner}, Expires: time.Now().Add(2 * time.Hour), TokenID: uuid.NewString(),
	})
}

// watch opens a stream of the owner and waits until it is ready.
func (w *world) watch(ctx context.Context, t *testing.T, keep bool) *watcher {
	t.Helper()
	v := watch(ctx, w.browser, w.gateway, w.token(t, w.users[0]), keep)
	t.Cleanup(func() { <-v.ended })
	select {
	case <-v.ready:
	case <-time.After(time.Minute):
		t.Fatal("the stream is not ready after a minute")
	}
	return v
}

// zero waits until every function is scaled to zero, and returns how long that took.
func (w *world) zero(t *testing.T) time.Duration {
	t.Helper()
	return w.pods.until(t, 6*time.Minute, "no pod of any function", noFunctions)
}

// ready waits until an object has the condition Ready.
func (w *world) ready(t *testing.T, path string) {
	t.Helper()
	eventually(t, 4*time.Minute, path+" to be ready", func() error {
		status, message, err := w.kube.condition(t.Context(), path, "Ready")
		if err == nil && status != "True" {
			err = errors.New(message)
		}
		return err
	})
}

// backlog returns the number of events of a type that are in the outbox and not recorded yet.
func (w *world) backlog(t *testing.T, kind string) int {
	t.Helper()
	return w.count(t, backlogSQL, tenant, kind)
}

const backlogSQL = `SELECT count(*) FROM outbox o WHERE tenant_id = $1 AND type = $2 AND NOT EXISTS
	(SELECT 1 FROM event_records r WHERE r.event_id = o.event_id)`

// drained waits until every event of a type is recorded.
func (w *world) drained(t *testing.T, patience time.Duration, kind string) {
	t.Helper()
	eventually(t, patience, "all events of type "+kind+" to be recorded", func() error {
		if n := w.backlog(t, kind); n > 0 {
			return fmt.Errorf("%d wait", n)
		}
		return nil
	})
}

// follow measures the backlog of a type twice a second until stop is called, which returns the measurements.
func (w *world) follow(t *testing.T, kind string) (stop func() []point) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan []point, 1)
	go func() {
		var points []point
		for ctx.Err() == nil {
			var n int
			if err := w.db.QueryRow(ctx, backlogSQL, tenant, kind).Scan(&n); err == nil {
				points = append(points, point{time.Now(), n})
			}
			select {
			case <-ctx.Done():
			case <-time.After(500 * time.Millisecond):
			}
		}
		seen <- points
	}()
	return func() []point {
		cancel()
		return <-seen
	}
}

// order returns the id of the frame's order, or "".
func (f frame) order() string {
	var data struct {
		OrderID string `json:"order_id"`
	}
	_ = json.Unmarshal(f.data, &data) // "" if it is not a frame of an order
	return data.OrderID
}
