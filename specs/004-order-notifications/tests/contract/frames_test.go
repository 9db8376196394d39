package contract_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/feed/message"
)

// frameExamples returns the examples of frames by name without .txt.
func frameExamples(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(framesDir + "/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatalf("%s has no examples", framesDir)
	}
	frames := map[string]string{}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		frames[strings.TrimSuffix(filepath.Base(path), ".txt")] = string(raw)
	}
	return frames
}

const heartbeat = ":\n"

// readFrame returns a stream's next frame, blank line included, or a heartbeat. Its error is the end of the stream.
func readFrame(r *bufio.Reader) (string, error) {
	var frame strings.Builder
	for {
		line, err := r.ReadString('\n')
		frame.WriteString(line)
		switch {
		case err != nil:
			return frame.String(), err
		case line == "\n", frame.String() == heartbeat:
			return frame.String(), nil
		}
	}
}

// field returns the value of a frame's first field of that name.
func field(frame, name string) string {
	for line := range strings.Lines(frame) {
		if value, ok := strings.CutPrefix(line, name+": "); ok {
			return strings.TrimSuffix(value, "\n")
		}
	}
	return ""
}

// withoutTrace is what the gateway adds to the event's data of a sampled change.
var withoutTrace = regexp.MustCompile(`,"traceparent":"[^"]*"`)

func TestFrameExamples(t *testing.T) {
	t.Parallel()
	doc, schemas, events := readDocument(t), readFrameSchemas(t), golden(t, eventsDir)
	for name, text := range frameExamples(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for r := bufio.NewReader(strings.NewReader(text)); ; {
				frame, err := readFrame(r)
				if errors.Is(err, io.EOF) && frame == "" {
					return
				}
				if err != nil {
					t.Fatalf("the file ends within a frame: %q", frame)
				}
				data := field(frame, "data")
				if data == "" {
					continue // a heartbeat, or retry alone
				}
				if field(frame, "id") == "" || field(frame, "event") == "" {
					t.Errorf("a frame with data has no id or no event: %q", frame)
				}
				schemas.check(t, frame)
				checkOrderFrame(t, doc, events, field(frame, "event"), field(frame, "id"), withoutTrace.ReplaceAll([]byte(data), nil))
			}
		})
	}
}

// checkOrderFrame holds frames that carry an event's data to the contract of events.
func checkOrderFrame(t *testing.T, doc document, events map[string][]byte, name, id string, data []byte) {
	t.Helper()
	object := generic(t, data)
	if name == "notification" {
		name, _ = object["event"].(string)
		if want, _ := object["event_id"].(string); id != want+".n" {
			t.Errorf("the id is %s, want %s.n", id, want)
		}
		id = strings.TrimSuffix(id, ".n")
		object, _ = object["data"].(map[string]any)
	} else if !event.Type(name).Valid() {
		return
	}
	checkEmitted(t, doc.schema(t, doc.Components.Messages[name].Payload.Ref), object)
	if diff := cmp.Diff(generic(t, events[name])["data"], any(object)); diff != "" {
		t.Errorf("the frame's data are not those of %s/%s.json: %s", eventsDir, name, diff)
	}
	if want := generic(t, events[name])["id"]; id != want {
		t.Errorf("the frame's id is not that of %s/%s.json: %s", eventsDir, name, id)
	}
}

// varying is what differs from one stream to the next: times.
var varying = regexp.MustCompile(`(?m)(^retry: |"retry_ms":)\d+|("(?:expires_at|since)":")[^"]*`)

// sameFrame compares a frame with an example, byte for byte but for what varies.
func sameFrame(t *testing.T, example, got string) {
	t.Helper()
	want := varying.ReplaceAllString(example, "${1}${2}…")
	if diff := cmp.Diff(want, varying.ReplaceAllString(got, "${1}${2}…")); diff != "" {
		t.Error(diff)
	}
}

// feedMessage returns the message of the feed that the example event becomes.
func feedMessage(t *testing.T, events map[string][]byte, name string, to ...event.Recipient) message.Message {
	t.Helper()
	e, err := cloudevent.Parse(parse(t, bytes.Clone(events[name])))
	if err != nil {
		t.Fatal(err)
	}
	m, err := message.New(e, to)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
