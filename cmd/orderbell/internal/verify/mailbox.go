package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"orderbell/internal/audit"
)

// Mailbox is a Mailpit that takes all e-mails and drops none.
type Mailbox struct {
	URL string
}

// inbox is the content of a mailbox at a time.
type inbox struct {
	at     time.Time // of the database, before it was read
	copies map[string]int
}

// mailPage is the number of messages per request.
const mailPage = 500

// mailTimeout is how long one page of messages may take.
const mailTimeout = 10 * time.Second

// clockSkew is the largest expected difference between the clocks of mailbox and database.
const clockSkew = time.Hour

// mailbox counts the messages since the window began, the newest first.
func (r *run) mailbox(ctx context.Context, step func(int64)) error {
	if r.Mailbox == nil {
		return nil
	}
	r.box = inbox{at: r.clock(), copies: map[string]int{}}
	counted := map[string]bool{} // new messages shift the pages, so that some appear twice
	for start := 0; ; start += mailPage {
		var messages []mailpitMessage
		if err := r.again(ctx, nil, func() (err error) { messages, err = r.Mailbox.list(ctx, start); return err }); err != nil {
			return err
		}
		for _, m := range messages {
			if m.Created.Before(r.w.Since.Add(-clockSkew)) {
				return nil
			}
			if !counted[m.ID] {
				counted[m.ID] = true
				r.box.copies[m.MessageID]++
				r.check(checkMailbox).Looked++
			}
		}
		step(int64(len(messages)))
		if len(messages) < mailPage {
			return nil
		}
	}
}

// mailpitMessage has the fields of Mailpit's list that matter here.
type mailpitMessage struct {
	ID        string    // Mailpit's own
	MessageID string    // the header, without brackets
	Created   time.Time // when it arrived
}

func (m *Mailbox) list(ctx context.Context, start int) (messages []mailpitMessage, err error) {
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	query := url.Values{"start": {strconv.Itoa(start)}, "limit": {strconv.Itoa(mailPage)}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.URL+"/api/v1/messages?"+query.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("MAILPIT_URL: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the mailbox: %w", err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	var found struct {
		Messages *[]mailpitMessage `json:"messages"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&found); err != nil || found.Messages == nil {
		return nil, errors.Join(fmt.Errorf("MAILPIT_URL: %s answers %s, which is not Mailpit's answer", m.URL, resp.Status), err)
	}
	return *found.Messages, nil
}

// arrived compares an e-mail with its copies in the mailbox. Each attempt whose outcome was unknown may have left one.
func (r *run) arrived(o Offender, m audit.Mail) {
	if r.Mailbox == nil || r.check(checkMailbox).Skipped != "" {
		return
	}
	if m.Claimed {
		r.check(checkMailbox).OnTheWay++ // it is being sent: the result is not marked yet
		return
	}
	copies, known := r.box.copies[m.MessageID], m.Ambiguous
	sent := m.Status == "sent"
	if sent {
		known++
	}
	if copies > 1 {
		r.report.Mails.Again += int64(copies - 1)
	}
	switch {
	case copies == 0 && sent && m.SentAt.Before(r.box.at):
		r.offend(checkMailbox, o, "the e-mail was sent at %s, but %s is not there", stamp(m.SentAt), m.MessageID)
	case copies > known:
		r.offend(checkMailbox, o, "%s is there %d times, and %d are accounted for", m.MessageID, copies, known)
	}
}
