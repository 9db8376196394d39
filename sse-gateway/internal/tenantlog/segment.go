package tenantlog

import (
	"slices"
	"strings"

	"orderbell/internal/event"
	"orderbell/internal/feed/message"
	"orderbell/sse-gateway/internal/frame"
)

// segment is a part of a log. It only grows, in place, so whoever has a batch of it reads on without the lock.
type segment struct {
	first     uint64
	entries   []entry
	data      []byte // the entries' frames, each as one chunk of HTTP/1.1's chunked coding
	audiences []audience
	size      int
}

// entry is one frame, or nothing but somebody's own. It has no pointers, so the garbage collector passes a log by.
type entry struct {
	at         message.Position
	start, end uint32 // the chunk in data, empty where only the audience is told
	content    uint32 // where the frame begins, behind the chunk's size
	id, idLen  uint32 // the event id in data; where there is no chunk, the audience has it
	audience   int32  // index in audiences, -1: nobody is told personally
	control    bool   // a resync, degraded or live frame, which is no event
	again      bool   // the event may have been published before, and stand here a second time
}

// audience is the people who have a frame of their own of an entry, in two halves around the notification's id.
type audience struct {
	id         string            // the event's
	people     []event.Recipient // by user id
	head, tail []byte
}

// rendered is an entry that is to be added.
type rendered struct {
	chunk    []byte
	content  int // where the frame begins in chunk
	id       string
	idAt     int // where the id is in chunk
	audience *audience
	control  bool
	again    bool
}

func (r rendered) size() int {
	n := len(r.chunk)
	if r.audience != nil {
		n += len(r.audience.head) + len(r.audience.tail)
		for _, p := range r.audience.people {
			n += len(p.UserID) + len(p.NotificationID)
		}
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
		e.audience = int32(len(s.audiences)) //nolint:gosec // as above
		s.audiences = append(s.audiences, *r.audience)
	}
	s.data = append(s.data, r.chunk...)
	s.entries = append(s.entries, e)
	s.size += r.size()
}

func (s *segment) id(i int) string {
	e := &s.entries[i]
	if e.idLen == 0 {
		return s.audiences[e.audience].id
	}
	return string(s.data[e.id : e.id+e.idLen])
}

// is says whether the i-th entry is the event's, without making a string of its id.
func (s *segment) is(i int, eventID string) bool {
	e := &s.entries[i]
	if e.idLen == 0 {
		return s.audiences[e.audience].id == eventID
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

// Batch is some frames that follow each other in a log. It stays valid whatever becomes of the log.
type Batch struct {
	From, To  uint64 // cursors before and behind it
	entries   []entry
	data      []byte
	audiences []audience
	personal  bool
}

// Empty says whether there is nothing to write.
func (b *Batch) Empty() bool { return b.From == b.To }

// Len returns the number of entries: order and control frames, and what one person alone is told.
func (b *Batch) Len() int { return len(b.entries) }

// Chunked returns the frames for a user as chunks, from byte skip on. They are the log's own bytes where none of them
// speaks to the user, otherwise they are put together in scratch, which is returned for the next time.
func (b *Batch) Chunked(userID string, skip int, scratch []byte) (frames, reuse []byte) {
	if len(b.entries) == 0 {
		return nil, scratch
	}
	if !b.speaksTo(userID) {
		return b.data[b.entries[0].start:b.entries[len(b.entries)-1].end][skip:], scratch
	}
	scratch = scratch[:0]
	for _, e := range b.entries {
		if a, notification := b.personalPart(e, userID); a != nil {
			scratch = frame.AppendChunkSize(scratch, len(a.head)+len(notification)+len(a.tail))
			scratch = a.append(scratch, notification)
			scratch = append(scratch, "\r\n"...)
		}
		scratch = append(scratch, b.data[e.start:e.end]...)
	}
	return scratch[skip:], scratch
}

// Plain appends the frames for a user without chunks.
func (b *Batch) Plain(dst []byte, userID string) []byte {
	for _, e := range b.entries {
		if a, notification := b.personalPart(e, userID); a != nil {
			dst = a.append(dst, notification)
		}
		if e.start < e.end {
			dst = append(dst, b.data[e.content:e.end-2]...) // without the chunk's CR LF
		}
	}
	return dst
}

// Advance returns the cursor, and the bytes written behind it, once n bytes of what Chunked returned are written.
func (b *Batch) Advance(userID string, skip, n int) (cursor uint64, rest int) {
	rest = skip + n
	for i, e := range b.entries {
		size := int(e.end - e.start)
		if a, notification := b.personalPart(e, userID); a != nil {
			size += a.chunkLen(notification)
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
		if a, _ := b.personalPart(e, userID); a != nil {
			return true
		}
	}
	return false
}

func (b *Batch) personalPart(e entry, userID string) (a *audience, notificationID string) {
	if e.audience < 0 {
		return nil, ""
	}
	a = &b.audiences[e.audience]
	i, found := slices.BinarySearchFunc(a.people, userID, func(p event.Recipient, id string) int {
		return strings.Compare(p.UserID, id)
	})
	if !found {
		return nil, ""
	}
	return a, a.people[i].NotificationID
}

func (a *audience) append(dst []byte, notificationID string) []byte {
	dst = append(dst, a.head...)
	dst = append(dst, notificationID...)
	return append(dst, a.tail...)
}

func (a *audience) chunkLen(notificationID string) int {
	n := len(a.head) + len(notificationID) + len(a.tail)
	digits := 0
	for rest := n; rest > 0; rest >>= 4 {
		digits++
	}
	return digits + 2 + n + 2
}
