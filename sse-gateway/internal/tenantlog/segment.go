package tenantlog

import (
	"unsafe"

	"orderbell/internal/feed/message"
	"orderbell/sse-gateway/internal/frame"
)

// segment is a part of a log. Written bytes never change, so that a batch can be read without the lock.
type segment struct {
	first     uint64
	entries   []entry
	data      []byte // the entries' frames, each as one chunk of HTTP/1.1's chunked coding
	audiences audiences
}

// held returns the heap bytes of the segment, including spare capacity.
func (s *segment) held() int {
	return int(unsafe.Sizeof(*s)) + cap(s.data) + cap(s.entries)*int(unsafe.Sizeof(entry{})) + s.audiences.held()
}

// seal frees spare capacity of a segment that gets no more entries. Batches are not affected.
func (s *segment) seal() {
	s.data, s.entries = fit(s.data), fit(s.entries)
	s.audiences.seal()
}

// fit returns s without its spare capacity if that is more than an eighth. Less is not worth a copy.
func fit[T any](s []T) []T {
	if cap(s)-len(s) <= cap(s)/8 {
		return s
	}
	return append([]T(nil), s...) // its capacity is the allocated size, so that all of it is counted
}

// entry is one frame, or only notification frames. It has no pointers, so the garbage collector does not scan a log.
type entry struct {
	at         message.Position
	start, end uint32 // the chunk in data; empty if only the audience has a frame
	content    uint32 // where the frame begins, after the chunk's size
	id, idLen  uint32 // the event id in data; without a chunk, the audience has it
	audience   int32  // index in audiences, -1: no user has a frame of its own
	control    bool   // a resync, degraded or live frame, which is not an event
	again      bool   // the event may have been published before, and may be here a second time
}

// rendered is an entry to add.
type rendered struct {
	chunk    []byte
	content  int // where the frame begins in chunk
	id       string
	idAt     int // where the id is in chunk
	audience *audience
	control  bool
	again    bool
}

// size is what the entry adds to a segment, at least.
func (r rendered) size() int {
	n := len(r.chunk) + int(unsafe.Sizeof(entry{}))
	if r.audience != nil {
		n += r.audience.size()
	}
	return n
}

func (s *segment) add(at message.Tail, r rendered) {
	start := uint32(len(s.data)) //nolint:gosec // a segment is far below 4 GiB
	e := entry{
		at: at.At, start: start, end: start + uint32(len(r.chunk)), content: start + uint32(r.content), //nolint:gosec // as above
		id: start + uint32(r.idAt), audience: -1, control: r.control, again: r.again, //nolint:gosec // as above
	}
	if len(r.chunk) > 0 {
		e.idLen = uint32(len(r.id)) //nolint:gosec // as above
	}
	if r.audience != nil {
		e.audience = s.audiences.add(r.audience)
	}
	s.data = append(s.data, r.chunk...)
	s.entries = append(s.entries, e)
}

func (s *segment) id(i int) string {
	e := &s.entries[i]
	if e.idLen == 0 {
		return string(s.audiences.id(e.audience))
	}
	return string(s.data[e.id : e.id+e.idLen])
}

// is reports whether the i-th entry is the event's, without allocating a string.
func (s *segment) is(i int, eventID string) bool {
	e := &s.entries[i]
	if e.idLen == 0 {
		return string(s.audiences.id(e.audience)) == eventID
	}
	return string(s.data[e.id:e.id+e.idLen]) == eventID
}

func (s *segment) batch(cursor uint64, most int) Batch {
	from := int(cursor - s.first) //nolint:gosec // an index of entries
	to := from + 1
	start := s.entries[from].start
	for to < len(s.entries) && int(s.entries[to].end-start) <= most {
		to++
	}
	b := Batch{
		From: cursor, To: s.first + uint64(to),
		entries: s.entries[from:to], data: s.data, audiences: s.audiences,
	}
	for _, e := range b.entries {
		b.personal = b.personal || e.audience >= 0
	}
	return b
}

// Batch is a sequence of frames in a log. It stays valid after changes of the log.
type Batch struct {
	From, To  uint64 // cursors before and after it
	entries   []entry
	data      []byte
	audiences audiences
	personal  bool
}

// Empty reports whether there is nothing to write.
func (b *Batch) Empty() bool { return b.From == b.To }

// Len returns the number of entries: order and control frames, and frames of one user alone.
func (b *Batch) Len() int { return len(b.entries) }

// Chunked returns the frames for a user as chunks, from byte skip on. If none of them is a notification of the user,
// they are the log's own bytes. Otherwise they are assembled in scratch, which is returned for reuse.
func (b *Batch) Chunked(userID string, skip int, scratch []byte) (frames, reuse []byte) {
	if len(b.entries) == 0 {
		return nil, scratch
	}
	if !b.speaksTo(userID) {
		return b.data[b.entries[0].start:b.entries[len(b.entries)-1].end][skip:], scratch
	}
	scratch = scratch[:0]
	for _, e := range b.entries {
		if own, ok := b.own(e, userID); ok {
			scratch = frame.AppendChunkSize(scratch, own.len())
			scratch = own.append(scratch)
			scratch = append(scratch, "\r\n"...)
		}
		scratch = append(scratch, b.data[e.start:e.end]...)
	}
	return scratch[skip:], scratch
}

// Plain appends the frames for a user without chunks.
func (b *Batch) Plain(dst []byte, userID string) []byte {
	for _, e := range b.entries {
		if own, ok := b.own(e, userID); ok {
			dst = own.append(dst)
		}
		if e.start < e.end {
			dst = append(dst, b.data[e.content:e.end-2]...) // without the chunk's CR LF
		}
	}
	return dst
}

// Advance returns the cursor, and the bytes written after it, once n bytes of what Chunked returned are written.
func (b *Batch) Advance(userID string, skip, n int) (cursor uint64, rest int) {
	rest = skip + n
	for i, e := range b.entries {
		size := int(e.end - e.start)
		if own, ok := b.own(e, userID); ok {
			size += own.chunkLen()
		}
		if rest < size {
			return b.From + uint64(i), rest
		}
		rest -= size
	}
	return b.To, 0
}

func (b *Batch) speaksTo(userID string) bool {
	if !b.personal || userID == "" {
		return false
	}
	for _, e := range b.entries {
		if _, ok := b.own(e, userID); ok {
			return true
		}
	}
	return false
}

// own returns the user's notification frame of an entry.
func (b *Batch) own(e entry, userID string) (personal, bool) {
	if e.audience < 0 {
		return personal{}, false
	}
	return b.audiences.find(e.audience, userID)
}
