//go:build alerts

package alerts_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"orderbell/internal/backoff"
	"orderbell/internal/dev/embedded"
	"orderbell/internal/dev/process"
	"orderbell/internal/dev/programtest"
)

// root is the top of the tree as seen from this folder.
const root = "../.."

// patience is long enough for a busy machine.
const patience = 3 * time.Minute

// Limits that a few clients reach.
const (
	streamsOfInstance = 20
	streamsOfUser     = 5
)

// world is `orderbell dev` on stores that the test can cut off, and a second order-api, which checks tokens with an identity
// provider.
type world struct {
	data    string
	log     *os.File
	started time.Time
	pace    pace
	state   state
	users   []demoUser
	env     []string // of the programs

	database, redis, smtp *gate
	kafka                 *embedded.Kafka
	kafkaOptions          embedded.KafkaOptions
	memory                *embedded.Redis
	verified              time.Time     // the first run of verify
	redisLost             time.Time     // when Redis lost its data
	db                    *pgxpool.Pool // without the gate
	provider              *httptest.Server
	provides              atomic.Bool // the identity provider answers
	second                *process.Process
	secondAddress         string

	prometheus *prometheus
	collector  *collector // nil: functions are scraped
	mu         sync.Mutex // of seen
	seen       []sighting
}

// demoUser is an entry of /dev/users.
type demoUser struct {
	TenantID string `json:"tenant_id"`
	Email    string `json:"email"`
	Token    string `json:"token"`
}

// state is the content of dev.json, the state file of `orderbell dev`.
type state struct {
	Origin   string `json:"origin"`
	Programs map[string]struct {
		URL string `json:"url"`
		PID int    `json:"pid"`
	} `json:"programs"`
}

func newWorld(t *testing.T) *world {
	t.Helper()
	// An hour becomes five seconds, a day two minutes. Eight seconds have enough scrapes for a rate.
	w := &world{data: filepath.Join(t.TempDir(), "dev"), started: time.Now(), pace: pace{hour: 5 * time.Second, least: 8 * time.Second}}
	if !testing.Short() {
		w.pace = pace{hour: 20 * time.Second, least: 30 * time.Second}
	}
	if err := os.MkdirAll(filepath.Join(root, ".report"), 0o750); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.log, err = os.Create(filepath.Join(root, ".report", "alerts.log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.log.Close() })
	w.startStores(t)
	if *collectorProgram != "" {
		w.collector = startCollector(t, w)
	}
	w.startDev(t)
	w.startSecond(t)
	return w
}

func (w *world) startStores(t *testing.T) {
	t.Helper()
	postgres, err := embedded.StartPostgres(t.Context(), embedded.PostgresOptions{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = postgres.Stop() })
	if w.db, err = pgxpool.New(t.Context(), postgres.URL()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.db.Close)
	if w.memory, err = embedded.StartRedis(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.memory.Stop() })
	w.kafkaOptions.DataDir = t.TempDir()
	if w.kafka, err = embedded.StartKafka(w.kafkaOptions); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.kafka.Stop() })
	// A restarted Kafka must have the same port.
	if _, err := fmt.Sscanf(w.kafka.Brokers(), "127.0.0.1:%d", &w.kafkaOptions.Port); err != nil {
		t.Fatalf("address of Kafka: %v", err)
	}
	mailpit, err := embedded.NewMailpit(t.Context(), filepath.Join(root, "bin", "mailpit"), "")
	if err != nil {
		t.Fatal(err)
	}
	running, err := mailpit.Start(t.Context(), w.log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = running.Stop(time.Minute) })
	w.database, w.redis, w.smtp = newGate(t, postgres.URL()), newGate(t, w.memory.URL()), newGate(t, mailpit.SMTPURL())
	w.env = append(os.Environ(), "DATABASE_URL="+w.database.url, "REDIS_URL="+w.redis.url, "KAFKA_BROKERS="+w.kafka.Brokers(), "SMTP_URL="+w.smtp.url,
		"MAILPIT_URL="+mailpit.URL(), "LOG_LEVEL=WARN", "SSE_COMPARE_SECONDS=1", "AUTH_JWKS_REFRESH_INTERVAL=1s", "AUTH_JWKS_MIN_INTERVAL=1s",
		fmt.Sprintf("SSE_MAX_CLIENTS_PER_INSTANCE=%d", streamsOfInstance), fmt.Sprintf("SSE_MAX_CLIENTS_PER_USER=%d", streamsOfUser),
		"DATABASE_CONNECT_TIMEOUT=1s", "DATABASE_STATEMENT_TIMEOUT=2s", "EVENT_TIMEOUT=2s", "EMAIL_RETRY_BASE=1s", "EMAIL_RETRY_MAX=2s", "EMAIL_MAX_ATTEMPTS=1000",
		"SMTP_CONNECT_TIMEOUT=2s", "SMTP_COMMAND_TIMEOUT=2s", "SMTP_FINAL_TIMEOUT=2s")
}

