package tenantlog

import (
	"slices"
	"sort"
	"strings"
	"unsafe"

	"orderbell/internal/event"
)

// audience has the users with a notification frame of an entry. The frame is stored as two halves around the
// notification's id.
type audience struct {
	id         string // the event's id
	head, tail []byte
	users      []event.Recipient // by user id; the value is the notification's id in JSON
}

// address sets the users.
func (a *audience) address(to []event.Recipient) {
	a.users = slices.Clone(to)
	slices.SortStableFunc(a.users, func(p, q event.Recipient) int { return strings.Compare(p.UserID, q.UserID) })
	for i, p := range a.users {
		quoted := quote(p.NotificationID)
		a.users[i].NotificationID = quoted[1 : len(quoted)-1]
	}
}

// size is the number of bytes of the audience in a segment.
func (a *audience) size() int {
	n := int(unsafe.Sizeof(place{})) + len(a.id) + len(a.head) + len(a.tail)
	for _, u := range a.users {
		n += int(unsafe.Sizeof(seat{})) + len(u.UserID) + len(u.NotificationID)
	}
	return n
}

// audiences has the audiences of a segment. All text is in one slice without pointers, so its size is exactly known and the
// garbage collector does not scan it.
type audiences struct {
	places []place
	seats  []seat
	text   []byte
}

// place locates an audience: its event's id, the halves of its frame, and its users.
type place struct {
	id, head, tail, end uint32 // in text
	users, usersEnd     uint32 // in seats
}

// seat locates the ids of a user and of the user's notification in text.
type seat struct{ user, notification, end uint32 }

// personal is the notification frame of one user.
type personal struct{ head, notification, tail []byte }

func (s *audiences) held() int {
	return cap(s.places)*int(unsafe.Sizeof(place{})) + cap(s.seats)*int(unsafe.Sizeof(seat{})) + cap(s.text)
}

func (s *audiences) seal() { s.places, s.seats, s.text = fit(s.places), fit(s.seats), fit(s.text) }

// add returns the index of the audience.
func (s *audiences) add(a *audience) int32 {
	s.text, s.seats = slices.Grow(s.text, a.size()), slices.Grow(s.seats, len(a.users))
	var p place
	p.id = s.write(a.id)
	p.head = s.write(string(a.head))
	p.tail = s.write(string(a.tail))
	p.end = s.write("")
	p.users = uint32(len(s.seats)) //nolint:gosec // a segment is far below 4 GiB
	for _, u := range a.users {
		s.seats = append(s.seats, seat{user: s.write(u.UserID), notification: s.write(u.NotificationID), end: s.write("")})
	}
	p.usersEnd = uint32(len(s.seats)) //nolint:gosec // as above
	s.places = append(s.places, p)
	return int32(len(s.places) - 1) //nolint:gosec // as above
}

// write returns where it has written.
func (s *audiences) write(text string) uint32 {
	at := uint32(len(s.text)) //nolint:gosec // a segment is far below 4 GiB
	s.text = append(s.text, text...)
	return at
}

// id returns the id of an audience's event.
func (s *audiences) id(i int32) []byte {
	p := &s.places[i]
	return s.text[p.id:p.head]
}

// find returns a user's notification frame.
func (s *audiences) find(i int32, userID string) (personal, bool) {
	p := &s.places[i]
	users := s.seats[p.users:p.usersEnd]
	at := sort.Search(len(users), func(i int) bool { return string(s.text[users[i].user:users[i].notification]) >= userID })
	if at == len(users) || string(s.text[users[at].user:users[at].notification]) != userID {
		return personal{}, false
	}
	return personal{s.text[p.head:p.tail], s.text[users[at].notification:users[at].end], s.text[p.tail:p.end]}, true
}

func (p personal) len() int { return len(p.head) + len(p.notification) + len(p.tail) }

func (p personal) append(dst []byte) []byte {
	dst = append(dst, p.head...)
	dst = append(dst, p.notification...)
	return append(dst, p.tail...)
}

func (p personal) chunkLen() int {
	digits := 0
	for rest := p.len(); rest > 0; rest >>= 4 {
		digits++
	}
	return digits + 2 + p.len() + 2
}
