package message_test

import (
	"encoding/json"
	"strings"
	"testing"

	"orderbell/internal/event"
	"orderbell/internal/feed/message"
)

func TestNew(t *testing.T) {
	t.Parallel()
	m, err := message.New(event.Event{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(got), `"recipients":[]`) {
		t.Errorf("no recipients are %s, want an empty array", got)
	}
}
