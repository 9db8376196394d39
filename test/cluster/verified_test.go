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

// verified is what `orderbell verify --json` says.
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

// verify asks the operator's tool about this run's tenant, up to now. The mailbox is left out: it keeps few mails.
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
		return v, fmt.Errorf("orderbell verify named no event: %w, %s", ended, stderr.String())
	default:
		return v, nil
	}
}

// consistent has `orderbell verify` compare the stores: nothing lost or duplicated. What is still on its way gets a
// minute; what is lost or double stays so.
func (w *world) consistent(t *testing.T) {
	t.Helper()
	var v verified
	eventually(t, time.Minute, "orderbell verify to find no offender", func() (err error) {
		v, err = w.verify(t)
		return err
	})
	events := w.count(t, `SELECT count(*) FROM outbox WHERE tenant_id = $1`, tenant)
	payments := w.count(t, `SELECT count(*) FROM outbox WHERE tenant_id = $1 AND type = 'order_paid'`, tenant)
	// That it looked at everything: the tenant's owner alone is told of payments, by both ways.
	for check, want := range map[string]int{
		"orders": events, "outbox": events, "records": events, "notifications": payments, "e-mails": payments,
	} {
		if got := v.looked(check); got != want {
			t.Errorf("orderbell verify looked at %d %s, want all %d", got, check, want)
		}
	}
	if v.Mails.Failed > 0 {
		t.Errorf("%d e-mails failed", v.Mails.Failed)
	}
	w.report.figure(t, "orderbell verify, of all so far", "%d events, %d notifications, %d e-mails, %d of them still in the stream: "+
		"0 lost, 0 doubled", events, v.looked("notifications"), v.looked("e-mails"), v.looked("stream"))
}
