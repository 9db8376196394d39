package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"orderbell/internal/dev/embedded"
	"orderbell/internal/dev/process"
)

// createAndPublish inserts an order, and publishes its data with Centrifugo's function in the same transaction.
const createAndPublish = `
WITH made AS (
	INSERT INTO orders (id, tenant_id, reference, status, total_amount, currency, created_at, updated_at)
	VALUES ($1, $2, 'A-1042', 'submitted', 125000, 'IDR', now(), now())
	RETURNING *
)
SELECT (cf_stream_publish(p_channel => tenant_id, p_history_size => 4096, p_history_ttl => '15 minutes', p_data => jsonb_build_object('order_id', id,
	'tenant_id', tenant_id, 'status', status, 'reference', reference, 'total_amount', total_amount, 'currency', currency, 'version', version, 'timestamp', created_at))).out_channel_offset
FROM made`

// centrifugo measures Centrifugo, whose broker is a table of PostgreSQL: it is woken by NOTIFY and sends what was committed.
func centrifugo(ctx context.Context, s servers, o Options) ([]figure, error) {
	address, err := s.empty(ctx, o.Bin)
	if err != nil {
		return nil, err
	}
	origin, server, err := startCentrifugo(ctx, o, address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = server.Stop(10 * time.Second) }()
	pool, err := open(ctx, address, commitConns)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	p := path{
		name: "Centrifugo", ready: `"subs"`,
		commit: func(ctx context.Context, tenant string) (string, error) {
			id := uuid.Must(uuid.NewV7()).String()
			if _, err := pool.Exec(ctx, createAndPublish, id, tenant); err != nil {
				return "", fmt.Errorf("create an order: %w", err)
			}
			return id, nil
		},
		stream: func(ctx context.Context, tenant string) (*http.Request, error) {
			connect := fmt.Sprintf(`{"subs":{%q:{}}}`, tenant)
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, origin+"/connection/uni_sse?cf_connect="+url.QueryEscape(connect), nil)
			if err != nil {
				return nil, fmt.Errorf("open a stream: %w", err)
			}
			return r, nil
		},
	}
	return p.measure(ctx, o)
}

// startCentrifugo starts Centrifugo, and returns when it listens.
func startCentrifugo(ctx context.Context, o Options, address string) (origin string, _ *process.Process, err error) {
	listen, err := embedded.FreeAddr()
	if err != nil {
		return "", nil, fmt.Errorf("find a port: %w", err)
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", nil, fmt.Errorf("find a port: %w", err)
	}
	config, err := json.Marshal(map[string]any{
		"http_server": map[string]any{"address": host, "port": json.Number(port)},
		"log":         map[string]any{"level": "error"},
		"client":      map[string]any{"insecure": true}, // tokens cost at the connect alone
		"uni_sse":     map[string]any{"enabled": true},
		"channel":     map[string]any{"without_namespace": map[string]any{"history_size": 4096, "history_ttl": "15m", "allow_subscribe_for_client": true, "allow_subscribe_for_anonymous": true}},
		"broker":      map[string]any{"enabled": true, "type": "postgres", "postgres": map[string]any{"dsn": address, "use_notify": true}},
	})
	if err != nil {
		return "", nil, fmt.Errorf("configure Centrifugo: %w", err)
	}
	file := filepath.Join(os.TempDir(), "orderbell-centrifugo.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return "", nil, fmt.Errorf("configure Centrifugo: %w", err)
	}
	defer os.Remove(file)                                                                                  //nolint:errcheck // a temporary file
	cmd := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(o.Bin, "centrifugo"), "-c", file) //nolint:gosec // a program of this benchmark
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	server, err := process.Start(cmd)
	if err != nil {
		return "", nil, fmt.Errorf("start Centrifugo: %w", err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if c, err := (&net.Dialer{}).DialContext(ctx, "tcp", listen); err == nil {
			return "http://" + listen, server, c.Close() //nolint:wrapcheck // nothing was sent
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			server.Kill()
			return "", nil, errors.New("centrifugo does not listen")
		}
	}
}
