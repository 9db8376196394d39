//go:build chaos

package chaos_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"orderbell/internal/backoff"
	"orderbell/internal/bus"
	"orderbell/internal/dev/process"
	"orderbell/internal/dev/programtest"
)

// root is the top of the tree as seen from this folder.
const root = "../.."

// secret signs the tokens of this run.
const secret = "chaos-chaos-chaos-chaos-chaos-chaos"

// world is the real servers with proxies in front of them, and `orderbell dev` with every program.
type world struct {
	services     string // the servers' data folder
	data         string // the data folder of `orderbell dev`
	log          *os.File
	port         string // of the origin
	streamLength int    // the number of events that Redis keeps of a tenant

	postgres, redis, kafka *proxy     // between the programs and the servers
	streams                *proxy     // between the watchers and the origin
	smtp, secondSMTP       *smtpProxy // secondSMTP is nil if the mail server has one address

	// The tests' own connections. No fault touches them.
	own     *proxy // to PostgreSQL
	db      *pgxpool.Pool
	memory  redis.UniversalClient
	mailpit string

	addresses []string // of the servers, as environment variables
	brokers   []string // Kafka's, as the programs reach them
	redisURL  string   // as the programs reach it
	smtpURL   string   // as the programs reach it

	toPrimary []*proxy // those that lead to PostgreSQL's primary

	replicas *replicas  // nil if Kafka is one server and Redis has no sentinels
	cluster  *cluster   // nil if Redis is no cluster
	bouncer  *bouncer   // nil if the programs reach PostgreSQL without a pooler
	primary  *standby   // the promoted standby; nil before the first failover
	t        *testing.T // of the whole run

	producer  *bus.Producer
	dev       *process.Process
	redisLost time.Time // when Redis last lost data
	last      *episode  // the last one that ran to its end
}

// patience is long enough for a busy machine.
const patience = 2 * time.Minute

// newWorld returns a world in which each store is one server.
func newWorld(t *testing.T, random *rand.Rand) *world {
	t.Helper()
	w := prepareWorld(t, random)
	w.script(t, "down", "--kill") // servers of an earlier run that was killed
	t.Cleanup(func() { w.script(t, "down", "--kill") })
	w.script(t, "up", "--empty")
	w.connect(t)
	w.run(t)
	return w
}

