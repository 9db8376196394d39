//go:build cluster

package cluster_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// verified is the output of `orderbell verify --json`.
type verified struct {
	Checks []struct {
		Name      string
		Looked    int `json:"looked_at"`
		Offenders int
	}
	Mails     struct{ Failed int } `json:"e_mails"`
	Total     int                  `json:"offenders_in_all"`
	Offenders []map[string]string  // the first of them
}

func (v verified) looked(check string) int {
	for _, c := range v.Checks {
		if c.Name == check {
			return c.Looked
		}
	}
	return -1
}

// verify runs `orderbell verify` for this run's tenant. It leaves out the mailbox, because Mailpit keeps the last mails only.
func (w *world) verify(t *testing.T) (v verified, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), env(t, "CLUSTER_ORDERBELL"), "verify", "--tenant", tenant, "--settle", "0s", "--json")
	cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "MAILPIT_URL=") })
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	ended := cmd.Run()
	if err := json.Unmarshal(stdout.Bytes(), &v); err != nil {
		return v, fmt.Errorf("orderbell verify: %w, %s", errors.Join(ended, err), stderr.String())
	}
	switch {
	case v.Total > 0:
		return v, fmt.Errorf("%d offenders, the first of them: %v", v.Total, v.Offenders)
	case ended != nil:
		return v, fmt.Errorf("orderbell verify printed no result: %w, %s", ended, stderr.String())
	default:
		return v, nil
	}
}

// consistent checks with `orderbell verify` that nothing is lost or duplicated. Events in transit have a minute to arrive; lost
// or duplicated ones are still found after it.
func (w *world) consistent(t *testing.T) {
	t.Helper()
	var v verified
	eventually(t, time.Minute, "orderbell verify to find no offender", func() (err error) {
		v, err = w.verify(t)
		return err
	})
	events := w.count(t, `SELECT count(*) FROM outbox WHERE tenant_id = $1`, tenant)
	payments := w.count(t, `SELECT count(*) FROM outbox WHERE tenant_id = $1 AND type = 'order_paid'`, tenant)
	// Check that it compared everything: the tenant's owner alone has a notification and a mail of each payment.
	for check, want := range map[string]int{
		"orders": events, "outbox": events, "records": events, "notifications": payments, "e-mails": payments,
	} {
		if got := v.looked(check); got != want {
			t.Errorf("orderbell verify checked %d %s, want all %d", got, check, want)
		}
	}
	if v.Mails.Failed > 0 {
		t.Errorf("%d e-mails failed", v.Mails.Failed)
	}
	w.report.figure(t, "orderbell verify, of all so far", "%d events, %d notifications, %d e-mails, %d of them still in the stream: "+
		"0 lost, 0 doubled", events, v.looked("notifications"), v.looked("e-mails"), v.looked("stream"))
}
