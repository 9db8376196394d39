package order_test

import (
	"strings"
	"testing"
	"time"

	"orderbell/internal/order"
	"orderbell/internal/user"
)

func TestStartOfDay(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ day, zone, want string }{
		"no change":                   {"2026-11-24", "Asia/Jakarta", "2026-11-23T17:00:00Z"},
		"a leap day":                  {"2028-02-29", "America/New_York", "2028-02-29T05:00:00Z"},
		"the clock goes ahead at two": {"2026-03-29", "Europe/Berlin", "2026-03-28T23:00:00Z"},
		"the day after":               {"2026-03-30", "Europe/Berlin", "2026-03-29T22:00:00Z"},
		"the clock goes ahead at midnight, west of UTC": {"2026-09-06", "America/Santiago", "2026-09-06T04:00:00Z"},
		"the clock goes ahead at midnight, in Havana":   {"2026-03-08", "America/Havana", "2026-03-08T05:00:00Z"},
		"the clock goes ahead at midnight to UTC":       {"2026-03-29", "Atlantic/Azores", "2026-03-29T01:00:00Z"},
		"the clock goes ahead at midnight, east of UTC": {"2026-04-24", "Africa/Cairo", "2026-04-23T22:00:00Z"},
		"the clock goes back to midnight, west of UTC":  {"2026-11-01", "America/Havana", "2026-11-01T04:00:00Z"},
		"the clock goes back to midnight, east of UTC":  {"2021-10-29", "Asia/Amman", "2021-10-28T21:00:00Z"},
		"the clock goes back at midnight":               {"2026-10-25", "Asia/Beirut", "2026-10-24T22:00:00Z"},
		"a day that was left out":                       {"2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00Z"},
	} {
		zone, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		day, err := time.Parse(time.DateOnly, tt.day)
		if err != nil {
			t.Fatal(err)
		}
		if got := order.StartOfDay(day.Year(), day.Month(), day.Day(), zone).UTC().Format(time.RFC3339); got != tt.want {
			t.Errorf("%s: %s in %s begins at %s, want %s", name, tt.day, tt.zone, got, tt.want)
		}
	}
}

// TestEveryInstantIsOfOneDay walks the days of a year in every zone.
func TestEveryInstantIsOfOneDay(t *testing.T) {
	t.Parallel()
	for _, name := range user.TimeZones() {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2027; at = at.AddDate(0, 0, 1) {
			begin := order.StartOfDay(at.Year(), at.Month(), at.Day(), zone)
			day := at.Format(time.DateOnly)
			if first, last := begin.Format(time.DateOnly), begin.Add(-1).Format(time.DateOnly); first != day || strings.Compare(last, day) >= 0 {
				t.Errorf("%s in %s begins at %s, and the moment before is of %s", day, name, begin, last)
			}
		}
	}
}
