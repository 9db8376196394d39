package deadletter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"orderbell/internal/audit"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
	"orderbell/internal/feed/message"
)

// Outbox reads the events that the relay has sent (auditstore).
type Outbox interface {
	Sent(ctx context.Context, from, to time.Time, after audit.Sent, limit int) ([]audit.Sent, error)
}

// Feed reads which events Redis has.
type Feed interface {
	Presence(ctx context.Context, events []audit.Key) ([]audit.Presence, error)
	Oldest(ctx context.Context, tenantID string) (message.Position, bool, error)
}

// Repair finds events that the broker has dropped: neither their function nor the topic of dead letters took them.
type Repair struct {
	Outbox Outbox
	Groups []string // the consumer groups of all Triggers
	// Oldest returns when the oldest message was written that a group has not committed, or zero without one.
	Oldest func(ctx context.Context, group string) (time.Time, error)
	Feed   Feed          // nil: it is not checked whether events were published
	Replay time.Duration // how long Feed remembers an event
	Settle time.Duration // the least age of an event that counts as dropped, such as [Settle]
}

// Settle is the minimum age in a cluster. An event that a group has not committed never counts as dropped.
const Settle = 5 * time.Minute

const (
	// recent is the age of the oldest event that a run checks. Once an hour a run checks the whole outbox, for missed events.
	recent = 15 * time.Minute
	// mostDropped is the largest number of dead letters that a run writes.
	mostDropped = 1000
	// repairPage is the number of events per page, about 1 MB.
	repairPage = 1000
	// skew is the largest expected difference between the clocks of PostgreSQL, Kafka, Redis and this machine.
	skew = 5 * time.Second
)

// Dropped is an event that the broker has dropped.
type Dropped struct {
	EventID  string    `json:"event_id"`
	Type     string    `json:"type"`
	TenantID string    `json:"tenant_id"`
	Subject  string    `json:"subject"` // the order
	SentAt   time.Time `json:"sent_at"`
	Reason   string    `json:"reason"`

	letter cloudevent.Event
}

// Repair writes a dead letter for each event that the broker has dropped, and returns these events. An event of the outbox counts as
// dropped if all groups have passed it, and it has neither an effect nor a dead letter. The redrive sends it again after its
// pause, and its function ignores it if it was applied. If a run is interrupted, the next one continues.
func (o *Office) Repair(ctx context.Context, r Repair, dryRun bool) ([]Dropped, error) {
	now := time.Now()
	until, err := r.passed(ctx, now)
	if err != nil {
		return nil, err
	}
	from := until.Add(-recent)
	if now.Minute() == 0 {
		from = time.Time{}
	}
	// Most runs find nothing and need no dead letters.
	if found, err := r.find(ctx, from, until, now, nil, 1); err != nil || len(found) == 0 {
		return nil, err
	}
	// Read the dead letters after the positions of the groups: an event's dead letter is written before its group passes it.
	letters, _, err := o.read(ctx, now.Add(-lookBack), nil)
	if err != nil {
		return nil, err
	}
	dropped, err := r.find(ctx, from, until, now, told(letters, until), mostDropped)
	if err != nil {
		return nil, err
	}
	if dryRun {
		return dropped, nil
	}
	return o.bury(ctx, dropped)
}

// passed returns a time: every event sent before it was delivered, became a dead letter, or was dropped.
func (r *Repair) passed(ctx context.Context, now time.Time) (time.Time, error) {
	if len(r.Groups) == 0 {
		return time.Time{}, errors.New("repair: no consumer groups are named, so it is not known what the broker still has")
	}
	until := now.Add(-r.Settle)
	for _, group := range r.Groups {
		oldest, err := r.Oldest(ctx, group)
		if err != nil {
			return time.Time{}, fmt.Errorf("ask how far group %s is: %w", group, err)
		}
		if !oldest.IsZero() && oldest.Before(until) {
			until = oldest
		}
	}
	return until.Add(-skew), nil
}

