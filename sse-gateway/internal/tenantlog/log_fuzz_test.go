package tenantlog_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http/httputil"
	"strings"
	"testing"

	"orderbell/internal/feed"
	"orderbell/internal/feed/message"
	"orderbell/sse-gateway/internal/tenantlog"
	"orderbell/sse-gateway/internal/tenantlog/tenantlogtest"
)

// shown is a frame as a client reads it.
type shown struct{ id, event, data string }

// shownIn reads a stream as the HTML standard's §9.2.6 says, and fails where the framing is broken.
func shownIn(t *testing.T, stream string) (frames []shown) {
	t.Helper()
	var f shown
	lines := bufio.NewScanner(strings.NewReader(stream))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			f.id += value
		case "event":
			f.event += value
		case "data":
			f.data += value
		case "":
			frames = append(frames, f)
			f = shown{}
		default:
			t.Fatalf("line %q is not a field of a frame, in\n%s", lines.Text(), stream)
		}
	}
	if f != (shown{}) || !strings.HasSuffix(stream, "\n\n") {
		t.Fatalf("the last frame has no end:\n%q", stream)
	}
	return frames
}

// FuzzApply applies any payload of a tenant's channel: each watcher is shown whole frames of the contract, and no field of
// the message reaches another field, another frame or another user.
func FuzzApply(f *testing.F) {
	const data = `{"order_id":"o","tenant_id":"demo","status":"paid","reference":"A\r\n\r\ndata: x","total_amount":1,"currency":"EUR","version":2}`
	for _, message := range []string{
		`{"id":"e-1","event":"order_paid","data":` + data + `,"recipients":[{"user_id":"ann","notification_id":"n\"\n1"}]}`,
		`{"id":"e-1","event":"order_created","data":` + data + `,"recipients":[],"again":true}`,
		`{"id":"e-1","event":"notification_read","read":{"notification_ids":["a\nid: 7"],"all":false,"unread":3},"recipients":[{"user_id":"ann"}]}`,
		`{"id":"e\n1","event":"order_paid","data":{},"recipients":null}`,
		`{"id":"0","event":"order_paid"}`,
		`{"id":"x.n","event":"order_paid"}`,
		`{"id":"\u2028","event":"order_paid"}`,
		`{"id":"e-1","event":"resync\nretry: 1"}`,
		`{`, ``, `null`,
	} {
		f.Add("0-0 1-0 " + message)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		p, ok := feed.ParsePayload(payload)
		if !ok || p.Prev != (message.Position{}) {
			return // it follows nothing here: the stream would be read
		}
		log := tenantlogtest.Local(t, 1<<20, 100)
		if got := log.Apply(p); got != tenantlog.Applied {
			t.Fatalf("outcome %d", got)
		}
		batch, _ := log.Batch(1, 1<<24)
		for _, user := range []string{"ann", "bob", ""} {
			plain := string(batch.Plain(nil, user))
			chunks, _ := batch.Chunked(user, 0, nil)
			body, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(append(bytes.Clone(chunks), "0\r\n\r\n"...))))
			if err != nil || string(body) != plain {
				t.Errorf("in chunks %q is %q, %v", plain, body, err)
			}
			if plain == "" {
				continue // somebody else's
			}
			frames := shownIn(t, plain)
			if len(frames) > 2 {
				t.Errorf("one message is %d frames:\n%s", len(frames), plain)
			}
			for i, frame := range frames {
				if !json.Valid([]byte(frame.data)) {
					t.Errorf("data %q is not JSON", frame.data)
				}
				suffix := ""
				switch frame.event {
				case "resync":
					if frame.id != tenantlog.StartID || p.Err == nil && p.Message.Valid() && len(frames) > 1 {
						t.Errorf("a resync among frames:\n%s", plain)
					}
					continue
				case "notification":
					suffix = tenantlog.NotificationSuffix
					fallthrough
				case string(message.NotificationRead):
					if i > 0 || !isFor(p.Message, user) {
						t.Errorf("%q is told what is not for them:\n%s", user, plain)
					}
				default:
					if frame.event != string(p.Message.Event) {
						t.Errorf("event %q is shown as %q", p.Message.Event, frame.event)
					}
				}
				if frame.id != p.Message.ID+suffix {
					t.Errorf("id %q is shown as %q", p.Message.ID, frame.id)
				}
			}
		}
	})
}

func isFor(m message.Message, user string) bool {
	for _, r := range m.Recipients {
		if r.UserID == user && user != "" {
			return true
		}
	}
	return false
}
