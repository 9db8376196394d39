package service_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"orderbell/internal/service"
)

func TestAnOutageWritesAFewLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(service.LimitRepeated(slog.NewTextHandler(&out, nil))).With("service", "sse-gateway")
		for range 600 { // five minutes at two a second
			log.Warn("revocations not read", "err", "connection refused")
			time.Sleep(500 * time.Millisecond)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 3+4 {
			t.Fatalf("%d lines, want three and one for each further minute:\n%s", len(lines), out.String())
		}
		for i, want := range []string{"", "", "", "repeated=117", "repeated=119", "repeated=119", "repeated=119"} {
			if !strings.Contains(lines[i], want) || want == "" && strings.Contains(lines[i], "repeated=") {
				t.Errorf("line %d is %q, want %q", i, lines[i], want)
			}
		}
		out.Reset()
		log.Warn("event not delivered")
		for range 5 {
			log.Info("serving")
		}
		if n := strings.Count(out.String(), "\n"); n != 6 {
			t.Errorf("%d lines of another message and of information, want 6:\n%s", n, out.String())
		}
		time.Sleep(10 * time.Minute)
		out.Reset()
		for range 2 {
			log.Warn("revocations not read")
		}
		if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); !strings.Contains(lines[0], "repeated=119") {
			t.Errorf("the next outage begins with %q, which does not count the end of the last", lines[0])
		}
		out.Reset()
		time.Sleep(2 * time.Minute)
		for range 5 {
			log.Warn("event not delivered")
		}
		if n := strings.Count(out.String(), "\n"); n != 3 {
			t.Errorf("%d lines at the start of an outage, want 3", n)
		}
	})
}