// find returns up to most events of the outbox that have neither an effect nor a dead letter.
func (r *Repair) find(ctx context.Context, from, until, now time.Time, told map[string]bool, most int) ([]Dropped, error) {
	var found []Dropped
	for after := (audit.Sent{}); ; {
		page, err := r.Outbox.Sent(ctx, from, until, after, repairPage)
		if err != nil {
			return nil, err
		}
		unpublished, err := r.unpublished(ctx, page, until, now)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			reason := ""
			switch {
			case told[e.ID]:
				continue
			case e.RecordedAt.IsZero():
				reason = "dropped by the broker: there is no record of it"
			case unpublished[e.ID]:
				reason = "dropped by the broker: it has a record, and was not published"
			default:
				continue
			}
			letter, err := deadletter.Dropped(e.Outgoing, reason)
			if err != nil {
				continue // the relay has made it a dead letter
			}
			found = append(found, Dropped{
				EventID: e.ID, Type: string(e.Type), TenantID: e.TenantID, Subject: e.OrderID, SentAt: e.SentAt, Reason: reason, letter: letter,
			})
			if len(found) == most {
				return found, nil
			}
		}
		if len(page) < repairPage {
			return found, nil
		}
		after = page[len(page)-1]
	}
}

// unpublished returns the recorded events of the page that are not in Redis although older ones are.
func (r *Repair) unpublished(ctx context.Context, page []audit.Sent, until, now time.Time) (map[string]bool, error) {
	if r.Feed == nil {
		return nil, nil //nolint:nilnil // none is known
	}
	var recorded []audit.Sent
	var keys []audit.Key
	for _, e := range page {
		if e.RecordedAt.After(now.Add(skew-r.Replay)) && e.RecordedAt.Before(until) {
			recorded, keys = append(recorded, e), append(keys, audit.Key{TenantID: e.TenantID, EventID: e.ID})
		}
	}
	if len(keys) == 0 {
		return nil, nil //nolint:nilnil // none is recent enough
	}
	present, err := r.Feed.Presence(ctx, keys)
	if err != nil {
		return nil, err
	}
	absent, begins := map[string]bool{}, map[string]time.Time{} // by tenant, the time of the stream's first entry
	for i, p := range present {
		if p.Marked {
			continue
		}
		e := recorded[i]
		if _, known := begins[e.TenantID]; !known {
			oldest, ok, err := r.Feed.Oldest(ctx, e.TenantID)
			if err != nil {
				return nil, err
			}
			begins[e.TenantID] = now // a stream without entries: Redis may have lost them, and has nothing older
			if ok {
				begins[e.TenantID] = time.UnixMilli(int64(oldest.Millis)) //nolint:gosec // milliseconds of a clock
			}
		}
		if e.RecordedAt.After(begins[e.TenantID].Add(skew)) {
			absent[e.ID] = true
		}
	}
	return absent, nil
}

// told returns the events that need no repair: their dead letter is open and will be redriven, was closed, or was redriven after
// until, so that the event may be in transit.
func told(letters []Letter, until time.Time) map[string]bool {
	events := map[string]bool{}
	for _, l := range letters {
		if l.SameAs == "" && (l.RedrivenAt == nil || l.RedrivenAt.After(until)) {
			events[l.EventID] = true
		}
	}
	return events
}

// bury writes the dead letters, and returns those that Kafka acknowledged.
func (o *Office) bury(ctx context.Context, dropped []Dropped) ([]Dropped, error) {
	var done []Dropped
	pace := pace{perSecond: o.PerSecond}
	most := batchLetters
	if o.PerSecond > 0 {
		most = min(most, o.PerSecond)
	}
	for len(dropped) > 0 {
		n := min(most, len(dropped))
		if err := pace.wait(ctx, n); err != nil {
			return done, err
		}
		letters := make([]cloudevent.Event, n)
		for i := range letters {
			letters[i] = dropped[i].letter
		}
		var failed error
		for i, err := range o.Bus.Send(ctx, o.Topics.DeadLetters, letters) {
			if err != nil {
				failed = fmt.Errorf("write the dead letter of event %s: %w", dropped[i].EventID, err)
				continue
			}
			done = append(done, dropped[i])
		}
		if failed != nil {
			return done, failed
		}
		dropped = dropped[n:]
	}
	return done, nil
}
