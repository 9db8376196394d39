//go:build chaos

package chaos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/jackc/pgx/v5"
)

// letters is what became of a fault's e-mails.
type letters struct {
	due, sent, failed, suppressed int
	twice                         int // copies beyond the first
	ambiguous                     int // attempts with an unknown outcome
	found                         []finding
}

// inboxes returns how many copies of each letter Mailpit has, by Message-ID. One page has them all: letters of the same
// millisecond have no order that would hold from page to page.
func (w *world) inboxes(ctx context.Context) (map[string]int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.mailpit+"/api/v1/messages?limit=10000000", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer drain(resp.Body)
	var page struct {
		Total    int
		Messages []struct{ MessageID string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("mailpit: %d %w", resp.StatusCode, err)
	}
	if page.Total != len(page.Messages) {
		return nil, fmt.Errorf("mailpit has %d letters and lists %d", page.Total, len(page.Messages))
	}
	copies := map[string]int{}
	for _, m := range page.Messages {
		copies[m.MessageID]++
	}
	return copies, nil
}

// recipientGone is in the only answer of the suite's mail server that ends a letter for good.
const recipientGone = "550 5.2.1"

// letters compares the shops' e-mails with what Mailpit has.
func (w *world) letters(ctx context.Context, shops []shop, copies map[string]int) (letters, error) {
	var l letters
	r, err := w.db.Query(ctx, `SELECT message_id, status, reason, ambiguous FROM email_deliveries WHERE tenant_id = ANY ($1)`, ids(shops))
	if err != nil {
		return l, err
	}
	var unsent, unexplained, tooMany []string
	var id, status, reason string
	var ambiguous int
	_, err = pgx.ForEachRow(r, []any{&id, &status, &reason, &ambiguous}, func() error {
		l.ambiguous += ambiguous
		n := copies[id]
		switch status {
		case "due":
			l.due++
		case "sent":
			l.sent++
			if n == 0 {
				unsent = append(unsent, id)
			}
		case "failed":
			l.failed++
			if !strings.Contains(reason, recipientGone) {
				unexplained = append(unexplained, id+" ("+reason+")")
			}
		default:
			l.suppressed++
		}
		first := 1
		if status == "failed" {
			first = 0
		}
		if n > first {
			l.twice += n - first
		}
		if n-first > ambiguous {
			tooMany = append(tooMany, fmt.Sprintf("%s: %d copies, %d ambiguous", id, n, ambiguous))
		}
		return nil
	})
	for _, f := range []finding{
		{"e-mail marked as sent that did not arrive", false, unsent},
		{"e-mail that failed for no good reason", false, unexplained},
		{"e-mail with more copies than ambiguous attempts", true, tooMany},
	} {
		if len(f.which) > 0 {
			l.found = append(l.found, f)
		}
	}
	return l, err
}
