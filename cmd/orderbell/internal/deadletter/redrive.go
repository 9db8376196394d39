package deadletter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"orderbell/internal/backoff"
	"orderbell/internal/bus/record"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
)

// Choice selects the dead letters to redrive.
type Choice struct {
	IDs    []string // places, or events: of these, the letters that are open
	Filter          // where IDs is empty
	Auto   bool     // of those only letters that failed for a temporary reason, and whose pause is over
}

// Result is the effect of a redrive or, in a dry run, the expected effect.
type Result struct {
	DryRun   bool      `json:"dry_run"`
	Redriven []Letter  `json:"redriven"`
	Refused  []Letter  `json:"refused"`            // each with its obstacle
	Repaired []Dropped `json:"repaired,omitempty"` // of [Office.Repair]
}

// Redrive sends the letters' events to the topic of events again. Letters of one event with the same content are one
// event, and sent once. A result that is returned with an error says what was done before it. The next redrive
// continues from there.
func (o *Office) Redrive(ctx context.Context, c Choice, dryRun bool) (Result, error) {
	result := Result{DryRun: dryRun, Redriven: []Letter{}, Refused: []Letter{}}
	since := c.Since
	if c.Auto {
		since = time.Now().Add(-lookBack) // how often an event has failed counts too
	}
	letters, spans, err := o.read(ctx, since, nil)
	if err != nil {
		return result, err
	}
	chosen, err := choose(letters, c)
	if err != nil {
		return result, err
	}
	willing := map[place]Letter{}
	for _, l := range chosen {
		if err := o.checkSource(ctx, &l); err != nil {
			return result, err
		}
		switch {
		case l.Obstacle != "":
			result.Refused = append(result.Refused, l)
		case dryRun:
			result.Redriven = append(result.Redriven, l)
		default:
			willing[l.place] = l
		}
	}
	if len(willing) == 0 {
		return result, nil
	}
	result.Redriven, err = o.send(ctx, spans, willing)
	return result, err
}

// checkSource sets the obstacle of a dead letter whose source is not allowed for its tenant: its function would refuse
// it again.
func (o *Office) checkSource(ctx context.Context, l *Letter) error {
	if l.Obstacle != "" || l.Source == event.Source {
		return nil
	}
	allowed, err := o.Sources.SourceAllowed(ctx, l.Source, l.TenantID)
	if err == nil && !allowed {
		l.Obstacle = event.ForeignSource(l.Source, l.TenantID).Error()
	}
	return err
}

// choose returns the dead letters of c, each once. An id without a dead letter is an error.
func choose(letters []Letter, c Choice) ([]Letter, error) {
	if len(c.IDs) == 0 {
		c.Open = true
		var chosen []Letter
		for _, l := range letters {
			if c.match(&l) {
				chosen = append(chosen, l)
			}
		}
		if c.Auto {
			chosen = due(letters, chosen, time.Now())
		}
		return chosen, nil
	}
	var chosen []Letter
	taken := map[place]bool{}
	for _, id := range c.IDs {
		var closed *Letter
		named := false
		for _, l := range letters {
			if !l.is(id) {
				continue
			}
			if l.ID != id && !l.open() && l.RedrivenAt != nil {
				closed = &l
				continue
			}
			named = true
			if !taken[l.place] {
				taken[l.place] = true
				chosen = append(chosen, l)
			}
		}
		switch {
		case named:
		case closed != nil:
			return nil, fmt.Errorf("event %s was redriven at %s: give the id of its dead letter, %s, to send it again",
				id, closed.RedrivenAt.Format(time.RFC3339), closed.ID)
		default:
			return nil, fmt.Errorf("there is no dead letter %s: orderbell deadletter list shows the ids", id)
		}
	}
	return chosen, nil
}

// Bounds of a batch. A dead letter has up to half a MiB.
const (
	batchLetters = 500
	batchBytes   = 4 << 20
)

// batch is letters on their way.
type batch struct {
	letters []Letter
	keys    [][]byte
	events  []cloudevent.Event
	bytes   int
}

