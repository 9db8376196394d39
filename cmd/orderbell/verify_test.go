package main_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"orderbell/cmd/orderbell/internal/verify"
	"orderbell/internal/dev/waittest"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "dev")
	d := startDev(t, data)
	const sales = 5
	for range sales {
		status, body := d.call(t, http.MethodPost, "/api/orders", newOrder)
		var made struct {
			ID string `json:"order_id"`
		}
		if err := json.Unmarshal([]byte(body), &made); err != nil || status != http.StatusCreated {
			t.Fatalf("POST /api/orders: %d %s", status, body)
		}
		if status, body := d.call(t, http.MethodPost, "/api/orders/"+made.ID+"/pay", ""); status != http.StatusOK {
			t.Fatalf("pay: %d %s", status, body)
		}
	}
	look := func() (verify.Report, int) {
		t.Helper()
		stdout, stderr, status := run(t, nil, "verify", "--data", data, "--settle", "0s", "--json")
		var report verify.Report
		if err := json.Unmarshal([]byte(stdout), &report); err != nil {
			t.Fatalf("verify: %d %s%s", status, stdout, stderr)
		}
		return report, status
	}
	waittest.Until(t, "everything is where it belongs", func() bool {
		report, status := look()
		return status == 0 && report.Mails.Sent == 3*sales
	})
	stdout, stderr, status := run(t, nil, "verify", "--data", data, "--settle", "0s", "--tenant", "demo")
	for _, want := range []string{"orders 10 0 0", "mailbox 15 0 0", "15 sent, 0 due", "nothing is lost, and nothing is duplicated"} {
		if status != 0 || !strings.Contains(strings.Join(strings.Fields(stdout), " "), want) {
			t.Errorf("status %d, no %q in\n%s%s", status, want, stdout, stderr)
		}
	}

	// A letter is taken out of the mailbox, and a row out of the database.
	db := d.database(t)
	var eventID, orderID string
	if err := db.QueryRow(t.Context(), `DELETE FROM notifications WHERE id = (SELECT id FROM notifications LIMIT 1)
		RETURNING event_id::text, order_id::text`).Scan(&eventID, &orderID); err != nil {
		t.Fatal(err)
	}
	mailID := d.dropMail(t)
	report, status := look()
	if status != 1 || report.Total != 2 {
		t.Fatalf("status %d, %+v", status, report)
	}
	for _, o := range report.Offenders {
		switch o.Check {
		case "notifications":
			if o.EventID != eventID || o.OrderID != orderID || o.UserID == "" {
				t.Errorf("the notification of event %s: %+v", eventID, o)
			}
		case "mailbox":
			if !strings.Contains(o.Problem, mailID) {
				t.Errorf("the letter %s: %+v", mailID, o)
			}
		default:
			t.Errorf("%+v", o)
		}
	}
	stdout, stderr, status = run(t, nil, "verify", "--data", data, "--settle", "0s")
	if status != 1 || !strings.Contains(stdout, "the first 2 of 2 offenders") || !strings.Contains(stdout, eventID) || !strings.Contains(stderr, "2 offenders") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	d.checkStatus(t, data)
	if status := d.stop(t, syscall.SIGTERM); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

// dropMail removes one message from Mailpit and returns its Message-ID.
func (d *dev) dropMail(t *testing.T) string {
	t.Helper()
	call := func(method, body string) []byte {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, d.state.MailpitURL+"/api/v1/messages", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // only read
		var raw json.RawMessage
		if method == http.MethodGet {
			if err := json.NewDecoder(resp.Body).Decode(&raw); err != nil {
				t.Fatal(err)
			}
		}
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s messages: %s", method, resp.Status)
		}
		return raw
	}
	var list struct {
		Messages []struct{ ID, MessageID string }
	}
	if err := json.Unmarshal(call(http.MethodGet, ""), &list); err != nil || len(list.Messages) == 0 {
		t.Fatal(err, list)
	}
	call(http.MethodDelete, `{"IDs":["`+list.Messages[0].ID+`"]}`)
	return list.Messages[0].MessageID
}

func TestVerifyUsage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"a window and a since":        {[]string{"--window", "1h", "--since", "2h"}, 2, "leave out --since and --until"},
		"a window of nothing":         {[]string{"--window", "0s"}, 2, "must be more than 0"},
		"a window that is backwards":  {[]string{"--since", "1h", "--until", "2h"}, 2, "--since must be before --until"},
		"a settle time below nothing": {[]string{"--settle", "-1s"}, 2, "must be 0 or more"},
		"neither stack nor database":  {nil, 1, "start it, or set DATABASE_URL and REDIS_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, stderr, status := run(t, nil, append([]string{"verify"}, test.args...)...)
			if status != test.status || !strings.Contains(stderr, test.want) {
				t.Errorf("status %d, %q, want %d and %q", status, stderr, test.status, test.want)
			}
		})
	}
}
