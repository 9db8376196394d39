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

// mails is the outcome of a fault's mails.
type mails struct {
	due, sent, failed, suppressed int
	extraCopies                   int // beyond the first
	ambiguous                     int // attempts with an unknown outcome
	found                         []finding
}

// mailpitCopies returns the number of copies that Mailpit has of each mail, by Message-ID. It reads one page with all mails,
// because Mailpit's order of mails of the same millisecond differs between pages.
func (w *world) mailpitCopies(ctx context.Context) (map[string]int, error) {
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
		return nil, fmt.Errorf("mailpit has %d mails and lists %d", page.Total, len(page.Messages))
	}
	copies := map[string]int{}
	for _, m := range page.Messages {
		copies[m.MessageID]++
	}
	return copies, nil
}

// recipientGone is part of the only answer after which a mail may fail for good.
const recipientGone = "550 5.2.1"

// mails compares the tenants' rows in email_deliveries with the mails in Mailpit.
func (w *world) mails(ctx context.Context, tenants []tenant, copies map[string]int) (mails, error) {
	var l mails
	r, err := w.db.Query(ctx, `SELECT message_id, status, reason, ambiguous FROM email_deliveries WHERE tenant_id = ANY ($1)`, ids(tenants))
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
			l.extraCopies += n - first
		}
		if n-first > ambiguous {
			tooMany = append(tooMany, fmt.Sprintf("%s: %d copies, %d ambiguous", id, n, ambiguous))
		}
		return nil
	})
	for _, f := range []finding{
		{"e-mail marked as sent that did not arrive", false, unsent},
		{"e-mail that failed although its recipient exists", false, unexplained},
		{"e-mail with more copies than ambiguous attempts", true, tooMany},
	} {
		if len(f.which) > 0 {
			l.found = append(l.found, f)
		}
	}
	return l, err
}
