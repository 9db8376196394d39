// Package frame writes server-sent events in the format of the WHATWG HTML standard, §9.2.
//
// No value can escape from its field: line ends split data into several data lines and are removed from ids and names.
package frame

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// ContentType is the media type of a stream.
const ContentType = "text/event-stream"

// Heartbeat is a comment that keeps proxies from cutting a silent stream. No blank line follows it: some parsers
// dispatch an empty event for every blank line.
const Heartbeat = ":\n"

// Event is one server-sent event.
type Event struct {
	Retry time.Duration // > 0: the reconnection time, in whole milliseconds
	ID    string        // "" leaves the client's last id as it is
	Name  string        // "" is a "message"
	Data  []byte        // nil: nothing is dispatched, as for an event with only Retry
}

// Append appends e to dst.
func Append(dst []byte, e Event) []byte {
	if e.Retry > 0 {
		dst = append(dst, "retry: "...)
		dst = strconv.AppendInt(dst, e.Retry.Milliseconds(), 10)
		dst = append(dst, '\n')
	}
	if e.ID != "" {
		dst = appendField(dst, "id: ", e.ID)
	}
	if e.Name != "" {
		dst = appendField(dst, "event: ", e.Name)
	}
	if e.Data != nil {
		dst = appendData(dst, e.Data)
	}
	return append(dst, '\n')
}

// Clean reports whether s can be written into a field unchanged.
func Clean(s string) bool { return !strings.ContainsAny(s, "\x00\r\n") }

func appendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	if Clean(value) {
		dst = append(dst, value...)
	} else {
		for i := range len(value) {
			if c := value[i]; c != '\n' && c != '\r' && c != 0 {
				dst = append(dst, c)
			}
		}
	}
	return append(dst, '\n')
}

func appendData(dst, data []byte) []byte {
	for {
		end := bytes.IndexAny(data, "\r\n")
		dst = append(dst, "data: "...)
		if end < 0 {
			dst = append(dst, data...)
			return append(dst, '\n')
		}
		dst = append(dst, data[:end]...)
		dst = append(dst, '\n')
		if data[end] == '\r' && end+1 < len(data) && data[end+1] == '\n' {
			end++
		}
		data = data[end+1:]
	}
}

// AppendChunk appends content as one chunk of HTTP/1.1's chunked coding (RFC 9112 §7.1).
func AppendChunk(dst, content []byte) []byte {
	dst = AppendChunkSize(dst, len(content))
	dst = append(dst, content...)
	return append(dst, "\r\n"...)
}

// AppendChunkSize appends the line before a chunk of n bytes.
func AppendChunkSize(dst []byte, n int) []byte {
	dst = strconv.AppendInt(dst, int64(n), 16)
	return append(dst, "\r\n"...)
}
