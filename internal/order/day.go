package order

import "time"

// StartOfDay returns the first instant of a day of the zone's clock. Where the clock is put ahead at midnight, that is 01:00;
// where it is put back after midnight, the first of two.
func StartOfDay(year int, month time.Month, day int, zone *time.Location) time.Time {
	const most = 26 * time.Hour // more than the offset of any zone from UTC
	midnight := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	at := midnight.Add(-most).In(zone)
	for {
		_, offset := at.Zone()
		begin := midnight.Add(-time.Duration(offset) * time.Second).In(zone)
		if begin.Before(at) { // the change of the clock went over midnight
			begin = at
		}
		_, end := at.ZoneBounds()
		if end.IsZero() || begin.Before(end) {
			return begin
		}
		at = end
	}
}
