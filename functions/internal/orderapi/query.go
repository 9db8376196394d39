package orderapi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"orderbell/functions/internal/route"
	"orderbell/internal/auth"
	"orderbell/internal/order"
	"orderbell/internal/problem"
	"orderbell/internal/text"
)

// Counts is the answer to GET /api/orders/counts.
type Counts struct {
	Counts map[order.Status]int `json:"counts"` // of every state
	UpTo   int                  `json:"up_to"`  // a count of this value means this many or more
}

// current is the state filter of the first page: all open orders, and today's orders.
const current = "current"

func (a api) counts(w http.ResponseWriter, r *http.Request) error {
	principal, err := auth.Who(r)
	if err != nil {
		return err
	}
	query, err := problem.OnlyQuery(r, "from", "to")
	if err != nil {
		return err
	}
	from, to, err := a.period(r.Context(), principal.TenantID, query)
	if err != nil {
		return refusal(err)
	}
	counts, err := a.store.Count(r.Context(), principal.TenantID, from, to)
	if err != nil {
		return err
	}
	return route.Serve(w, r, "", Counts{Counts: counts, UpTo: order.MostCounted})
}

// page returns the orders of the query.
func (a api) page(r *http.Request, tenantID string) (page []order.Order, more bool, err error) {
	limit, after, err := route.PageOf(r, "state", "from", "to", "q")
	if err != nil {
		return nil, false, err
	}
	query, err := problem.Query(r, "state", "from", "to", "q", "limit", "cursor")
	if err != nil {
		return nil, false, err
	}
	if query.Has("q") {
		if page, err = a.search(r.Context(), tenantID, query, limit); err != nil {
			return nil, false, err
		}
		return page, false, nil
	}
	q := order.Query{After: order.Position{CreatedAt: after.At, ID: after.ID}, Limit: limit}
	if q.From, q.To, err = a.period(r.Context(), tenantID, query); err != nil {
		return nil, false, err
	}
	switch state := query.Get("state"); {
	case state == current:
		if query.Has("from") || query.Has("to") {
			return nil, false, problem.BadParameter("state", "current cannot be combined with from or to")
		}
		zone, err := a.zone(r.Context(), tenantID)
		if err != nil {
			return nil, false, err
		}
		q.DoneFrom = startOfDay(time.Now().In(zone), zone)
	case query.Has("state"):
		if q.States, err = states(state); err != nil {
			return nil, false, err
		}
	}
	return a.store.Page(r.Context(), tenantID, q)
}

func (a api) search(ctx context.Context, tenantID string, query url.Values, limit int) ([]order.Order, error) {
	typed := query.Get("q")
	for _, other := range []string{"state", "from", "to", "cursor"} {
		if query.Has(other) {
			return nil, problem.BadParameter("q", "cannot be combined with "+other+", only with limit")
		}
	}
	wanted := text.Normal(typed)
	if wanted == "" || max(utf8.RuneCountInString(typed), utf8.RuneCountInString(wanted)) > order.MaxReference {
		return nil, problem.BadParameter("q", fmt.Sprintf("must be 1 to %d characters of a reference or an id", order.MaxReference))
	}
	if fault := text.Fault(typed); fault != "" {
		return nil, problem.BadParameter("q", fault)
	}
	return a.store.Search(ctx, tenantID, wanted, limit)
}

// states reads open, done, or states with commas between them.
func states(wanted string) (found []order.Status, err error) {
	switch wanted {
	case "open":
		return order.Open(), nil
	case "done":
		return order.Done(), nil
	}
	for name := range strings.SplitSeq(wanted, ",") {
		s := order.Status(name)
		if !s.Valid() {
			return nil, problem.BadParameter("state", fmt.Sprintf("must be open, done, %s, or a comma-separated list of %s", current, text.List(order.Statuses())))
		}
		if !slices.Contains(found, s) {
			found = append(found, s)
		}
	}
	return found, nil
}

// period reads from and to. Each is an instant, or a date in the tenant's zone: then the period begins with that day
// and includes it.
func (a api) period(ctx context.Context, tenantID string, query url.Values) (from, to time.Time, err error) {
	for _, bound := range []struct {
		name string
		days int // from a date to the bound
		at   *time.Time
	}{{"from", 0, &from}, {"to", 1, &to}} {
		text := query.Get(bound.name)
		if !query.Has(bound.name) {
			continue
		}
		written, err := time.Parse(time.RFC3339, text)
		isDate := err != nil
		if isDate {
			if written, err = time.Parse(time.DateOnly, text); err != nil {
				return from, to, problem.BadParameter(bound.name, "must be a date such as 2026-11-24 or an RFC 3339 time")
			}
		}
		if year := written.Year(); year < 1 || year > 9999 {
			return from, to, problem.BadParameter(bound.name, "must be in the years 1 to 9999")
		}
		if *bound.at = written; isDate {
			zone, err := a.zone(ctx, tenantID)
			if err != nil {
				return from, to, err
			}
			*bound.at = startOfDay(written.AddDate(0, 0, bound.days), zone)
		}
	}
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return from, to, problem.BadParameter("from", "must be before to")
	}
	return from, to, nil
}

// zone returns the tenant's time zone, UTC if this program does not know it.
func (a api) zone(ctx context.Context, tenantID string) (*time.Location, error) {
	name, err := a.store.TimeZone(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC, nil //nolint:nilerr // a zone that this program does not know must not hide the orders
	}
	return zone, nil
}

// startOfDay returns the start of a date in the zone.
func startOfDay(date time.Time, zone *time.Location) time.Time {
	year, month, day := date.Date()
	return order.StartOfDay(year, month, day, zone)
}
