package console_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/cmd/orderbell/internal/console"
)

func TestVoice(t *testing.T) {
	t.Parallel()
	t.Run("lines of several speakers stay whole", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		c := console.New(&out)
		var speakers sync.WaitGroup
		for _, name := range []string{"order-api", "outbox-relay"} {
			voice := c.Voice(name)
			speakers.Go(func() {
				for range 100 {
					for _, part := range []string{"one ", "line", "\r\n"} {
						_, _ = voice.Write([]byte(part))
					}
				}
			})
		}
		speakers.Wait()
		count := map[string]int{}
		for line := range strings.Lines(out.String()) {
			count[line]++
		}
		want := map[string]int{"order-api            │ one line\n": 100, "outbox-relay         │ one line\n": 100}
		if diff := cmp.Diff(want, count); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("the last words are the last three lines", func(t *testing.T) {
		t.Parallel()
		voice := console.New(&bytes.Buffer{}).Voice("x")
		_, _ = voice.Write([]byte("1\n2\n3\n4\nunfinished"))
		if diff := cmp.Diff("2\n3\n4", voice.LastWords()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("held lines are written at their release", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		c := console.New(&out)
		c.Hold()
		_, _ = c.Voice("x").Write([]byte("why\n"))
		c.Printf("own")
		if diff := cmp.Diff("own\n", out.String()); diff != "" {
			t.Error(diff)
		}
		c.Release()
		if !strings.HasSuffix(out.String(), "│ why\n") {
			t.Errorf("the console shows %q, want the held line at the end", out.String())
		}
	})
	t.Run("a line without an end is written at last", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		_, _ = console.New(&out).Voice("x").Write(bytes.Repeat([]byte("a"), 1<<20))
		if out.Len() < 1<<20 {
			t.Errorf("the console shows %d bytes, want all", out.Len())
		}
	})
}

func TestTime(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := console.New(&out)
	want := errors.New("no disk")
	if err := c.Time("PostgreSQL", "a hint", func() error { return want }); !errors.Is(err, want) {
		t.Errorf("Time = %v, want the work's error", err)
	}
	if diff := cmp.Diff("  ✗ PostgreSQL\n", out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestSeconds(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		1500 * time.Microsecond: "1.5 ms", 38 * time.Millisecond: "38 ms", 1240 * time.Millisecond: "1.2 s",
	} {
		if got := console.Seconds(d); got != want {
			t.Errorf("Seconds(%s) = %q, want %q", d, got, want)
		}
	}
}
