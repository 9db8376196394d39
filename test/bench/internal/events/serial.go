package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/google/uuid"

	"orderbell/internal/duration"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/feed"
	"orderbell/internal/feed/message"
	"orderbell/internal/store/database"
)

// Serial is the simplest handler: a transaction for each event that sends one statement after the other. It records the event,
// inserts the same notifications and publishes with the same script as order-paid, but has fewer checks.
func Serial(ctx context.Context) error {
	pool, err := openGiven(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	watchers, err := feed.Open(feed.Config{
		URL: os.Getenv("REDIS_URL"), ReplayTTL: duration.Seconds(15 * time.Minute), ReplayMax: 4096, ReplayBytes: 8 << 20, Sharded: "auto",
	})
	if err != nil {
		return err //nolint:wrapcheck // it says what is wrong
	}
	defer watchers.Close() //nolint:errcheck // the process ends
	server := &http.Server{
		Addr: net.JoinHostPort("127.0.0.1", os.Getenv("PORT")), ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := take(r, pool, watchers); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
			w.WriteHeader(http.StatusAccepted)
		}),
	}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

func take(r *http.Request, pool *database.Pool, watchers *feed.Feed) error {
	ce, err := cehttp.NewEventFromHTTPRequest(r)
	if err != nil {
		return fmt.Errorf("read the event: %w", err)
	}
	return apply(r.Context(), *ce, pool, watchers)
}

// apply records an event, inserts its notifications and publishes it.
func apply(ctx context.Context, ce cloudevents.Event, pool *database.Pool, watchers *feed.Feed) error {
	e, err := cloudevent.Parse(ce)
	if err != nil {
		return fmt.Errorf("read the event: %w", err)
	}
	to, err := record(ctx, e, pool)
	if err != nil {
		return err
	}
	m, err := message.New(e, to)
	if err != nil {
		return fmt.Errorf("make the message: %w", err)
	}
	return watchers.Publish(ctx, e.Data.TenantID, m) //nolint:wrapcheck // it says what failed
}

func record(ctx context.Context, e event.Event, pool *database.Pool) ([]event.Recipient, error) {
	data, err := json.Marshal(e.Data)
	if err != nil {
		return nil, fmt.Errorf("encode the data: %w", err)
	}
	tx, err := pool.Begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // it is committed, or nothing was done
	if _, err := tx.Exec(ctx, `INSERT INTO event_records (event_day, source, event_id, type, tenant_id, order_id, order_version, data_hash, data, occurred_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, '', $8, $9) ON CONFLICT DO NOTHING`,
		e.Day(), e.Source, e.ID, string(e.Type), e.Data.TenantID, e.Data.OrderID, e.Data.Version, data, e.Time); err != nil {
		return nil, fmt.Errorf("record the event: %w", err)
	}
	rows, err := tx.Query(ctx, `SELECT id::text FROM users WHERE tenant_id = $1 AND roles && '{owner,manager,cashier}' AND notification_in_app_enabled`, e.Data.TenantID)
	if err != nil {
		return nil, fmt.Errorf("find the users: %w", err)
	}
	var to []event.Recipient
	for rows.Next() {
		one := event.Recipient{NotificationID: uuid.NewString()}
		if err := rows.Scan(&one.UserID); err != nil {
			return nil, fmt.Errorf("find the users: %w", err)
		}
		to = append(to, one)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("find the users: %w", err)
	}
	for _, one := range to {
		if _, err := tx.Exec(ctx, `INSERT INTO notifications (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			one.NotificationID, e.Data.TenantID, one.UserID, e.Source, e.ID, string(e.Type), e.Data.OrderID, data); err != nil {
			return nil, fmt.Errorf("insert a notification: %w", err)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	return to, nil
}