// send reads the letters without obstacles again and sends them in batches. It returns those whose notes are written.
func (o *Office) send(ctx context.Context, spans []record.Span, willing map[place]Letter) ([]Letter, error) {
	done := []Letter{}
	sent := map[[32]byte]bool{}
	step, end := o.Progress.Begin("redriving", int64(len(willing)))
	defer end()
	pace := pace{perSecond: o.PerSecond}
	most := batchLetters
	if o.PerSecond > 0 {
		most = min(most, o.PerSecond)
	}
	var b batch
	flush := func() error {
		if err := pace.wait(ctx, len(b.letters)); err != nil {
			return err
		}
		some, err := o.flush(ctx, &b, sent)
		done = append(done, some...)
		step(int64(len(b.letters)))
		b = batch{}
		return err
	}
	err := o.Reader.Read(ctx, o.Topics.DeadLetters, narrow(spans, willing), func(r record.Record) error {
		l, ok := willing[place{r.Partition, r.Offset}]
		if !ok {
			return nil
		}
		b.letters, b.keys = append(b.letters, l), append(b.keys, r.Key)
		b.events = append(b.events, deadletter.Redrive(r.Event))
		b.bytes += len(r.Value)
		if len(b.letters) < most && b.bytes < batchBytes {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	return done, err
}

// pace holds a sender to a rate.
type pace struct {
	perSecond int       // 0: no limit
	free      time.Time // when the rate allows the next one
}

// wait returns when n more may be sent, or ctx has ended.
func (p *pace) wait(ctx context.Context, n int) error {
	if p.perSecond <= 0 {
		return nil
	}
	if !backoff.Sleep(ctx, time.Until(p.free)) {
		return context.Cause(ctx)
	}
	p.free = time.Now().Add(time.Duration(n) * time.Second / time.Duration(p.perSecond))
	return nil
}

// narrow removes from spans what is before the first and after the last letter.
func narrow(spans []record.Span, letters map[place]Letter) []record.Span {
	var narrowed []record.Span
	for _, s := range spans {
		part := record.Span{Partition: s.Partition, From: s.To, To: s.From}
		for at := range letters {
			if at.partition == s.Partition {
				part.From, part.To = min(part.From, at.offset), max(part.To, at.offset+1)
			}
		}
		if part.From < part.To {
			narrowed = append(narrowed, part)
		}
	}
	return narrowed
}

// flush sends a batch: first the events, then the notes of those that Kafka acknowledged. The reverse order could lose
// an event.
func (o *Office) flush(ctx context.Context, b *batch, sent map[[32]byte]bool) ([]Letter, error) {
	var events []cloudevent.Event
	var of []int // by event, the letter
	for i, l := range b.letters {
		if !sent[l.content] {
			sent[l.content] = true
			events, of = append(events, b.events[i]), append(of, i)
		}
	}
	if len(b.letters) == 0 {
		return nil, nil
	}
	var failed error
	lost := map[[32]byte]bool{}
	for n, err := range o.Bus.Send(ctx, o.Topics.Events, events) {
		if err != nil {
			l := b.letters[of[n]]
			lost[l.content] = true
			failed = errors.Join(failed, fmt.Errorf("redrive event %s of letter %s: %w", l.EventID, l.ID, err))
		}
	}
	var noted []Letter
	var notes []cloudevent.Event
	now := time.Now().UTC()
	for i, l := range b.letters {
		if lost[l.content] {
			continue
		}
		note, err := deadletter.Redriven{Partition: l.place.partition, Offset: l.place.offset, EventID: l.EventID, At: now}.
			CloudEvent(uuid.Must(uuid.NewV7()).String(), b.keys[i])
		if err != nil {
			return nil, err
		}
		l.RedrivenAt = &now
		noted, notes = append(noted, l), append(notes, note)
	}
	var done []Letter
	for n, err := range o.Bus.Send(ctx, o.Topics.DeadLetters, notes) {
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("note that letter %s was redriven: %w", noted[n].ID, err))
			continue
		}
		done = append(done, noted[n])
	}
	return done, failed
}
