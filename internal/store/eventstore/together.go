package eventstore

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/event"
	"orderbell/internal/user"
)

// Events that arrive while others are under way share a statement, and so a round trip and a wait for the disk. A batch
// has the events since the previous one. Two batches at once keep the server busy while one waits for the disk, and
// leave connections for mails and large audiences.
const (
	batches   = 2
	batchSize = 16
)

// application is an event to apply.
type application struct {
	event.Event
	audience user.Audience
	data     []byte
}

// fits reports whether a may share a statement with batch: same type and audience, but a different record.
func (a application) fits(batch []application) bool {
	if len(batch) == 0 {
		return true
	}
	first := batch[0]
	return a.Type == first.Type && a.audience.OnRequest == first.audience.OnRequest && slices.Equal(a.audience.Roles, first.audience.Roles) &&
		!slices.ContainsFunc(batch, func(b application) bool { return a.ID == b.ID && a.Source == b.Source && a.Day().Equal(b.Day()) })
}

type appliedRow struct {
	N               int
	Applied         bool
	UserIDs         []string
	NotificationIDs []string
	DueMails        int
}

type applied struct {
	row appliedRow
	err error
}

// errNotApplied marks an event that was left out of the batch, or whose batch was refused. It is retried alone.
var errNotApplied = errors.New("not applied in a batch")

// applyTogether applies events with one statement: all of them or none of them. It leaves out duplicates, events whose type or audience
// differs from the first, and all but one of a tenant whose audience is not known yet.
func (s *Store) applyTogether(ctx context.Context, items []application) []applied {
	results := make([]applied, len(items))
	var batch []application
	var of []int // their places in items
	for i, a := range items {
		if results[i].err = errNotApplied; a.fits(batch) && s.crowds.joins(a, batch) {
			batch, of = append(batch, a), append(of, i)
		}
	}
	rows, err := s.apply(ctx, batch)
	switch {
	case err == nil:
		for _, row := range rows {
			results[of[row.N-1]] = applied{row: row}
		}
	case len(batch) == 1:
		results[of[0]].err = err
	}
	return results
}

// apply runs the statement for events that fit together.
func (s *Store) apply(ctx context.Context, batch []application) ([]appliedRow, error) {
	n := len(batch)
	days, sources, ids, tenants, orders := make([]time.Time, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	versions, hashes, datas, times := make([]int64, n), make([][]byte, n), make([]string, n), make([]time.Time, n)
	parents, states := make([]string, n), make([]string, n)
	for i, a := range batch {
		days[i], sources[i], ids[i], tenants[i], orders[i] = a.Day(), a.Source, a.ID, a.Data.TenantID, a.Data.OrderID
		versions[i], hashes[i], datas[i], times[i] = a.Data.Version, hash(a.Event), string(a.data), a.Time
		parents[i], states[i] = a.TraceParent, a.TraceState
	}
	roles := make([]string, len(batch[0].audience.Roles)) // never nil: cardinality of NULL is NULL
	for i, r := range batch[0].audience.Roles {
		roles[i] = string(r)
	}
	named := map[string]any{
		"event_days": days, "sources": sources, "event_ids": ids, "tenant_ids": tenants, "order_ids": orders, "order_versions": versions,
		"data_hashes": hashes, "datas": datas, "occurred": times, "traceparents": parents, "tracestates": states,
		"type": string(batch[0].Type), "roles": roles, "mail_domain": s.mailDomain, "opt_in": batch[0].audience.OnRequest,
	}
	args := make([]any, len(s.applyNames))
	for i, name := range s.applyNames {
		args[i] = named[name]
	}
	rows, err := s.pool.Query(ctx, s.applySQL, args...)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[appliedRow])
	for _, row := range all {
		if row.Applied && len(roles) > 0 { // an event for no user says nothing about the tenant's others
			s.crowds.note(batch[row.N-1].Data.TenantID, max(len(row.UserIDs), row.DueMails))
		}
	}
	return all, err
}

// applyAlone applies an event by a statement of its own. Statements of crowds take turns.
func (s *Store) applyAlone(ctx context.Context, a application) (appliedRow, error) {
	if s.crowds.large(a.Data.TenantID) {
		leave, err := s.crowds.enter(ctx, a.Data.TenantID)
		if err != nil {
			return appliedRow{}, err
		}
		defer leave()
	}
	rows, err := s.apply(ctx, []application{a})
	if err != nil {
		return appliedRow{}, err
	}
	return rows[0], nil
}
