// Package mail is the vocabulary of e-mail: what the store says is due, what the writer makes of it, and what the
// SMTP server said. Store, writer and mailer know these words, not each other.
package mail

import (
	"context"
	"fmt"
	"time"

	"orderbell/internal/event"
)

// Terms are those of a claim.
type Terms struct {
	Lease        time.Duration
	MailsPerHour int64 // of a tenant without a limit of its own
	// MaxInvitations is how many mails a day ask for a confirmation, of a tenant without a limit of its own.
	MaxInvitations int64
}

// Due is one e-mail that was claimed for one attempt. Who claims it holds it until its lease ends; Attempt is the
// fencing token of every mark.
type Due struct {
	ID        string // UUID
	Attempt   int    // 1 at the first
	Held      int    // how many attempts before this one were [Held]
	MessageID string // RFC 5322, without brackets, the same at every attempt

	// OptedOut says that the user gets no such mail any more: the role, the wishes or the address changed after the event.
	// The claim has marked the row suppressed: there is nothing to send or to mark.
	OptedOut bool
	// Deferred says that it is the user's quiet hours, or that the address has had the day's mail that asks for its
	// confirmation: the claim has put the row off. There is nothing to send or to mark, and no attempt was used.
	Deferred bool
	// Abandoned says that the attempt before was never marked: its process died or its mark was lost, after or
	// before the server took the mail.
	Abandoned bool

	Source  string // of the event
	EventID string
	Type    event.Type // or user.AddressConfirmation: the mail asks for the confirmation of Email, and there is no order
	Data    event.Data

	TenantID   string
	TenantName string
	Locale     string // BCP 47, the tenant's
	UserID     string
	Email      string    // the user's
	Name       string    // may be empty
	TimeZone   string    // IANA, the user's
	LinkEnds   time.Time // of a mail that asks for a confirmation
}

// Mail is one rendered e-mail to one user.
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
	// Open makes sure that there is a connection. Nothing is sent, so a failure, a *[SendError], costs no attempt.
	Open(ctx context.Context) error
	// Send returns nil once the server has taken m, else a *[SendError]. The end of ctx stops it until the message is
	// complete, and not after that.
	Send(ctx context.Context, m Mail) error
	Close()
}

// Fate is what is known of a mail that the server did not confirm.
type Fate string

// The fates.
const (
	Refused  Fate = "refused"  // for good: the recipient is at fault, or the mail cannot be sent at all
	Deferred Fate = "deferred" // for now, because of the recipient: a limited number of attempts follows
	Held     Fate = "held"     // the fault is ours or the server's: the mail waits until an operator has repaired it
	Unknown  Fate = "unknown"  // the connection broke after the message and before the answer: it may have been taken
)

// SendError is a mail that the server did not confirm.
type SendError struct {
	Fate      Fate
	Code      int  // the server's reply, 0 if there was none
	Sender    bool // of [Held]: the server rejects all our mail, whatever the recipient
	NoMailbox bool // of [Refused]: the address does not exist
	Err       error
}

func (e *SendError) Error() string { return fmt.Sprintf("mail %s: %v", e.Fate, e.Err) }

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
	Held       bool          // the attempt's fate is [Held]
	NoMailbox  bool          // nothing shall be sent to the address any more
	RetryAfter time.Duration // for StatusDue
}
