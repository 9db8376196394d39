package watch

import (
	"bytes"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// longestSilence is the allowed silence of a stream that does not announce its heartbeat.
const longestSilence = time.Minute

// errTooLarge is the error of an answer that is not an event stream.
var errTooLarge = errors.New("the stream has a frame of more than 1 MiB")

// whole is the body of a stream up to its last blank line. When a stream is cut in the middle of a frame, the client
// would deliver the partial frame and resume after it, so the rest would be lost. whole also closes a body that is
// silent for too long, because its sender may be gone.
type whole struct {
	body    io.ReadCloser
	alarm   *time.Timer
	silence atomic.Int64 // how long the stream may be silent, in nanoseconds
	buf     []byte
	ready   int // so much of buf is complete
}

func newWhole(body io.ReadCloser) *whole {
	w := &whole{body: body, alarm: time.AfterFunc(longestSilence, func() { _ = body.Close() })}
	w.silence.Store(int64(longestSilence))
	return w
}

// allow sets how long the stream may be silent.
func (w *whole) allow(silence time.Duration) {
	w.silence.Store(int64(silence))
	w.alarm.Reset(silence)
}

// Read implements [io.Reader].
func (w *whole) Read(b []byte) (int, error) {
	for w.ready == 0 {
		if len(w.buf) >= largestFrame {
			return 0, errTooLarge
		}
		const portion = 4 << 10
		from := len(w.buf)
		w.buf = append(w.buf, make([]byte, portion)...)
		n, err := w.body.Read(w.buf[from:])
		w.buf = w.buf[:from+n]
		if n > 0 {
			w.alarm.Reset(time.Duration(w.silence.Load()))
		}
		if w.ready = complete(w.buf); w.ready == 0 && err != nil {
			return 0, err
		}
	}
	n := copy(b, w.buf[:w.ready])
	w.buf = append(w.buf[:0], w.buf[n:]...)
	w.ready -= n
	return n, nil
}

// complete returns how many bytes of b are whole frames, with either end of line.
func complete(b []byte) int {
	end := 0
	for _, blank := range []string{"\n\n", "\n\r\n"} {
		if at := bytes.LastIndex(b, []byte(blank)); at >= 0 {
			end = max(end, at+len(blank))
		}
	}
	return end
}

// Close implements [io.Closer].
func (w *whole) Close() error {
	w.alarm.Stop()
	return w.body.Close()
}