// prepareWorld returns a world without servers and programs.
func prepareWorld(t *testing.T, random *rand.Rand) *world {
	t.Helper()
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{services: filepath.Join(top, ".services", "chaos"), data: t.TempDir(), port: programtest.Port(t), streamLength: 4096, t: t}
	if err := os.MkdirAll(filepath.Join(top, ".report"), 0o750); err != nil {
		t.Fatal(err)
	}
	if w.log, err = os.Create(filepath.Join(top, ".report", "chaos.log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.log.Close() })
	w.postgres, w.redis, w.kafka = newProxy(t, ""), newProxy(t, ""), newProxy(t, "")
	w.own = newProxy(t, "")
	w.streams = newProxy(t, "127.0.0.1:"+w.port)
	w.toPrimary = []*proxy{w.postgres, w.own}
	w.smtp = newSMTPProxy(t, random, "127.0.0.1:0")
	w.smtpURL = "smtp://" + w.smtp.address
	return w
}

// run starts the programs, and stops them at the end.
func (w *world) run(t *testing.T) {
	t.Helper()
	w.startDev(t)
	t.Cleanup(func() {
		if err := w.dev.Stop(time.Minute); err != nil {
			t.Errorf("stop orderbell dev: %v", err)
		}
	})
}

// script runs test/services/up or down for this run's own servers.
func (w *world) script(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(root, "test", "services", name), args...) //nolint:noctx // it also runs after the test
	cmd.Env = append(os.Environ(), "SERVICES_DIR="+w.services, "SERVICES_KAFKA_ADVERTISED="+w.kafka.address, "MP_MAX_MESSAGES=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("test/services/%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

var (
	envLine = regexp.MustCompile(`(?m)^export (\w+)='(.*)'$`)
	hostOf  = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

// connect points the proxies at the servers.
func (w *world) connect(t *testing.T) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(w.services, "env"))
	if err != nil {
		t.Fatal(err)
	}
	addresses := map[string]string{}
	for _, m := range envLine.FindAllStringSubmatch(string(content), -1) {
		addresses[m[1]] = m[2]
	}
	w.postgres.target = hostOf.FindString(addresses["DATABASE_URL"])
	w.own.target = w.postgres.target
	addresses["DATABASE_URL"] = hostOf.ReplaceAllString(addresses["DATABASE_URL"], w.own.address)
	w.brokers, w.redisURL = []string{w.kafka.address}, "redis://"+w.redis.address+"/0"
	w.kafka.target = hostOf.FindString(addresses["KAFKA_BROKERS"])
	w.redis.target = hostOf.FindString(addresses["REDIS_URL"])
	if r := w.replicas; r != nil {
		w.brokers, w.redisURL = r.addresses, r.redisURL()
		addresses["KAFKA_BROKERS"], addresses["REDIS_URL"] = strings.Join(r.addresses, ","), r.redisURL()
	}
	if c := w.cluster; c != nil {
		w.redisURL = c.redisURL()
		addresses["REDIS_URL"] = c.redisURL()
	}
	for name, value := range addresses {
		w.addresses = append(w.addresses, name+"="+value)
	}
	w.smtp.target = hostOf.FindString(addresses["SMTP_URL"])
	w.mailpit = addresses["MAILPIT_URL"]
	pc, err := pgxpool.ParseConfig(addresses["DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	// The planner has no statistics of tenants that are a second old. It would choose nested loops and compare every pair of rows.
	pc.ConnConfig.RuntimeParams["enable_nestloop"] = "off"
	pc.ConnConfig.RuntimeParams["statement_timeout"] = "60s"
	if w.db, err = pgxpool.NewWithConfig(t.Context(), pc); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.db.Close)
	switch {
	case w.replicas != nil:
		w.memory = redis.NewFailoverClient(&redis.FailoverOptions{MasterName: masterName, SentinelAddrs: w.replicas.sentinels, Protocol: 2})
	case w.cluster != nil:
		w.memory = w.cluster.client
	default:
		options, err := redis.ParseURL(addresses["REDIS_URL"])
		if err != nil {
			t.Fatal(err)
		}
		options.Protocol = 2
		w.memory = redis.NewClient(options)
	}
	t.Cleanup(func() { _ = w.memory.Close() })
	w.producer, err = bus.NewProducer(bus.Config{Brokers: w.brokers, Topic: topic, DeadLetterTopic: deadLetters})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.producer.Close)
}

// databaseURL is DATABASE_URL through the proxy.
func (w *world) databaseURL(through *proxy) string {
	return "postgres://orderbell@" + through.address + "/orderbell?sslmode=disable"
}

const (
	topic       = "orders.events"
	deadLetters = "orders.dead-letters"
)

// startDev starts `orderbell dev` and returns when every program is ready.
func (w *world) startDev(t *testing.T) {
	t.Helper()
	cmd := exec.Command(filepath.Join(root, "bin", "orderbell"), "dev", "--data", w.data) //nolint:noctx // process.Process ends it
	cmd.Env = append(os.Environ(), "PORT="+w.port, "AUTH_DEV_SECRET="+secret, "MAILPIT_URL="+w.mailpit,
		"DATABASE_URL="+w.databaseURL(w.postgres),
		"REDIS_URL="+w.redisURL, "KAFKA_BROKERS="+strings.Join(w.brokers, ","), "SMTP_URL="+w.smtpURL,
		// With production's values the mails would be retried for hours.
		"EMAIL_RETRY_BASE=1s", "EMAIL_RETRY_MAX=5s", "EMAIL_MAX_ATTEMPTS=50", "SMTP_CONNECT_TIMEOUT=5s", "SMTP_COMMAND_TIMEOUT=5s", "SMTP_FINAL_TIMEOUT=5s", "TENANT_MAILS_PER_HOUR=1000000",
		"SSE_HEARTBEAT_SECONDS=2", "OUTBOX_KEEP_SENT=72h", // the suite compares rows that a clock a day ahead makes a day older
	)
	cmd.Stdout, cmd.Stderr = w.log, w.log
	var err error
	if w.dev, err = process.Start(cmd); err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, "orderbell dev to be ready", func() error {
		select {
		case <-w.dev.Done():
			t.Fatalf("orderbell dev ended (%v); see .report/chaos.log", w.dev.Err())
		default:
		}
		s, err := w.state()
		if err == nil && s.PID != w.dev.PID() {
			err = fmt.Errorf("dev.json is of another process, %d", s.PID)
		}
		return err
	})
}

// state is the content of dev.json, the state file of `orderbell dev`.
type state struct {
	PID      int
	Programs map[string]struct {
		URL string
		PID int // 0 while it is down
	}
	SenderSecret string `json:"event_sender_secret"`
}

func (w *world) state() (s state, err error) {
	content, err := os.ReadFile(filepath.Join(w.data, "dev.json"))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(content, &s)
}

// programs returns the names of the programs that `orderbell dev` runs.
func (w *world) programs(t *testing.T) []string {
	t.Helper()
	s, err := w.state()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range s.Programs {
		names = append(names, name)
	}
	return sorted(names)
}

// signal waits until the program has a process, sends sig to it, and returns when the process has ended.
func (w *world) signal(t *testing.T, name string, sig syscall.Signal) {
	t.Helper()
	var pid int
	eventually(t, patience, name+" to run", func() error {
		s, err := w.state()
		if err != nil {
			return err
		}
		if pid = s.Programs[name].PID; pid == 0 {
			return errors.New("it is down")
		}
		return nil
	})
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
	eventually(t, patience, fmt.Sprintf("process %d of %s to end", pid, name), func() error {
		if isRunning(pid) {
			return errors.New("it is still running")
		}
		return nil
	})
}

func isRunning(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(stat, []byte(") Z "))
}

// awaitPrograms returns when every program has a process.
func (w *world) awaitPrograms(t *testing.T) {
	t.Helper()
	eventually(t, patience, "every program to run again", func() error {
		s, err := w.state()
		if err != nil {
			return err
		}
		for name, p := range s.Programs {
			if p.PID == 0 {
				return fmt.Errorf("%s is down", name)
			}
		}
		return nil
	})
}

// eventually calls cond every 100 ms until it returns nil, and fails the test after patience.
func eventually(t *testing.T, patience time.Duration, what string, cond func() error) {
	t.Helper()
	if err := await(t, patience, what, cond); err != nil {
		t.Fatal(err)
	}
}

// await is like eventually, but returns the error.
func await(t *testing.T, patience time.Duration, what string, cond func() error) error {
	t.Helper()
	started, logged := time.Now(), time.Now()
	for {
		err := cond()
		if err == nil {
			return nil
		}
		if time.Since(started) > patience {
			return fmt.Errorf("waited %s for %s: %w", patience, what, err)
		}
		logged = progress(t, logged, what, err)
		if !backoff.Sleep(t.Context(), 100*time.Millisecond) {
			return t.Context().Err()
		}
	}
}

// progress logs every ten seconds what the test waits for. It returns the time of the last log line.
func progress(t *testing.T, logged time.Time, what string, err error) time.Time {
	t.Helper()
	const often = 10 * time.Second
	if time.Since(logged) < often {
		return logged
	}
	t.Logf("%s: waiting for %s: %v", time.Now().UTC().Format(time.TimeOnly), what, err)
	return time.Now()
}

// drain reads to the end, so that a connection can be used again.
func drain(r io.ReadCloser) {
	_, _ = io.Copy(io.Discard, r)
	_ = r.Close()
}
