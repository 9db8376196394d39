package mail

import "time"

// The types of this file are for operators, who list, show and retry mails.

// Filter selects mails. The zero Filter selects all.
type Filter struct {
	IDs      []string // ids of mails or of their events; nil: any
	Statuses []Status // one of them; nil: any
	TenantID string
	Email    string    // the user's address now; case does not matter
	Reason   string    // contained in the reason; case does not matter
	Since    time.Time // created since then
}

// Entry is a mail as shown to an operator.
type Entry struct {
	ID          string    `json:"id"`
	TenantID    string    `json:"tenant_id"`
	UserID      string    `json:"user_id"`
	Email       string    `json:"email"` // the user's address now
	EventID     string    `json:"event_id"`
	EventType   string    `json:"event_type"`
	OrderID     string    `json:"order_id,omitempty"` // "" of a mail that asks to confirm an address
	MessageID   string    `json:"message_id"`
	Status      Status    `json:"status"`
	Reason      string    `json:"reason"` // why it failed or was suppressed, or the latest temporary error
	Attempts    int       `json:"attempts"`
	Ambiguous   int       `json:"ambiguous_attempts"` // with an unknown result
	Next        time.Time `json:"next_attempt_at"`    // of a due mail
	Sent        time.Time `json:"sent_at,omitzero"`
	Created     time.Time `json:"created_at"`
	Leased      bool      `json:"being_sent"`
	Suppression string    `json:"address_suppressed_for,omitempty"` // why the address is suppressed; "" if it is not
}

// Obstacle returns why the mail cannot be retried, or "".
func (e Entry) Obstacle() string {
	switch {
	case e.Status == StatusSent:
		return "it was sent"
	case e.Leased:
		return "it is being sent at the moment"
	case e.Suppression != "":
		return "its address is suppressed: orderbell mail suppressions remove " + e.Email
	case e.Status == StatusSuppressed && e.Reason != byAddress:
		return "the user does not get such mails (" + e.Reason + ")"
	}
	return ""
}

// byAddress is the reason of a mail that was suppressed because its address does not exist.
const byAddress = "address"

// Suppression is an address to which no mail is sent.
type Suppression struct {
	Address string    `json:"address"`
	Reason  string    `json:"reason"`            // the mail server's answer
	MailID  string    `json:"mail_id,omitempty"` // the mail that it answered
	Since   time.Time `json:"since"`
	Users   int       `json:"users"` // number of users who have the address now
}
