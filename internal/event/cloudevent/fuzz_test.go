package cloudevent_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/feed/message"
	"orderbell/internal/user"
)

// FuzzParse reads any event: it is refused with a reason that names the fault, or is passed on unchanged to the topic and to
// the feed.
func FuzzParse(f *testing.F) {
	const examples = "../../../specs/004-order-notifications/contracts/examples/events"
	seeds := 0
	for _, pattern := range []string{"*.json", "invalid/*.json"} {
		files, err := filepath.Glob(filepath.Join(examples, pattern))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(raw)
			seeds++
		}
	}
	if seeds < 10 {
		f.Fatalf("%d examples in %s", seeds, examples)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var ce cloudevent.Event
		if json.Unmarshal(raw, &ce) != nil {
			return // no event at all: the SDK says so
		}
		e, err := cloudevent.Parse(ce)
		var refused *event.InvalidError
		switch {
		case errors.As(err, &refused):
			if refused.Reason == "" || len(err.Error()) > 1<<10 {
				t.Errorf("refused with %q", err)
			}
			return
		case err != nil:
			t.Fatalf("an error that is not an *InvalidError: %v", err)
		}
		if !user.IsTenantID(e.Data.TenantID) || !e.Type.Valid() || e.Data.Version < 1 {
			t.Errorf("taken: %+v", e)
		}
		onwards, err := cloudevent.New(e)
		if err != nil {
			t.Fatalf("an accepted event does not encode: %v", err)
		}
		again, err := cloudevent.Parse(onwards)
		if err != nil {
			t.Fatalf("an accepted event is refused later: %v", err)
		}
		if diff := cmp.Diff(e, again); diff != "" {
			t.Errorf("it has changed (-first +second):\n%s", diff)
		}
		m, err := message.New(e, nil)
		if err != nil || !m.Valid() {
			t.Errorf("the feed's message %+v is not valid: %v", m, err)
		}
		if data, err := event.ParseData(m.Data); err != nil || data != e.Data {
			t.Errorf("the message's data %s is not the event's %+v: %v", m.Data, e.Data, err)
		}
	})
}
