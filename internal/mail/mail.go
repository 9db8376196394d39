// Package mail defines the types that the store of mails, the writer and the SMTP client share.
package mail

import (
	"context"
	"fmt"
	"time"

	"orderbell/internal/event"
	"orderbell/internal/tracing"
)

// Terms are the limits of a claim.
type Terms struct {
	Lease        time.Duration
	MailsPerHour int64 // of a tenant without a limit of its own
	// MaxInvitations is how many mails a day ask for a confirmation, of a tenant without a limit of its own.
	MaxInvitations int64
}

// Due is one mail that was claimed for one attempt. The claimant holds it until its lease ends. Attempt is the fencing
// token of every mark.
type Due struct {
	ID        string // UUID
	Attempt   int    // 1 at the first
	Held      int    // how many attempts before this one were [Held]
	MessageID string // RFC 5322, without brackets; the same for every attempt

	// OptedOut says that the user no longer gets such mails: the roles, preferences or address changed after the event.
	// The claim has marked the row suppressed; there is nothing to send or to mark.
	OptedOut bool
	// Deferred says that the claim has postponed the mail, because of the user's quiet hours or the daily limit of
	// confirmation mails. There is nothing to send or to mark, and no attempt was used.
	Deferred bool
	// Abandoned says that the previous attempt was never marked: its process died or its mark was lost, and the server
	// may have accepted the mail.
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

	Trace tracing.Parent // of the event's delivery to its function
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

// Line is one reserved connection to the SMTP server. It is used by one goroutine and must be closed.
type Line interface {
	// Open makes sure that there is a connection. Nothing is sent, so a failure, a *[SendError], costs no attempt.
	Open(ctx context.Context) error
	// Send returns nil once the server has accepted m, otherwise a *[SendError]. The end of ctx cancels it only until
	// the message is complete.
	Send(ctx context.Context, m Mail) error
	Close()
}

// Fate is the result of an attempt that the server did not confirm.
type Fate string

// The fates.
const (
	Refused  Fate = "refused"  // final: the recipient is at fault, or the mail cannot be sent at all
	Deferred Fate = "deferred" // temporary, because of the recipient: a limited number of attempts follows
	Held     Fate = "held"     // the sender or the server is at fault: the mail waits until an operator has repaired it
	Unknown  Fate = "unknown"  // the connection broke between the message and the answer: the server may have accepted the mail
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

// Status is the state of a delivery, as in email_deliveries.status.
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
	Reason     string        // reason of failed or suppressed, or the error of an attempt that will be repeated
	Ambiguous  bool          // the attempt's fate is [Unknown]
	Held       bool          // the attempt's fate is [Held]
	NoMailbox  bool          // nothing may be sent to the address any more
	RetryAfter time.Duration // for StatusDue
}