// startDev starts `orderbell dev` and returns when every program is ready.
func (w *world) startDev(t *testing.T) {
	t.Helper()
	dist := t.TempDir()
	if err := os.WriteFile(filepath.Join(dist, "index.html"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(root, "bin", "orderbell"), "dev", "--data", w.data, "--frontend", dist) //nolint:noctx // process.Process ends it
	cmd.Env = append(w.env, "PORT=0")
	if w.collector != nil {
		cmd.Env = append(cmd.Env, w.collector.environment()...)
	}
	cmd.Stdout, cmd.Stderr = w.log, w.log
	running, err := process.Start(cmd)
	if err != nil {
		t.Fatalf("%v (run make build first)", err)
	}
	t.Cleanup(func() {
		if err := running.Stop(time.Minute); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "orderbell dev to be ready", func() error {
		select {
		case <-running.Done():
			t.Fatalf("orderbell dev ended: %v; see .report/alerts.log", running.Err())
		default:
		}
		content, err := os.ReadFile(filepath.Join(w.data, "dev.json"))
		if err != nil {
			return err
		}
		return json.Unmarshal(content, &w.state)
	})
	body, err := get(t.Context(), w.state.Origin+"/dev/users")
	if err == nil {
		err = json.Unmarshal(body, &w.users)
	}
	if err != nil || len(w.users) == 0 {
		t.Fatalf("demo users: %v", err)
	}
}

// startSecond starts the second order-api. Its identity provider has no keys. It answers 502 unless provides is set.
func (w *world) startSecond(t *testing.T) {
	t.Helper()
	w.provides.Store(true)
	w.provider = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if !w.provides.Load() {
			http.Error(rw, "the provider is down", http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(rw, `{"keys":[]}`)
	}))
	t.Cleanup(w.provider.Close)
	w.secondAddress = "127.0.0.1:" + programtest.Port(t)
	if err := w.runSecond(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.second.Kill() })
}

func (w *world) runSecond(ctx context.Context) error {
	_, port, err := net.SplitHostPort(w.secondAddress)
	if err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(root, "bin", "order-api")) //nolint:noctx // process.Process ends it
	cmd.Env = append(w.env, "LISTEN_HOST=127.0.0.1", "PORT="+port, "AUTH_JWKS_URL="+w.provider.URL)
	cmd.Stdout, cmd.Stderr = w.log, w.log
	if w.second, err = process.Start(cmd); err != nil {
		return err
	}
	return await(ctx, "the second order-api", func() error {
		_, err := get(ctx, "http://"+w.secondAddress+"/healthz/ready")
		return err
	})
}

// targets returns the addresses of the programs that Prometheus scrapes, by name. The second order-api is always one of them.
func (w *world) targets() map[string]string {
	all := map[string]string{"order-api-2": w.secondAddress}
	for name, p := range w.state.Programs {
		if w.collector != nil && isFunction(name) {
			continue
		}
		all[name] = strings.TrimPrefix(p.URL, "http://")
	}
	return all
}

// orderbell runs a command of `orderbell` on the programs and stores of this test. env overrides its environment.
func (w *world) orderbell(ctx context.Context, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(root, "bin", "orderbell"), append(args, "--data", w.data)...)
	cmd.Env = append(append(os.Environ(), "DATABASE_URL="+w.database.url), env...)
	var failed strings.Builder
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("orderbell %s: %w: %s", strings.Join(args, " "), err, failed.String())
	}
	return string(out), err
}

// call makes a request and returns its status and body.
func call(ctx context.Context, method, address, token, body string) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, content, err
}

func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	if err := await(t.Context(), what, try); err != nil {
		t.Fatal(err)
	}
}

// await calls try until it returns nil, for at most [patience].
func await(ctx context.Context, what string, try func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) || !backoff.Sleep(ctx, 50*time.Millisecond) {
			return fmt.Errorf("waited %s for %s: %w", patience, what, err)
		}
	}
}
