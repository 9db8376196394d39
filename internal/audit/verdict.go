package audit

import "time"

// Verdict is what one run of `orderbell verify` over all tenants found.
type Verdict struct {
	BeganAt, EndedAt time.Time
	Since, Until     time.Time // the events that it looked at
	Offenders        int64     // events, notifications and mails that are lost or duplicated
	Skipped          []string  // checks that could not run
}

// Clean says whether every check ran and found nothing.
func (v Verdict) Clean() bool { return v.Offenders == 0 && len(v.Skipped) == 0 }
