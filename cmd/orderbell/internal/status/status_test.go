package status_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"orderbell/cmd/orderbell/internal/status"
	"orderbell/internal/audit"
)

func TestRunNamesOneCauseOnceAndWaitsForNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		defer close(hang)
		began := time.Now()
		report := status.Run(t.Context(), 3*time.Second, []status.Probe{
			{Kind: status.Store, Name: "redis", Ask: func(context.Context) (status.Finding, error) { return status.Finding{}, nil }},
			{Kind: status.Store, Name: "kafka", Ask: func(context.Context) (status.Finding, error) { <-hang; return status.Finding{}, nil }},
			{Kind: status.Queue, Name: "lag", Needs: "kafka", Ask: func(ctx context.Context) (status.Finding, error) {
				<-ctx.Done()
				return status.Finding{}, ctx.Err()
			}},
			{Kind: status.Queue, Name: "outbox", Needs: "redis", Ask: func(context.Context) (status.Finding, error) {
				return status.Outbox(7, time.Minute), nil
			}},
			{Kind: status.Store, Name: "smtp", Why: "SMTP_URL is not set"},
		})
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("it took %s, want the limit of the slowest", took)
		}
		seven, minute := int64(7), 60.0
		want := []status.Part{
			{Kind: status.Store, Name: "redis", State: status.OK},
			{Kind: status.Store, Name: "kafka", State: status.NotReady, Why: "no answer within 3s"},
			{Kind: status.Queue, Name: "lag", State: status.Unknown, Why: "kafka does not answer"},
			{
				Kind: status.Queue, Name: "outbox", State: status.Late, Waiting: &seven, Oldest: &minute,
				Why: "waiting for more than 30s: outbox-relay does not send them",
			},
			{Kind: status.Store, Name: "smtp", State: status.NotAsked, Why: "SMTP_URL is not set"},
		}
		if diff := cmp.Diff(want, report.Parts, cmpopts.IgnoreFields(status.Part{}, "Took")); diff != "" || report.Well {
			t.Errorf("well %t, %s", report.Well, diff)
		}
	})
}

func TestRunIsWellWithPartsThatAreNotAsked(t *testing.T) {
	t.Parallel()
	if r := status.Run(t.Context(), time.Second, []status.Probe{{Name: "smtp", Why: "SMTP_URL is not set"}}); !r.Well {
		t.Errorf("%+v", r)
	}
}

func TestReadySaysWhatTheProgramSays(t *testing.T) {
	t.Parallel()
	said := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz/ready" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		if said != "" {
			http.Error(w, said, http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	probe := status.Ready("sse-gateway", server.URL)
	if _, err := probe.Ask(t.Context()); err != nil {
		t.Error(err)
	}
	said = "redis: ping 127.0.0.1:1: connection refused\nmore"
	if _, err := probe.Ask(t.Context()); err == nil || err.Error() != "redis: ping 127.0.0.1:1: connection refused" {
		t.Errorf("got %v", err)
	}
}

func TestGreets(t *testing.T) {
	t.Parallel()
	for greeting, want := range map[string]string{"220 mail ready\r\n": "", "554 not you\r\n": "554 not you", "": "read the greeting"} {
		var lc net.ListenConfig
		l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if conn, err := l.Accept(); err == nil {
				_, _ = io.WriteString(conn, greeting)
				_ = conn.Close()
			}
			_ = l.Close()
		}()
		_, err = status.Greets(t.Context(), "smtp://"+l.Addr().String())
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", greeting, err, want)
		}
	}
	if _, err := status.Greets(t.Context(), "smtp://"); err == nil {
		t.Error("an address without a host is accepted")
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)
	clean := audit.Verdict{EndedAt: now.Add(-3 * time.Hour)}
	old, bad, skipped := clean, clean, clean
	old.EndedAt, bad.Offenders, skipped.Skipped = now.Add(-27*time.Hour), 2, []string{"stream"}
	for want, got := range map[string]status.Finding{
		"":                         status.Verdict(clean, true, now),
		"has never run":            status.Verdict(audit.Verdict{}, false, now),
		"the last run was 27h":     status.Verdict(old, true, now),
		"2 offenders, 3h0m0s ago":  status.Verdict(bad, true, now),
		"skipped stream, 3h0m0s a": status.Verdict(skipped, true, now),
	} {
		if (want == "") != (got.Late == "") || !strings.Contains(got.Late, want) {
			t.Errorf("got %q, want %q", got.Late, want)
		}
	}
	if got := status.Lag(3, time.Minute); got.Late != "" {
		t.Errorf("a lag of a minute is late: %q", got.Late)
	}
	if status.DeadLetters(1, 0).Late == "" || status.DeadLetters(0, 0).Late != "" || status.Mails(1, time.Hour).Late == "" {
		t.Error("one open dead letter, or a mail due for an hour, needs an operator")
	}
}
