package deadletter_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/cmd/orderbell/internal/deadletter"
)

func TestADroppedEventIsDelivered(t *testing.T) {
	t.Parallel()
	nothing, once := [3]int{}, [3]int{1, 1, 1}
	s := openShop(t)
	fine := s.sell()
	s.down.Store(true)
	waiting := s.sell() // its dead letter is taken
	s.noLetters.Store(true)
	first, second := s.sell(), s.sell()
	s.down.Store(false)
	s.mute.Store(true)
	unpublished := s.sell()
	s.mute.Store(false)
	s.noLetters.Store(false)
	for id, want := range map[string][3]int{fine: once, waiting: nothing, first: nothing, second: nothing, unpublished: {1, 1, 0}} {
		if got := s.trail(id); got != want {
			t.Fatalf("at first event %s has %v, want %v", id, got, want)
		}
	}
	if got := s.mend(); len(got) > 0 {
		t.Errorf("new events count as dropped: %v", got)
	}
	s.age()
	if dropped, err := s.Repair(s.ctx, s.repair, true); err != nil || len(dropped) != 3 || len(s.list(t, deadletter.Filter{})) != 1 {
		t.Errorf("a dry run: %v, %v, %d letters", dropped, err, len(s.list(t, deadletter.Filter{})))
	}

	// It is interrupted, and the next one continues.
	s.lettersLeft.Store(1)
	if dropped, err := s.Repair(s.ctx, s.repair, false); !errors.Is(err, errMood) || len(dropped) != 1 {
		t.Errorf("a repair that was cut short: %v, %v", dropped, err)
	}
	s.lettersLeft.Store(-1)
	if got := s.mend(); len(got) != 2 {
		t.Errorf("the next repair found %v", got)
	}
	if got := s.mend(); len(got) != 0 {
		t.Errorf("one more repair found %v", got)
	}
	var letters []string
	for _, l := range s.list(t, deadletter.Filter{Open: true}) {
		letters = append(letters, l.EventID)
		if dropped := l.EventID != waiting; dropped != strings.HasPrefix(l.Reason, "dropped by the broker: ") || l.Obstacle != "" {
			t.Errorf("letter %+v", l)
		}
	}
	want := []string{waiting, first, second, unpublished}
	slices.Sort(want)
	slices.Sort(letters)
	if diff := cmp.Diff(want, letters); diff != "" {
		t.Error(diff)
	}

	// Nothing else is done: the redrive sends them when their pause is over.
	s.await("the events to arrive", func() error {
		if _, err := s.Redrive(s.ctx, deadletter.Choice{Auto: true}, false); err != nil {
			return err
		}
		for _, id := range []string{waiting, first, second, unpublished, fine} {
			if got := s.trail(id); got != once {
				return fmt.Errorf("event %s has %v", id, got)
			}
		}
		return s.brokerIsDone()
	})
	if open := s.list(t, deadletter.Filter{Open: true}); len(open) > 0 {
		t.Errorf("letters are open: %+v", open)
	}
	if got := s.mend(); len(got) != 0 {
		t.Errorf("at last a repair found %v", got)
	}
}

func TestARepairWaitsForTheBroker(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.down.Store(true)
	s.noLetters.Store(true)
	id := s.sell()
	s.age()
	r := s.repair
	r.Oldest = func(context.Context, string) (time.Time, error) { return time.Now().Add(-time.Hour), nil }
	if dropped, err := s.Repair(s.ctx, r, false); err != nil || len(dropped) > 0 {
		t.Errorf("while a group has older messages to read: %v, %v", dropped, err)
	}
	r.Oldest = func(context.Context, string) (time.Time, error) { return time.Time{}, errMood }
	if dropped, err := s.Repair(s.ctx, r, false); !errors.Is(err, errMood) || len(dropped) > 0 {
		t.Errorf("while the groups cannot be asked: %v, %v", dropped, err)
	}
	r.Groups = nil
	if dropped, err := s.Repair(s.ctx, r, false); err == nil || len(dropped) > 0 {
		t.Errorf("without groups: %v, %v", dropped, err)
	}
	s.noLetters.Store(false)
	if diff := cmp.Diff([]string{id}, s.mend()); diff != "" {
		t.Error(diff)
	}
	// An event that was redriven a moment ago is under way; a letter that an operator closed stays closed.
	s.redrive(t, deadletter.Choice{})
	s.noLetters.Store(true)
	s.await("the broker to drop it again", s.brokerIsDone)
	s.noLetters.Store(false)
	if got := s.mend(); len(got) > 0 {
		t.Errorf("a moment after the redrive it found %v", got)
	}
	letters := s.list(t, deadletter.Filter{})
	if deadletter.Told(letters, time.Now().Add(time.Hour))[id] {
		t.Error("an event that was redriven an hour ago, and dropped again, is not repaired")
	}
	at := time.Now()
	letters[0].ClosedAt, letters[0].RedrivenAt = &at, nil
	if !deadletter.Told(letters, time.Now().Add(time.Hour))[id] {
		t.Error("an event is repaired whose letter an operator has closed")
	}
}
