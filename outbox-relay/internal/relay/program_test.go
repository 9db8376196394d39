package relay_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/alicebob/miniredis/v2"
)

// program is a running outbox-relay: the real binary.
type program struct {
	cmd     *exec.Cmd
	address string
}

func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "outbox-relay")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "orderbell/outbox-relay")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, said)
	}
	return binary
}

// run starts binary and returns when it serves.
func (s *stack) run(t *testing.T, binary string, variables ...string) *program {
	t.Helper()
	p := &program{cmd: exec.CommandContext(s.ctx, binary)}
	p.cmd.Env = append(os.Environ(), "DATABASE_URL="+s.address, "REDIS_URL=redis://"+miniredis.RunT(t).Addr(), "KAFKA_BROKERS="+s.kafka.Brokers(), "LISTEN_HOST=127.0.0.1", "PORT=0",
		"KAFKA_TOPIC="+s.config.Topic, "KAFKA_DEAD_LETTER_TOPIC="+s.config.DeadLetterTopic, "RELAY_BATCH_SIZE=20", "RELAY_LAG_GROUPS=test")
	p.cmd.Env = append(p.cmd.Env, variables...)
	output, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	lines := bufio.NewScanner(output)
	for p.address == "" && lines.Scan() {
		var line struct{ Msg, Address string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		p.address = line.Address
	}
	if p.address == "" {
		t.Fatal("the program ended without serving")
	}
	go func() { _, _ = io.Copy(io.Discard, output) }()
	return p
}

func (p *program) get(t *testing.T, s *stack, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(s.ctx, http.MethodGet, "http://"+p.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// eventually repeats f until it returns "", or fails with what it returned last.
func (s *stack) eventually(t *testing.T, f func() string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		wrong := f()
		if wrong == "" {
			return
		}
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			t.Fatal(wrong)
		}
	}
}

func TestProgram(t *testing.T) {
	t.Parallel()
	binary := build(t)

	t.Run("a kill at any time loses and reorders nothing", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		orders := newOrders(10)
		p := s.run(t, binary)
		const versions, kills = 40, 5
		for version := 1; version <= versions; version++ {
			s.write(t, orders, version)
			if version%(versions/kills) == 0 {
				s.await(t, s.events, (version-3)*len(orders)) // in the middle of its work
				if err := p.cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				_ = p.cmd.Wait() // says that it was killed
				p = s.run(t, binary)
			}
		}
		checkOrder(t, s.await(t, s.events, versions*len(orders)))
		s.eventually(t, func() string {
			if _, metrics := p.get(t, s, "/metrics"); !strings.Contains(metrics, "orderbell_consumer_lag{") {
				return "no lag among the metrics:\n" + metrics
			}
			return ""
		})
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("after SIGTERM it ended with %v", err)
		}
		s.checkAllMarked(t)
	})

	t.Run("with RELAY_SCAN_GROUP, a record that is not a CloudEvent becomes a dead letter", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		settings := sarama.NewConfig()
		settings.Producer.Return.Successes = true
		garbage, err := sarama.NewSyncProducer([]string{s.kafka.Brokers()}, settings)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = garbage.Close() }()
		if _, _, err := garbage.SendMessage(&sarama.ProducerMessage{Topic: s.config.Topic, Value: sarama.StringEncoder("garbage")}); err != nil {
			t.Fatal(err)
		}
		s.run(t, binary, "RELAY_SCAN_GROUP=scan")
		letter := s.await(t, s.letters, 1)[0]
		if string(letter.Event.Data()) != "garbage" || letter.Event.Type() != "dev.knative.kafka.event" {
			t.Errorf("the dead letter is %s", letter.Event)
		}
	})

	t.Run("it is ready while PostgreSQL and Kafka answer", func(t *testing.T) {
		t.Parallel()
		s := setup(t)
		p := s.run(t, binary)
		ready := func(want int, named string) func() string {
			return func() string {
				if status, body := p.get(t, s, "/healthz/ready"); status != want || !strings.Contains(body, named) {
					return fmt.Sprintf("status %d %q, want %d", status, body, want)
				}
				return ""
			}
		}
		s.eventually(t, ready(http.StatusNoContent, ""))
		s.kafka.Stop()
		s.eventually(t, ready(http.StatusServiceUnavailable, "kafka"))
		s.startKafka(t)
		s.eventually(t, ready(http.StatusNoContent, ""))
	})
}
