package opspage

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/cmd/orderbell/internal/verify"
	"orderbell/internal/problem"
)

// mostPayments bounds a spike: each payment creates two events, and a notification and a mail for each recipient.
const mostPayments = 500

// Spike is a spike of payments.
type Spike struct {
	Payments int    `json:"payments"`
	Done     int    `json:"done"` // answered
	Running  bool   `json:"running"`
	Refused  int    `json:"refused"`         // requests
	Error    string `json:"error,omitempty"` // why it ended early
}

// Verdict is what a comparison of all stores has found.
type Verdict struct {
	At        time.Time         `json:"at"`
	Looked    int64             `json:"looked_at"` // rows and messages
	Offenders []verify.Offender `json:"offenders"` // the first ones
	Total     int64             `json:"offenders_in_all"`
	Skipped   []string          `json:"skipped"` // checks that did not run, and why
}

// decode fills v from the body of r, which must be JSON, because a form of another site cannot send JSON.
func decode(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := problem.ReadBody(w, r)
	if err != nil {
		return err
	}
	return problem.Decode(body, v)
}

type partBody struct {
	Part string `json:"part"`
}

func (p *Page) postBreak(w http.ResponseWriter, r *http.Request) error {
	var body partBody
	if err := decode(w, r, &body); err != nil {
		return err
	}
	if err := p.faults.breakPart(body.Part); err != nil {
		return err
	}
	return problem.WriteJSON(w, http.StatusAccepted, p.faults.list())
}

func (p *Page) postRepair(w http.ResponseWriter, r *http.Request) error {
	var body partBody
	if err := decode(w, r, &body); err != nil {
		return err
	}
	if err := p.faults.repairPart(body.Part); err != nil {
		return err
	}
	return problem.WriteJSON(w, http.StatusAccepted, p.faults.list())
}

func (p *Page) postSpike(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Payments int `json:"payments"`
	}
	if err := decode(w, r, &body); err != nil {
		return err
	}
	if body.Payments < 1 || body.Payments > mostPayments {
		return problem.Field("payments", "must be from 1 to %d", mostPayments)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spike != nil && p.spike.Running {
		return problem.New(http.StatusConflict, "a spike of %d payments is running", p.spike.Payments)
	}
	spike := &Spike{Payments: body.Payments, Running: true}
	p.spike = spike
	p.work.Go(func() {
		report, err := p.cfg.Spike(p.ctx, body.Payments, counter(func(n int64) {
			p.mu.Lock()
			defer p.mu.Unlock()
			spike.Done += int(n)
		}))
		p.mu.Lock()
		defer p.mu.Unlock()
		spike.Running = false
		if err != nil {
			spike.Error = err.Error()
		}
		for _, n := range report.Refused {
			spike.Refused += n
		}
	})
	return problem.WriteJSON(w, http.StatusAccepted, *spike)
}

// counter is a load.Progress of one task.
type counter func(n int64)

// Begin implements load.Progress.
func (c counter) Begin(string, int64) (step func(n int64), end func()) { return c, func() {} }

func (p *Page) postRedrive(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Letter string `json:"letter"`
	}
	if err := decode(w, r, &body); err != nil {
		return err
	}
	if body.Letter == "" {
		return problem.Field("letter", "must be the id of a dead letter")
	}
	result, err := p.cfg.Letters.Redrive(r.Context(), deadletter.Choice{IDs: []string{body.Letter}}, false)
	if err != nil {
		return problem.New(http.StatusConflict, "%s", err)
	}
	if len(result.Refused) > 0 {
		return problem.New(http.StatusConflict, "it cannot be redriven: %s", result.Refused[0].Obstacle)
	}
	p.mu.Lock()
	p.read = time.Time{}
	p.mu.Unlock()
	return problem.WriteJSON(w, http.StatusOK, map[string]int{"redriven": len(result.Redriven)})
}

// verifyPatience is long for some thousand events.
const verifyPatience = time.Minute

// postVerify compares the stores once no event is in transit. Before that, such events would count as lost.
func (p *Page) postVerify(w http.ResponseWriter, r *http.Request) error {
	if err := decode(w, r, &struct{}{}); err != nil {
		return err
	}
	p.begin()
	ctx, cancel := context.WithTimeout(r.Context(), verifyPatience)
	defer cancel()
	var s State
	if err := p.count(ctx, &s); err != nil {
		return err
	}
	switch {
	case s.OnTheWay == nil:
		return problem.New(http.StatusConflict, "the streams of this page are not open yet: try again soon")
	case *s.OnTheWay > 0:
		return problem.New(http.StatusConflict, "%d are still on the way: verify when it is 0", *s.OnTheWay)
	}
	reports, err := p.cfg.Verify(ctx, *s.Since)
	if err != nil {
		return problem.New(http.StatusConflict, "%s", err)
	}
	v := Verdict{At: time.Now().UTC(), Offenders: []verify.Offender{}, Skipped: []string{}}
	for _, report := range reports {
		v.Total += report.Total
		v.Offenders = append(v.Offenders, report.Offenders...)
		for _, c := range report.Checks {
			v.Looked += c.Looked
			if c.Skipped != "" {
				v.Skipped = append(v.Skipped, fmt.Sprintf("%s of %s: %s", c.Name, report.TenantID, c.Skipped))
			}
		}
	}
	p.mu.Lock()
	p.verdict = &v
	p.mu.Unlock()
	return problem.WriteJSON(w, http.StatusOK, v)
}
