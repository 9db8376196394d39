package audit

import "time"

// Trail has the rows of one event in the tables of all programs.
type Trail struct {
	SentAt     time.Time  // when Kafka acknowledged it; zero: not yet, or the outbox row was removed
	Records    int        // in event_records: 1 once a function has applied it
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
