package verify_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orderbell/cmd/orderbell/internal/auditstore"
	"orderbell/cmd/orderbell/internal/verify"
	"orderbell/internal/audit"
)

func TestRunSkipsTheChecksWhoseStoreCannotBeRead(t *testing.T) {
	t.Parallel()
	w := sold(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	t.Cleanup(server.Close)
	all := []string{"orders", "outbox", "records", "notifications", "e-mails"}
	for name, tt := range map[string]struct {
		auditor verify.Auditor
		skipped []string
		why     string
	}{
		"the mailbox is not Mailpit": {
			verify.Auditor{Store: auditstore.New(w.pool), Mailbox: &verify.Mailbox{URL: server.URL}}, []string{"mailbox"}, "which is not Mailpit's answer",
		},
		"the mailbox has no address": {
			verify.Auditor{Store: auditstore.New(w.pool), Mailbox: &verify.Mailbox{URL: "http://%zz"}}, []string{"mailbox"}, "MAILPIT_URL",
		},
		"PostgreSQL is down": {verify.Auditor{Store: auditstore.New(closed(t))}, all, "database: "},
		"Redis is down": {
			verify.Auditor{Store: auditstore.New(w.pool), Feed: gone(t)}, []string{"stream"}, "redis: look events up",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := tt.auditor
			a.Options = verify.Options{Window: audit.Window{Since: w.began}, ReplayTTL: replayTTL}
			report, err := a.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var skipped []string
			for _, c := range report.Checks {
				if c.Skipped != "" {
					skipped = append(skipped, c.Name)
					if !strings.Contains(c.Skipped, tt.why) {
						t.Errorf("%s was skipped because of %q, want %q", c.Name, c.Skipped, tt.why)
					}
				} else if c.Looked == 0 {
					t.Errorf("%s ran and looked at nothing", c.Name)
				}
			}
			if diff := cmp.Diff(tt.skipped, skipped); diff != "" || report.Skipped != len(tt.skipped) || report.Total != 0 {
				t.Errorf("%d skipped, %d offenders, %s", report.Skipped, report.Total, diff)
			}
		})
	}
}

func TestRunRefusesAnUnknownTenant(t *testing.T) {
	t.Parallel()
	w := sold(t)
	a := &verify.Auditor{Store: auditstore.New(w.pool), Options: verify.Options{Window: audit.Window{Since: w.began, TenantID: "nope"}}}
	if _, err := a.Run(t.Context()); err == nil || !strings.Contains(err.Error(), `there is no tenant "nope"`) {
		t.Errorf("Run = %v", err)
	}
}

// slow is a store that answers only small pages.
type slow struct {
	verify.Store
	verify.Feed

	most int
}

// slowError is the error of a store that ran out of time.
type slowError struct{}

func (slowError) Error() string { return "i/o timeout" }

func (slowError) Temporary() bool { return true }

func (s slow) Records(ctx context.Context, w audit.Window, after audit.Place, limit int) ([]audit.Record, audit.Place, error) {
	if limit > s.most {
		return nil, audit.Place{}, slowError{}
	}
	return s.Store.Records(ctx, w, after, limit)
}

func (s slow) Presence(ctx context.Context, events []audit.Key) ([]audit.Presence, error) {
	if len(events) > s.most {
		return nil, slowError{}
	}
	return s.Feed.Presence(ctx, events)
}

func TestRunReadsASlowStoreInSmallerPages(t *testing.T) {
	t.Parallel()
	w := sold(t)
	report := w.verify(func(a *verify.Auditor) {
		s := slow{Store: a.Store, Feed: a.Feed, most: 15}
		a.Store, a.Feed = s, s
	})
	if report.Skipped != 0 || report.Total != 0 || report.Checks[2].Looked != 20 || report.Checks[5].Looked != 20 {
		t.Errorf("%+v", report)
	}
}
