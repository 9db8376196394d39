package tenantlog_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/duration"
	"orderbell/internal/feed/message"
	"orderbell/sse-gateway/internal/tenantlog"
	"orderbell/sse-gateway/internal/tenantlog/tenantlogtest"
)

func TestAnOrderIsShownBeforeItsEvent(t *testing.T) {
	t.Parallel()
	first, second, third := tenantlogtest.Published(1), tenantlogtest.Published(2), tenantlogtest.Published(3)
	commit := func(p message.Published) message.Commit {
		return message.Commit{EventID: p.Message.ID, Data: p.Message.Data}
	}
	for name, test := range map[string]struct {
		happens func(l *tenantlog.Logs, after func(time.Duration))
		want    []string // the frames' names and ids
	}{
		"an event in time is the only frame": {
			func(l *tenantlog.Logs, after func(time.Duration)) {
				l.Expected("demo", []message.Commit{commit(first)})
				after(20 * time.Millisecond)
				l.Published("demo", first)
				after(time.Second)
			},
			[]string{"order_paid " + first.Message.ID},
		},
		"an event that came before the message of its commit": {
			func(l *tenantlog.Logs, after func(time.Duration)) {
				l.Published("demo", first)
				l.Published("demo", second)
				l.Expected("demo", []message.Commit{commit(first), commit(second)})
				after(time.Second)
			},
			[]string{"order_paid " + first.Message.ID, "order_paid " + second.Message.ID},
		},
		"an event that takes longer comes second": {
			func(l *tenantlog.Logs, after func(time.Duration)) {
				l.Published("demo", first)
				l.Expected("demo", []message.Commit{commit(second), commit(third)})
				after(40 * time.Millisecond)
				l.Published("demo", second)
				after(time.Second)
				l.Published("demo", third)
			},
			[]string{
				"order_paid " + first.Message.ID, "order_committed " + first.Message.ID, "order_committed " + first.Message.ID,
				"order_paid " + second.Message.ID, "order_paid " + third.Message.ID,
			},
		},
		"before any event the id is 0": {
			func(l *tenantlog.Logs, after func(time.Duration)) {
				l.Expected("demo", []message.Commit{commit(first)})
				after(time.Second)
			},
			[]string{"order_committed 0"},
		},
		"what has no order is not shown": {
			func(l *tenantlog.Logs, after func(time.Duration)) {
				for _, data := range []string{"", "null", "[]", `"x"`, "{", "{}\n\ndata: {}"} {
					l.Expected("demo", []message.Commit{{EventID: first.Message.ID, Data: []byte(data)}})
				}
				l.Expected("demo", nil)
				after(time.Second)
			},
			nil,
		},
		"another tenant's": {
			func(l *tenantlog.Logs, after func(time.Duration)) {
				l.Expected("kopi", []message.Commit{commit(first)})
				after(time.Second)
			},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				logs := tenantlogtest.Run(t, tenantlog.Config{MaxBytes: 1 << 20, MaxEvents: 100, CompareEvery: duration.Seconds(time.Hour)}, tenantlogtest.Nothing{})
				log := tenantlogtest.Acquire(t, logs, "demo")
				defer logs.Release(log)
				grown := make(chan struct{}, 100)
				log.Watch(woken(grown))
				test.happens(logs, func(d time.Duration) {
					<-time.After(d)
					synctest.Wait()
				})
				batch, _ := log.Batch(1, 1<<20)
				var got []string
				for _, block := range strings.SplitAfter(string(batch.Plain(nil, "")), "\n\n") {
					if id, rest, ok := strings.Cut(strings.TrimPrefix(block, "id: "), "\nevent: "); ok {
						event, data, _ := strings.Cut(rest, "\ndata: ")
						got = append(got, event+" "+id)
						if event == "order_committed" && !strings.HasPrefix(data, "{") {
							t.Errorf("the data are %q", data)
						}
					}
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("the frames differ (-want +got):\n%s", diff)
				}
				if len(grown) != len(got) && len(got) != 5 { // two frames of one message wake once
					t.Errorf("%d frames woke the writers %d times", len(got), len(grown))
				}
			})
		})
	}
}

// woken counts wake-ups.
type woken chan struct{}

func (w woken) Wake(*tenantlog.Log) { w <- struct{}{} }
