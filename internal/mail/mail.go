// Package mail is the vocabulary of e-mail: what the store says is due, what the writer makes of it, and what the
// SMTP server said. Store, writer and mailer know these words, not each other.
package mail

import (
	"context"
	"fmt"
	"time"

	"orderbell/internal/event"
)

// Due is one e-mail that was claimed for one attempt. Who claims it holds it until its lease ends; Attempt is the
// fencing token of every mark.
type Due struct {
	ID        string // UUID
	Attempt   int    // 1 at the first
	MessageID string // RFC 5322, without brackets, the same at every attempt

	// OptedOut says that the person switched e-mail off after the event. The claim has marked the row suppressed:
	// there is nothing to send or to mark.
	OptedOut bool
	// Deferred says that it is the person's quiet hours: the claim has put the row off to their end. There is nothing to
	// send or to mark, and no attempt was used.
	Deferred bool
	// Abandoned says that the attempt before was never marked: its process died or its mark was lost, after or
	// before the server took the mail.
	Abandoned bool

	Source  string // of the event
	EventID string
	Type    event.Type
	Data    event.Data

	TenantName string
	Locale     string // BCP 47, the tenant's
	UserID     string
	Email      string // the person's
	Name       string // may be empty
	TimeZone   string // IANA, the person's
}

// Letter is one rendered e-mail to one person.
type Mail struct {
	MessageID   string // without brackets
	To          string // a bare address
	ToName      string
	Subject     string
	Text        string
	HTML        string
	Unsubscribe string // URL that takes RFC 8058's one-click POST; empty: the mail offers none
}

// Line is one reserved place at the SMTP server. It is used by one goroutine and must be closed.
type Line interface {
	// Open makes sure that the server is there. Nothing is sent, so a failure costs no attempt.
	Open(ctx context.Context) error
	// Send returns nil once the server has taken l, else a *[SendError].
	Send(ctx context.Context, l Mail) error
	Close()
}

// Fate is what is known of a letter that the server did not confirm.
type Fate string

// The fates.
const (
	Refused  Fate = "refused"  // for good: the server said 5xx to it, or it cannot be sent at all
	Deferred Fate = "deferred" // for now: 4xx, or the line broke before the message was complete
	Unknown  Fate = "unknown"  // the line broke after the message and before the answer: it may have been taken
)

// SendError is a letter that the server did not confirm.
type SendError struct {
	Fate Fate
	Code int // the server's reply, 0 if there was none
	Err  error
}

func (e *SendError) Error() string { return fmt.Sprintf("letter %s: %v", e.Fate, e.Err) }

func (e *SendError) Unwrap() error { return e.Err }

// Status is where a delivery stands, as in email_deliveries.status.
type Status string

// The states of a delivery.
const (
	StatusDue        Status = "due"
	StatusSent       Status = "sent"
	StatusFailed     Status = "failed"
	StatusSuppressed Status = "suppressed"
)

// Mark ends an attempt.
type Mark struct {
	Status     Status
	Reason     string        // why failed or suppressed, or the temporary error of an attempt that is due again
	Ambiguous  bool          // the attempt's fate is [Unknown]
	RetryAfter time.Duration // for StatusDue
}
