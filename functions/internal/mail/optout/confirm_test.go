package optout_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"orderbell/functions/internal/mail/optout"
)

func TestConfirmationLinks(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	l := open(t, config())
	link, err := l.ConfirmURL("demo", userID, "Ana@Demo.example", now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	confirm, ok := strings.CutPrefix(link, "https://orders.example.com"+optout.ConfirmPath)
	if !ok {
		t.Fatalf("the link is %s", link)
	}
	c, err := l.ReadConfirmation(confirm, now)
	if err != nil || c.TenantID != "demo" || c.UserID != userID || !c.Expires.Equal(now.Add(time.Hour)) {
		t.Errorf("read %+v, %v", c, err)
	}
	if !c.IsAddress("ana@demo.example") || c.IsAddress("ana@demo.example.com") || c.IsAddress("") {
		t.Error("the link is for another address than it was made for")
	}
	if _, err := l.ReadConfirmation(confirm, now.Add(time.Hour)); !errors.Is(err, optout.ErrExpired) {
		t.Errorf("an hour later: %v", err)
	}
	for at := range confirm {
		other := []byte(confirm)
		if other[at]++; at == len(confirm)-1 {
			other[at] = '!'
		}
		if _, err := l.ReadConfirmation(string(other), now); !errors.Is(err, optout.ErrForged) {
			t.Fatalf("with another character at %d: %v", at, err)
		}
	}
	if _, err := l.Read(confirm, now); !errors.Is(err, optout.ErrForged) {
		t.Errorf("as a link to unsubscribe: %v", err)
	}
	if _, err := l.ReadConfirmation(token(t, l, now), now); !errors.Is(err, optout.ErrForged) {
		t.Errorf("a link to unsubscribe confirms an address: %v", err)
	}
	if _, err := l.ConfirmURL("demo", "me", "a@b.example", now); err == nil || l.Host() != "orders.example.com" {
		t.Errorf("a user without an id has a link, or the host is %s", l.Host())
	}
}
