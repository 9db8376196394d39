package opspage

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/cmd/orderbell/internal/status"
	"orderbell/internal/audit"
	"orderbell/internal/problem"
)

const (
	// patience is the time limit of a source. The state does not have what arrives later.
	patience = 2 * time.Second
	// lettersAge is the minimum time between two reads of the dead letters, because each reads their whole topic.
	lettersAge = 3 * time.Second

	mostTraces  = 6
	mostMails   = 8
	mostLetters = 20
)

// State is everything that the page shows.
type State struct {
	At      time.Time     `json:"at"`
	Origin  string        `json:"origin"`
	Mailpit string        `json:"mailpit,omitempty"`
	Parts   []status.Part `json:"parts"` // programs, stores and queues, by name
	Faults  []Fault       `json:"faults"`

	Since    *time.Time   `json:"since,omitempty"` // when counting began; absent: the streams are not open yet
	Tally    *audit.Tally `json:"tally,omitempty"`
	OnTheWay *int64       `json:"on_the_way,omitempty"`

	Traces  []Trace             `json:"traces"` // the newest first
	Mails   []Mail              `json:"mails"`  // the newest first
	Letters []deadletter.Letter `json:"dead_letters"`
	Open    int                 `json:"open_dead_letters"` // Letters has the oldest of them
	Spike   *Spike              `json:"spike,omitempty"`
	Verdict *Verdict            `json:"verdict,omitempty"`

	Problems []string `json:"problems"` // what could not be read, and why
}

// Mail is a caught mail.
type Mail struct {
	ID      string    `json:"id"`
	Subject string    `json:"subject"`
	To      string    `json:"to"`
	At      time.Time `json:"at"`
}

func (p *Page) getState(w http.ResponseWriter, r *http.Request) error {
	p.begin()
	w.Header().Set("Cache-Control", "no-store")
	return problem.WriteJSON(w, http.StatusOK, p.state(r.Context()))
}

// state asks all sources at the same time.
func (p *Page) state(ctx context.Context) State {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s := State{
		At: time.Now().UTC(), Origin: p.cfg.Origin, Mailpit: p.cfg.Mailpit, Faults: p.faults.list(),
		Traces: []Trace{}, Mails: []Mail{}, Letters: []deadletter.Letter{}, Problems: []string{},
	}
	var mu sync.Mutex
	var asked sync.WaitGroup
	ask := func(what string, do func() error) {
		asked.Go(func() {
			if err := do(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				s.Problems = append(s.Problems, fmt.Sprintf("%s: %s", what, err))
			}
		})
	}
	ask("counts", func() error { return p.count(ctx, &s) })
	ask("dead letters", func() error { return p.readLetters(ctx, &s) })
	if p.cfg.Mailpit != "" {
		ask("mails", func() (err error) { s.Mails, err = p.mails(ctx); return err })
	}
	asked.Go(func() { s.Parts = status.Run(ctx, patience, p.cfg.Probes).Parts })
	if p.cfg.Traces != nil {
		for _, spans := range p.cfg.Traces(mostTraces) {
			s.Traces = append(s.Traces, traceOf(spans, p.sight.arrived(spans[0].TraceID)))
		}
	}
	asked.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spike != nil {
		spike := *p.spike
		s.Spike = &spike
	}
	s.Verdict = p.verdict
	return s
}

// count fills in how many events have reached each step.
func (p *Page) count(ctx context.Context, s *State) error {
	if err := p.beginCount(ctx); err != nil {
		return err
	}
	w, err := p.sight.watched()
	if err != nil || w.Since.IsZero() {
		return err
	}
	tally, err := p.cfg.Store.Tally(ctx, w)
	if err != nil {
		return err
	}
	onTheWay := tally.OnTheWay()
	s.Since, s.Tally, s.OnTheWay = &w.Since, &tally, &onTheWay
	return nil
}

// beginCount starts to count if necessary, once for all requests.
func (p *Page) beginCount(ctx context.Context) error {
	p.counting.Lock()
	defer p.counting.Unlock()
	if !p.sight.forget() {
		return nil
	}
	now, _, err := p.cfg.Store.Clock(ctx)
	if err == nil {
		p.sight.beginAt(now)
	}
	return err
}

// readLetters fills in the open dead letters, which may be some seconds old.
func (p *Page) readLetters(ctx context.Context, s *State) error {
	p.mu.Lock()
	open, age := p.letters, time.Since(p.read)
	p.mu.Unlock()
	if age > lettersAge {
		var err error
		if open, err = p.cfg.Letters.List(ctx, deadletter.Filter{Open: true}); err != nil {
			return err
		}
		p.mu.Lock()
		p.letters, p.read = open, time.Now()
		p.mu.Unlock()
	}
	s.Open = len(open)
	s.Letters = append(s.Letters, open[:min(len(open), mostLetters)]...)
	return nil
}

// mails returns the newest mails in Mailpit.
func (p *Page) mails(ctx context.Context) ([]Mail, error) {
	mails := []Mail{}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/api/v1/messages?limit=%d", p.cfg.Mailpit, mostMails), nil)
	if err != nil {
		return mails, fmt.Errorf("ask Mailpit: %w", err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return mails, fmt.Errorf("ask Mailpit: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if response.StatusCode != http.StatusOK {
		return mails, fmt.Errorf("ask Mailpit: it answers %s", response.Status)
	}
	var page struct {
		Messages []struct {
			ID      string
			Subject string
			Created time.Time
			To      []struct{ Address string }
		} `json:"messages"`
	}
	if err := json.NewDecoder(response.Body).Decode(&page); err != nil {
		return mails, fmt.Errorf("ask Mailpit: %w", err)
	}
	for _, m := range page.Messages {
		mail := Mail{ID: m.ID, Subject: m.Subject, At: m.Created.UTC()}
		if len(m.To) > 0 {
			mail.To = m.To[0].Address
		}
		mails = append(mails, mail)
	}
	return mails, nil
}
