package audit

import "time"

// Watched are the tenants whose events are counted, and what a client has seen of them.
type Watched struct {
	Since   time.Time   // earlier changes are not counted
	Tenants []string    // ids
	Loaded  []time.Time // by tenant: when the client last loaded all orders; zero: never
	Seen    []string    // ids of the events that the client has received
}

// Tally counts the events of [Watched] by the steps that they have reached. An event is on the way until it is in the inboxes and
// seen. A due mail is on the way too.
type Tally struct {
	Made          int64 `json:"made"`           // committed with their order
	InInbox       int64 `json:"in_inbox"`       // applied: their notifications and mails were written in one transaction
	Seen          int64 `json:"seen"`           // by the client
	Apart         int64 `json:"apart"`          // made, and not both of these
	Notifications int64 `json:"notifications"`  // of all users
	Mails         int64 `json:"mails"`          // to be sent, now or after quiet hours
	Mailed        int64 `json:"mailed"`         // accepted by the mail server
	Deferred      int64 `json:"deferred_mails"` // due after the quiet hours of their user
	GivenUp       int64 `json:"given_up_mails"` // failed or suppressed, each for a reason
}

// OnTheWay is how many events and mails have not arrived yet. Mails that wait for the end of quiet hours do not count.
func (t Tally) OnTheWay() int64 { return t.Apart + t.Mails - t.Mailed - t.Deferred - t.GivenUp }
