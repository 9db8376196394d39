package audit

import "time"

// Trail is what the tables of all programs know of one event.
type Trail struct {
	SentAt     time.Time  // when Kafka had it; zero: not yet, or the outbox row is removed already
	Records    int        // in event_records: 1 once a function took it in
	ReceivedAt time.Time  // of the record
	Notified   []string   // user ids of the notification rows, sorted
	Mails      []Delivery // by user id
}

// Delivery is an event's mail to one user, as email_deliveries has it.
type Delivery struct {
	UserID  string
	Status  string // due, sent, failed, suppressed
	Reason  string
	Attempt int
	SentAt  time.Time // zero: not sent
}
