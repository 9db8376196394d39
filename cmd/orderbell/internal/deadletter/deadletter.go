// Package deadletter lists dead letters, shows one, and sends their events to the functions again.
//
// A dead letter stays in its topic as long as the topic keeps it. Redriving sends the original event, byte for byte, to the
// topic of events, and then appends a note to the topic of dead letters. After a crash between the two the dead letter is
// still open: the next redrive sends the event again, and the function drops the duplicate.
package deadletter

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"orderbell/cmd/orderbell/internal/progress"
	"orderbell/internal/bus/record"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
)

// Topics are the names of the topics.
type Topics struct{ Events, DeadLetters string }

// Reader reads the current content of a topic.
type Reader interface {
	Spans(ctx context.Context, topic string, since time.Time) ([]record.Span, error)
	Read(ctx context.Context, topic string, spans []record.Span, each func(record.Record) error) error
}

// Bus sends events.
type Bus interface {
	Send(ctx context.Context, topic string, events []cloudevent.Event) []error
}

// Sources reports whether a source may send events for a tenant.
type Sources interface {
	SourceAllowed(ctx context.Context, source, tenantID string) (bool, error)
}

// Office lists, shows, redrives and closes dead letters.
type Office struct {
	Topics    Topics
	Reader    Reader
	Bus       Bus     // for [Office.Redrive] alone
	Sources   Sources // for [Office.Redrive] alone
	Progress  progress.Shower
	PerSecond int // letters redriven in a second at most; 0: no limit
}

// Letter is an entry in the list of dead letters, without the event itself.
type Letter struct {
	ID         string     `json:"id"` // its place: partition-offset
	EventID    string     `json:"event_id"`
	Source     string     `json:"source"`
	Type       string     `json:"type"`
	TenantID   string     `json:"tenant_id,omitempty"`
	Subject    string     `json:"subject,omitempty"` // the order
	BuriedAt   time.Time  `json:"buried_at"`
	Reason     string     `json:"reason"`
	Status     string     `json:"status,omitempty"` // the subscriber's answer; "" if it did not answer
	Subscriber string     `json:"subscriber,omitempty"`
	Obstacle   string     `json:"obstacle,omitempty"` // why it can't be redriven
	RedrivenAt *time.Time `json:"redriven_at,omitempty"`
	ClosedAt   *time.Time `json:"closed_at,omitempty"` // it will not be redriven
	ClosedBy   string     `json:"closed_by,omitempty"`
	ClosedFor  string     `json:"closed_reason,omitempty"`
	Record     string     `json:"record,omitempty"`       // the record of the topic of events that was delivered: partition-offset
	SameAs     string     `json:"duplicate_of,omitempty"` // an earlier letter of the same record and subscriber

	place    place
	delivery deadletter.Delivery // where Record is set
	content  [sha256.Size]byte   // letters with the same key are of one event that failed several times
}

type place struct {
	partition int32
	offset    int64
}

func (p place) String() string {
	return strconv.FormatInt(int64(p.partition), 10) + "-" + strconv.FormatInt(p.offset, 10)
}

// Filter selects dead letters. The zero Filter selects all.
type Filter struct {
	TenantID string
	Reason   string    // part of it, in any case
	Since    time.Time // written then or later
	Open     bool      // neither redriven nor closed, and no duplicate of another letter
}

func (f Filter) match(l *Letter) bool {
	return (f.TenantID == "" || f.TenantID == l.TenantID) &&
		strings.Contains(strings.ToLower(l.Reason), strings.ToLower(f.Reason)) &&
		!l.BuriedAt.Before(f.Since) && (!f.Open || l.open())
}

// open reports whether l still needs an action.
func (l *Letter) open() bool { return l.RedrivenAt == nil && l.ClosedAt == nil && l.SameAs == "" }

// List returns the letters, oldest first.
func (o *Office) List(ctx context.Context, f Filter) ([]Letter, error) {
	letters, _, err := o.read(ctx, f.Since, nil)
	return slices.DeleteFunc(letters, func(l Letter) bool { return !f.match(&l) }), err
}

