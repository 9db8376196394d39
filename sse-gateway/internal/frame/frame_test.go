package frame_test

import (
	"bytes"
	"io"
	"net/http/httputil"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/sse-gateway/internal/frame"
)

func TestAppend(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		event frame.Event
		want  string
	}{
		"all fields":                      {frame.Event{Retry: 1500 * time.Millisecond, ID: "7", Name: "order_paid", Data: []byte(`{}`)}, "retry: 1500\nid: 7\nevent: order_paid\ndata: {}\n\n"},
		"retry alone dispatches nothing":  {frame.Event{Retry: time.Second}, "retry: 1000\n\n"},
		"empty data is data":              {frame.Event{Data: []byte{}}, "data: \n\n"},
		"data in lines":                   {frame.Event{Data: []byte("a\nb\r\nc\rd")}, "data: a\ndata: b\ndata: c\ndata: d\n\n"},
		"data that ends with a line end":  {frame.Event{Data: []byte("a\n")}, "data: a\ndata: \n\n"},
		"line ends are cut out of an id":  {frame.Event{ID: "a\nid: b\r\x00c", Data: []byte("d")}, "id: aid: bc\ndata: d\n\n"},
		"line ends are cut out of a name": {frame.Event{Name: "a\n\ndata: b", Data: []byte("d")}, "event: adata: b\ndata: d\n\n"},
		"other letters stay":              {frame.Event{ID: "é😀", Data: []byte("“\u2028”")}, "id: é😀\ndata: “\u2028”\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, string(frame.Append(nil, c.event))); diff != "" {
				t.Errorf("frame (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAppendChunk(t *testing.T) {
	t.Parallel()
	var body []byte
	want := ""
	for _, size := range []int{1, 15, 16, 255, 256, 70_000} {
		content := strings.Repeat("x", size)
		want += content
		body = frame.AppendChunk(body, []byte(content))
	}
	got, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(append(body, "0\r\n\r\n"...))))
	if err != nil || string(got) != want {
		t.Errorf("read %d bytes back, %v; want %d", len(got), err, len(want))
	}
}

// parse reads one event as HTML §9.2.6 has it.
func parse(stream string) (e frame.Event, dispatched, rest string) {
	stream = strings.ReplaceAll(strings.ReplaceAll(stream, "\r\n", "\n"), "\r", "\n")
	var data []string
	for {
		line, after, ok := strings.Cut(stream, "\n")
		if !ok {
			return e, "", stream
		}
		stream = after
		if line == "" {
			return e, strings.Join(data, "\n"), stream
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			e.ID = value
		case "event":
			e.Name = value
		case "data":
			data = append(data, value)
			e.Data = []byte(strings.Join(data, "\n"))
		}
	}
}

func FuzzAppend(f *testing.F) {
	f.Add("id", "name", []byte("data"))
	f.Add("a\r\nb", "x\n\ny", []byte("1\r\n2\r3\n\n4"))
	f.Add("\x00", ":", []byte(" leading\ndata: x"))
	drop := strings.NewReplacer("\r", "", "\n", "", "\x00", "")
	lines := strings.NewReplacer("\r\n", "\n", "\r", "\n")
	f.Fuzz(func(t *testing.T, id, name string, data []byte) {
		written := frame.Append(nil, frame.Event{ID: id, Name: name, Data: data})
		got, text, rest := parse(string(written))
		if rest != "" {
			t.Fatalf("%q is more than one event: %q is left", written, rest)
		}
		if want := drop.Replace(id); got.ID != want {
			t.Errorf("id is %q, want %q", got.ID, want)
		}
		if want := drop.Replace(name); got.Name != want {
			t.Errorf("name is %q, want %q", got.Name, want)
		}
		if want := lines.Replace(string(data)); text != want {
			t.Errorf("data is %q, want %q", text, want)
		}
	})
}
