package orderapi

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"orderbell/functions/internal/route"
	"orderbell/internal/auth"
	"orderbell/internal/order"
	"orderbell/internal/problem"
)

// Summary is the answer to GET /api/orders/summary.
type Summary struct {
	TimeZone string  `json:"time_zone"` // IANA: the tenant's time zone, which defines its days
	Day      Day     `json:"day"`
	Before   Day     `json:"before"` // the day before
	Recent   *Recent `json:"recent"` // null for a day that is over
}

// Day is the summary of one day.
type Day struct {
	Date    string               `json:"date"` // in the tenant's time zone
	Takings []Takings            `json:"takings"`
	Counts  map[order.Status]int `json:"counts"` // of the orders created that day, by their current state
	Funnel  Funnel               `json:"funnel"`
	Hours   []Hour               `json:"hours"` // the hours of the day, from 0 on
}

// Takings are a day's payments and refunds in one currency, independent of when the orders were created.
type Takings struct {
	Currency string `json:"currency"`
	Payments int    `json:"payments"`
	Paid     int64  `json:"paid"` // in the currency's minor unit
	Refunds  int    `json:"refunds"`
	Refunded int64  `json:"refunded"`
}

// Funnel has how many of a day's orders have reached each step.
type Funnel struct {
	Created   int `json:"created"`
	Paid      int `json:"paid"`
	Ready     int `json:"ready"`
	Completed int `json:"completed"`
}

// Hour is an hour of a day.
type Hour struct {
	Hour     int `json:"hour"`
	Payments int `json:"payments"`
}

// Recent is how many payments there were in each of the last minutes.
type Recent struct {
	Since    time.Time `json:"since"` // start of the first minute
	Payments []int     `json:"payments"`
}

// recentMinutes is the number of minutes in [Recent].
const recentMinutes = 60

func (a api) summary(w http.ResponseWriter, r *http.Request) error {
	principal, err := auth.Who(r)
	if err != nil {
		return err
	}
	query, err := problem.OnlyQuery(r, "date")
	if err != nil {
		return err
	}
	zone, err := a.zone(r.Context(), principal.TenantID)
	if err != nil {
		return refusal(err)
	}
	now := time.Now()
	date := now.In(zone)
	if query.Has("date") {
		if date, err = parseDate(query.Get("date")); err != nil {
			return err
		}
	}
	answer, err := a.summarize(r.Context(), principal.TenantID, date, zone, now)
	if err != nil {
		return err
	}
	return route.Serve(w, r, "", answer)
}

// parseDate reads a date. The years are bounded, so that the day before it and the day after it are dates too.
func parseDate(text string) (time.Time, error) {
	date, err := time.Parse(time.DateOnly, text)
	if err != nil || date.Year() < 1970 || date.Year() > 9998 {
		return date, problem.BadParameter("date", "must be a date such as 2026-11-24")
	}
	return date, nil
}

func (a api) summarize(ctx context.Context, tenantID string, date time.Time, zone *time.Location, now time.Time) (Summary, error) {
	earlier := date.AddDate(0, 0, -1)
	before, day, after := startOfDay(earlier, zone), startOfDay(date, zone), startOfDay(date.AddDate(0, 0, 1), zone)
	tallies, err := a.store.Takings(ctx, tenantID, before, after)
	if err != nil {
		return Summary{}, err
	}
	s := Summary{TimeZone: zone.String()}
	for _, d := range []struct {
		day      *Day
		date     time.Time
		from, to time.Time
	}{{&s.Day, date, day, after}, {&s.Before, earlier, before, day}} {
		counts, err := a.store.Made(ctx, tenantID, d.from, d.to)
		if err != nil {
			return Summary{}, err
		}
		*d.day = dayOf(d.from, d.to, counts, tallies)
		d.day.Date = d.date.Format(time.DateOnly)
	}
	if !now.Before(day) && now.Before(after) {
		s.Recent = recent(tallies, now)
	}
	return s, nil
}

func dayOf(from, to time.Time, counts map[order.Status]int, tallies []order.Tally) Day {
	is := Day{Counts: counts, Funnel: funnel(counts), Hours: make([]Hour, 24), Takings: []Takings{}}
	for i := range is.Hours {
		is.Hours[i].Hour = i
	}
	byCurrency := map[string]Takings{}
	for _, t := range tallies {
		if t.Minute.Before(from) || !t.Minute.Before(to) {
			continue
		}
		sum := byCurrency[t.Currency]
		sum.Currency = t.Currency
		if t.Status == order.Paid {
			sum.Payments, sum.Paid = sum.Payments+t.Count, order.Sum(sum.Paid, t.Amount)
			is.Hours[t.Minute.In(from.Location()).Hour()].Payments += t.Count
		} else {
			sum.Refunds, sum.Refunded = sum.Refunds+t.Count, order.Sum(sum.Refunded, t.Amount)
		}
		byCurrency[t.Currency] = sum
	}
	for _, sum := range byCurrency {
		is.Takings = append(is.Takings, sum)
	}
	slices.SortFunc(is.Takings, func(a, b Takings) int { // ordered by number of payments
		return cmp.Or(cmp.Compare(b.Payments, a.Payments), cmp.Compare(a.Currency, b.Currency))
	})
	return is
}

// funnel counts orders by the steps that they have reached. An order has reached every state before its own, even if it
// skipped it. A refunded order was paid.
func funnel(counts map[order.Status]int) Funnel {
	completed := counts[order.Completed]
	ready := completed + counts[order.Ready]
	paid := ready + counts[order.Preparing] + counts[order.Paid] + counts[order.Refunded]
	return Funnel{Created: paid + counts[order.Submitted] + counts[order.Cancelled], Paid: paid, Ready: ready, Completed: completed}
}

func recent(tallies []order.Tally, now time.Time) *Recent {
	is := &Recent{
		Since:    now.UTC().Truncate(time.Minute).Add(-(recentMinutes - 1) * time.Minute),
		Payments: make([]int, recentMinutes),
	}
	for _, t := range tallies {
		i := int(t.Minute.Sub(is.Since) / time.Minute)
		if t.Status == order.Paid && !t.Minute.Before(is.Since) && i < recentMinutes {
			is.Payments[i] += t.Count
		}
	}
	return is
}
