package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"

	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/dev/programtest"
	"orderbell/internal/feed/feedtest"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/user"
)

const streamSecret = "AUTH_DEV_SECRET=a development secret of the streams' tests" //nolint:gosec // it opens nothing

// gateway runs the gateway at addr until the test ends, and returns when it is ready.
func gateway(t *testing.T, redis *miniredis.Miniredis, addr string) *programtest.Program {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return programtest.StartAt(t, port, filepath.Join(os.Getenv(binVariable), "sse-gateway"),
		"REDIS_URL=redis://"+redis.Addr(), streamSecret, "SSE_DRAIN_SECONDS=1").WaitReady(t)
}

// lines hands out what a command says, line by line.
func lines(r io.Reader) <-chan string {
	said := make(chan string, 1000)
	go func() {
		defer close(said)
		for s := bufio.NewScanner(r); s.Scan(); {
			said <- s.Text()
		}
	}()
	return said
}

// await returns the first line that contains what.
func await(t *testing.T, said <-chan string, what string) string {
	t.Helper()
	over := time.After(limit)
	for {
		select {
		case line, ok := <-said:
			if !ok {
				t.Fatalf("the command ended before it said %q", what)
			}
			if strings.Contains(line, what) {
				return line
			}
		case <-over:
			t.Fatalf("the command did not say %q in %s", what, limit)
		}
	}
}

