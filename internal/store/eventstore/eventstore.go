// Package eventstore records in PostgreSQL which events were applied, who was notified, and which mails are due.
//
// [Store.Apply] makes events exactly-once: the record of an event, the notifications and the due mails are written in
// one transaction, and a second delivery finds them. A mail is claimed with a lease. Every mark names the attempt that
// it ends, so a claimant with an expired lease changes nothing.
package eventstore

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/event"
	"orderbell/internal/gather"
	"orderbell/internal/store/database"
	"orderbell/internal/user"
)

//go:embed apply.sql
var applySQL string

//go:embed receipt.sql
var receiptSQL string

// Store is safe for concurrent use.
type Store struct {
	pool         *database.Pool
	mailDomain   string
	claimOfEvent string // claimSQL for an event instead of a tenant: a separate statement gets its own plan
	applySQL     string // apply.sql with numbered arguments
	applyNames   []string
	together     *gather.Group[application, applied]
	crowds       *crowds
}

// New returns a store. mailDomain is the domain of Message-IDs.
func New(pool *database.Pool, mailDomain string) *Store {
	s := &Store{
		pool: pool, mailDomain: mailDomain, crowds: newCrowds(),
		claimOfEvent: strings.Replace(claimSQL, "d.tenant_id = @tenant_id", "d.event_source = @source AND d.event_id = @event_id", 1),
	}
	s.applySQL, s.applyNames = numbered(applySQL)
	s.together = gather.New(gather.Limit{Batches: batches, Size: batchSize}, s.applyTogether)
	return s
}

// Apply applies e once: it writes the record, and a notification and a due mail for each user of the audience who wants
// them. A repeated event changes nothing and returns the same recipients again. The same source and id with other content
// is [event.ErrPayloadConflict].
//
// The same id with a time on another day is detected by its existing notifications and mails. Without recipients it leaves a
// second record instead: a search through all days' partitions would double the cost of every event, for a publisher's
// mistake without effect (the feed knows the id, clients know the version).
//
// It takes one round trip for a new event and two for a repeated one. Events that arrive while others are under way
// share a statement, see [Store.applyTogether].
func (s *Store) Apply(ctx context.Context, e event.Event, audience user.Audience) (event.Receipt, error) {
	receipt, err := s.insert(ctx, e, audience)
	if database.Violates(err, database.Checked) {
		// The sweeper creates partitions ahead; this is a late event of an earlier day, or the sweeper is down.
		if err = s.makePartition(ctx, e.Day()); err == nil {
			receipt, err = s.insert(ctx, e, audience)
		}
	}
	switch {
	case database.Violates(err, database.Unique):
		// The record is new but its notifications exist: the same event id arrived earlier with a timestamp on another day.
		return event.Receipt{}, fmt.Errorf("apply event: %w", event.ErrPayloadConflict)
	case err != nil:
		return event.Receipt{}, wrap("apply event", err)
	case receipt.Outcome == event.Applied:
		return receipt, nil
	}
	return s.receipt(ctx, e)
}

func (s *Store) insert(ctx context.Context, e event.Event, audience user.Audience) (event.Receipt, error) {
	// Only the known fields are stored: an unknown one may contain what jsonb does not accept, such as \u0000.
	data, err := json.Marshal(e.Data)
	if err != nil {
		return event.Receipt{}, err
	}
	a := application{e, audience, data}
	done := applied{err: errNotApplied}
	if !s.crowds.large(e.Data.TenantID) {
		if done, err = s.together.Do(ctx, a); err != nil {
			return event.Receipt{}, err
		}
	}
	if errors.Is(done.err, errNotApplied) {
		done.row, done.err = s.applyAlone(ctx, a)
	}
	if done.err != nil || !done.row.Applied {
		return event.Receipt{Outcome: event.Duplicate}, done.err
	}
	return event.Receipt{
		Outcome: event.Applied, Recipients: recipients(done.row.UserIDs, done.row.NotificationIDs), DueMails: done.row.DueMails,
	}, nil
}

// receipt reads the result of the first delivery of e.
func (s *Store) receipt(ctx context.Context, e event.Event) (event.Receipt, error) {
	rows, err := s.pool.Query(ctx, receiptSQL, e.Day(), e.Source, e.ID, string(e.Type), hash(e), e.Time)
	if err != nil {
		return event.Receipt{}, wrap("read event record", err)
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[struct {
		Same            bool
		UserIDs         []string
		NotificationIDs []string
		DueMails        int
	}])
	switch {
	case err != nil:
		return event.Receipt{}, wrap("read event record", err)
	case !row.Same:
		return event.Receipt{}, fmt.Errorf("apply event: %w", event.ErrPayloadConflict)
	}
	return event.Receipt{
		Outcome: event.Duplicate, Recipients: recipients(row.UserIDs, row.NotificationIDs), DueMails: row.DueMails,
	}, nil
}

func hash(e event.Event) []byte {
	sum := sha256.Sum256(e.Raw)
	return sum[:]
}

func recipients(userIDs, notificationIDs []string) []event.Recipient {
	to := make([]event.Recipient, len(userIDs))
	for i := range to {
		to[i] = event.Recipient{UserID: userIDs[i], NotificationID: notificationIDs[i]}
	}
	return to
}

// numbered returns a statement with $1 instead of @name, and the names in the order of their numbers. pgx would do it
// for each event.
func numbered(sql string) (string, []string) {
	var names []string
	sql = regexp.MustCompile(`@[a-z_]+`).ReplaceAllStringFunc(sql, func(name string) string {
		i := slices.Index(names, name[1:])
		if i < 0 {
			i = len(names)
			names = append(names, name[1:])
		}
		return "$" + strconv.Itoa(i+1)
	})
	return sql, names
}

func (s *Store) makePartition(ctx context.Context, day time.Time) error {
	_, err := s.pool.Exec(ctx, "SELECT ensure_event_record_partitions($1, $1)", day)
	return err
}

// conflictError is a conflict with another transaction. The receiver answers it with 409, which is retried.
type conflictError struct{ error }

func (e *conflictError) Unwrap() error { return e.error }

func (e *conflictError) Conflict() bool { return true }

func wrap(doing string, err error) error {
	err = database.Wrap(doing, err)
	if database.Violates(err, database.LockNotFree, database.Deadlock, database.Serialization) {
		return &conflictError{err}
	}
	return err
}