// read returns all dead letters written since then, the oldest first, and their spans in the topic. If look is not nil,
// it is called with each letter and its record, and decides whether the letter is kept.
func (o *Office) read(ctx context.Context, since time.Time, look func(*Letter, record.Record)) ([]Letter, []record.Span, error) {
	spans, err := o.Reader.Spans(ctx, o.Topics.DeadLetters, since)
	if err != nil {
		return nil, nil, err
	}
	var letters []Letter
	redriven, closed := map[place]deadletter.Redriven{}, map[place]deadletter.Closed{}
	step, end := o.Progress.Begin("reading dead letters", length(spans))
	defer end()
	err = o.Reader.Read(ctx, o.Topics.DeadLetters, spans, func(r record.Record) error {
		step(1)
		if note, ok := deadletter.ParseRedriven(r.Event); ok {
			redriven[place{note.Partition, note.Offset}] = note
			return nil
		}
		if note, ok := deadletter.ParseClosed(r.Event); ok {
			closed[place{note.Partition, note.Offset}] = note
			return nil
		}
		l := newLetter(r)
		letters = append(letters, l)
		if look != nil {
			look(&l, r)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	for i := range letters {
		// A recreated topic counts from 0 again: a note belongs to this dead letter only if it names its event too.
		if note, ok := redriven[letters[i].place]; ok && note.EventID == letters[i].EventID {
			letters[i].RedrivenAt = &note.At
		}
		if note, ok := closed[letters[i].place]; ok && note.EventID == letters[i].EventID {
			letters[i].ClosedAt, letters[i].ClosedBy, letters[i].ClosedFor = &note.At, note.By, note.Reason
		}
	}
	slices.SortStableFunc(letters, func(a, b Letter) int { return a.BuriedAt.Compare(b.BuriedAt) })
	markDuplicates(letters)
	return letters, spans, nil
}

// markDuplicates finds letters of one record and one subscriber: a dispatcher that is restarted delivers its last seconds
// again, and so refuses them again.
func markDuplicates(letters []Letter) {
	first := map[deadletter.Delivery]string{}
	for i := range letters {
		l := &letters[i]
		if l.Record == "" {
			continue
		}
		if id, again := first[l.delivery]; again {
			l.SameAs = id
			continue
		}
		first[l.delivery] = l.ID
	}
}

func length(spans []record.Span) (n int64) {
	for _, s := range spans {
		n += s.To - s.From
	}
	return n
}

func newLetter(r record.Record) Letter {
	at := place{r.Partition, r.Offset}
	l := Letter{ID: at.String(), BuriedAt: r.Time.UTC(), place: at}
	if r.Err != nil { // neither broker nor relay writes such a record
		l.Reason, l.Obstacle = r.Err.Error(), "it is not a CloudEvent"
		return l
	}
	e := r.Event
	l.EventID, l.Source, l.Type, l.Subject = e.ID(), e.Source(), e.Type(), e.Subject()
	l.TenantID, l.Status, l.Subscriber = text(e, cloudevent.ExtTenantID), text(e, deadletter.ExtErrorCode), text(e, deadletter.ExtErrorDest)
	if d, ok := deadletter.DeliveryOf(e); ok {
		l.delivery, l.Record = d, d.Partition+"-"+d.Offset
	}
	l.Reason = cmp.Or(deadletter.Reason(e), unspoken(l))
	l.content = sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %s %s", e.Source(), e.ID(), e.Type(), e.Subject(), e.Time(), e.Data()))
	// An event that violates the contract would become a dead letter again, or reach no trigger.
	if _, err := cloudevent.Parse(deadletter.Redrive(e)); err != nil {
		l.Obstacle = err.Error()
	}
	return l
}

func text(e cloudevent.Event, extension string) string {
	s, _ := e.Extensions()[extension].(string)
	return s
}

// unspoken is shown for a dead letter without a reason.
func unspoken(l Letter) string {
	if l.Status == "" {
		return "the subscriber did not answer"
	}
	return "the subscriber answered " + l.Status
}