func TestTailGoesOnAcrossRestartsOfTheGateway(t *testing.T) {
	t.Parallel()
	redis, addr, tenant := miniredis.RunT(t), "127.0.0.1:"+programtest.Port(t), feedtest.Tenant()
	feed := feedtest.Open(t, feedtest.Config("redis://"+redis.Addr()))
	first := gateway(t, redis, addr)
	cmd := orderbell(t, []string{streamSecret}, "tail", "--tenant", tenant, "--url", "http://"+addr+"/")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	errOut, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shown, notes := lines(out), lines(errOut)
	await(t, notes, "stream of "+tenant+": live")
	var want []string
	publish := func() {
		m := feedtest.Message(tenant, len(want)+1)
		if err := feed.Publish(t.Context(), tenant, m); err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprintf("order_paid A-%d paid IDR %d v2 %s", len(want)+1, len(want)+1, m.ID))
	}
	publish()
	publish()
	var got []string
	see := func() {
		for len(got) < len(want) {
			line := await(t, shown, "order_paid")
			if !regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d{3}  `).MatchString(line) {
				t.Errorf("line %q has no time", line)
			}
			got = append(got, strings.Join(strings.Fields(line)[1:], " "))
		}
	}
	see()
	for _, end := range []func(*programtest.Program){
		func(p *programtest.Program) { p.Kill() },
		func(p *programtest.Program) { _ = p.Stop(limit) },
	} {
		end(first)
		<-first.Done()
		publish()
		await(t, notes, "the stream was cut")
		first = gateway(t, redis, addr)
		await(t, notes, "resumed after")
		publish()
		see()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what was shown (-want +got):\n%s", diff)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for range shown {
		t.Error("it shows more than there was")
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
}

func TestTailForPrograms(t *testing.T) {
	t.Parallel()
	redis, addr, tenant := miniredis.RunT(t), "127.0.0.1:"+programtest.Port(t), feedtest.Tenant()
	feed := feedtest.Open(t, feedtest.Config("redis://"+redis.Addr()))
	gateway(t, redis, addr)
	var ids []string
	for i := range 5 {
		m := feedtest.Message(tenant, i)
		if err := feed.Publish(t.Context(), tenant, m); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.ID)
	}
	url := "http://" + addr
	stdout, stderr, status := run(t, []string{streamSecret}, "tail", "--tenant", tenant, "--url", url, "--from", ids[0], "--count", "3", "--json")
	if status != 0 {
		t.Fatalf("exit status %d: %s", status, stderr)
	}
	var got []string
	for line := range strings.Lines(stdout) {
		var e struct {
			At    time.Time
			ID    string
			Event string
			Data  struct {
				TenantID string `json:"tenant_id"`
			}
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Event != "order_paid" || e.Data.TenantID != tenant || e.At.IsZero() {
			t.Errorf("%q: %+v, %v", line, e, err)
		}
		got = append(got, e.ID)
	}
	if diff := cmp.Diff(ids[1:4], got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	t.Run("a token of another tenant", func(t *testing.T) {
		t.Parallel()
		file := tokenFile(t, "other")
		_, stderr, status := run(t, nil, "tail", "--tenant", tenant, "--url", url, "--token-file", file)
		if status != 1 || !strings.Contains(stderr, "the token is for tenant other, not "+tenant) {
			t.Errorf("exit status %d: %s", status, stderr)
		}
		if err := os.WriteFile(file, []byte("no token"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, stderr, status = run(t, nil, "tail", "--tenant", tenant, "--url", url, "--token-file", file)
		if status != 1 || !strings.Contains(stderr, "refused with 401") {
			t.Errorf("exit status %d: %s", status, stderr)
		}
	})
}

func TestLoadSSE(t *testing.T) {
	t.Parallel()
	redis, addr, tenant := miniredis.RunT(t), "127.0.0.1:"+programtest.Port(t), feedtest.Tenant()
	feed := feedtest.Open(t, feedtest.Config("redis://"+redis.Addr()))
	gateway(t, redis, addr)
	ctx, cancel := context.WithCancel(t.Context())
	var publishing sync.WaitGroup
	defer publishing.Wait()
	defer cancel()
	publishing.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			m := feedtest.At(feedtest.Message(tenant, n), time.Now())
			if err := feed.Publish(ctx, tenant, m); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	stdout, stderr, status := run(t, []string{streamSecret}, "load", "sse", "--tenant", tenant, "--url", "http://"+addr,
		"--clients", "60", "--for", "2s", "--settle", "2s", "--json")
	var r struct {
		Connected, Events, Deliveries, Gaps, Repeated, Cuts int
		Latency                                             struct {
			Max int `json:"max_ns"`
		}
	}
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || status != 0 {
		t.Fatalf("exit status %d, %v: %s%s", status, err, stdout, stderr)
	}
	if r.Connected != 60 || r.Events < 10 || r.Deliveries != 60*r.Events || r.Gaps != 0 || r.Repeated != 0 || r.Latency.Max <= 0 {
		t.Errorf("%+v, want every event at each of 60 clients", r)
	}
	stdout, stderr, status = run(t, []string{streamSecret}, "load", "sse", "--tenant", tenant, "--url", "http://"+addr,
		"--clients", "3", "--for", "1s", "--settle", "1s", "--orders", "1000")
	// The gateway takes no orders.
	if status != 1 || !strings.Contains(stderr, "create an order: status 404") || !strings.Contains(stdout, "3 of 3 in") {
		t.Errorf("exit status %d: %s%s", status, stdout, stderr)
	}
}

// TestARevokedTokenEndsItsTail has tail follow with a token that is taken back meanwhile.
func TestARevokedTokenEndsItsTail(t *testing.T) {
	t.Parallel()
	redis, addr, tenant := miniredis.RunT(t), "127.0.0.1:"+programtest.Port(t), feedtest.Tenant()
	gateway(t, redis, addr)
	cmd := orderbell(t, nil, "tail", "--tenant", tenant, "--url", "http://"+addr, "--token-file", tokenFile(t, tenant))
	errOut, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	notes := lines(errOut)
	await(t, notes, "stream of "+tenant+": live")
	env := []string{"REDIS_URL=redis://" + redis.Addr(), "DATABASE_URL=" + databasetest.URL(t)}
	call(t, env, "tenant", "create", "--id", tenant, "--name", tenant, "--owner-email", "ana@shop.example")
	if stdout, stderr, status := run(t, env, "revoke", "--tenant", tenant, "--subject", "u"); status != 0 || !strings.Contains(stdout, "the tokens of subject u") {
		t.Fatalf("revoke: exit status %d, %q, %q", status, stdout, stderr)
	}
	await(t, notes, "refused with 401")
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("tail ended with %v, want exit status 1", err)
	}
}

// tokenFile returns a file with a token of user u.
func tokenFile(t *testing.T, tenant string) string {
	t.Helper()
	login := authtest.Config(strings.TrimPrefix(streamSecret, "AUTH_DEV_SECRET="))
	token := authtest.Token(t, login, auth.Principal{UserID: "u", TenantID: tenant, Roles: []user.Role{user.Viewer}})
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestTailShowsSinceWhenItIsOutOfDate has Redis stop under an open stream, and come back.
func TestTailShowsSinceWhenItIsOutOfDate(t *testing.T) {
	t.Parallel()
	redis, addr, tenant := feedtest.Restartable(t), "127.0.0.1:"+programtest.Port(t), feedtest.Tenant()
	gateway(t, redis, addr)
	cmd := orderbell(t, []string{streamSecret}, "tail", "--tenant", tenant, "--url", "http://"+addr)
	errOut, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	notes := lines(errOut)
	await(t, notes, "stream of "+tenant+": live")
	redis.Close()
	line := await(t, notes, "what is shown may be out of date since")
	if !regexp.MustCompile(`since \d\d:\d\d:\d\d: the gateway cannot guarantee the feed \(unreachable\)|\(unsubscribed\)`).MatchString(line) {
		t.Errorf("tail says %q, want a time and a reason", line)
	}
	if err := redis.Restart(); err != nil {
		t.Fatal(err)
	}
	await(t, notes, "up to date again after")
}
