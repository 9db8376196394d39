package audit

import "time"

// Verdict is the result of one run of `orderbell verify` over all tenants.
type Verdict struct {
	BeganAt, EndedAt time.Time
	Since, Until     time.Time // number of checked events
	Offenders        int64     // number of lost or duplicated events, notifications and mails
	Skipped          []string  // skipped checks
}

// Clean reports whether every check ran and found nothing.
func (v Verdict) Clean() bool { return v.Offenders == 0 && len(v.Skipped) == 0 }
