//go:build cluster

package cluster_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// testSweep sends the request of the PingSource to delivery-sweeper at once, and checks that it sends the due mails.
func (w *world) testSweep(t *testing.T) {
	due := func() int {
		return w.count(t, `SELECT count(*) FROM email_deliveries WHERE tenant_id = $1 AND status = 'due'`, tenant)
	}
	// Mails that timed out wait for their next attempt. Make them due now.
	w.exec(t, `UPDATE email_deliveries SET next_attempt_at = now() WHERE tenant_id = $1 AND status = 'due'`, tenant)
	w.exec(t, `UPDATE email_deliveries SET status = 'due', sent_at = NULL, next_attempt_at = now() WHERE id IN
		(SELECT id FROM email_deliveries WHERE tenant_id = $1 AND status = 'sent' LIMIT 10)`, tenant)
	before := due()
	began := time.Now()
	eventually(t, 6*time.Minute, "no e-mail to be due", func() error {
		if err := w.sweep(t); err != nil {
			return err
		}
		if n := due(); n > 0 {
			return fmt.Errorf("%d e-mails are due", n)
		}
		return nil
	})
	w.report.figure(t, "due e-mails swept", "%d in %s, delivery-sweeper from zero", before, seconds(time.Since(began)))

	came := arrived(t) - w.mails
	sent := w.count(t, `SELECT count(*) FROM email_deliveries WHERE tenant_id = $1 AND status = 'sent'`, tenant)
	unsure := w.count(t, `SELECT coalesce(sum(ambiguous), 0) FROM email_deliveries WHERE tenant_id = $1`, tenant)
	again := min(before, 10)                       // made due above although they had been sent
	if came < sent || came > sent+unsure+again+1 { // one may be in transit where a pod was killed
		t.Errorf("%d mails arrived, %d were sent and %d may have been sent twice", came, sent, unsure+again)
	}
	w.report.figure(t, "e-mails", "%d sent, %d arrived, 10 of them sent again on purpose", sent, came)
}

// sweep sends the request of the PingSource to delivery-sweeper.
func (w *world) sweep(t *testing.T) error {
	t.Helper()
	ingress := w.kube.clusterIP(t, "knative-ingress", "ingress-local")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+ingress+"/", strings.NewReader("{}"))
	if err != nil {
		return err
	}
	req.Host = "delivery-sweeper." + namespace + ".svc.cluster.local"
	for name, value := range map[string]string{
		"Ce-Specversion": "1.0", "Ce-Id": uuid.NewString(), "Ce-Source": "/cluster-test", "Ce-Type": "dev.knative.sources.ping",
		"Content-Type": "application/json", "Authorization": "Bearer " + w.sourceToken(t),
	} {
		req.Header.Set(name, value)
	}
	resp, err := (&http.Client{Timeout: 5 * time.Minute}).Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("delivery-sweeper answered %d", resp.StatusCode)
	}
	return nil
}

// sourceToken returns a token that delivery-sweeper's PingSource would send.
func (w *world) sourceToken(t *testing.T) string {
	t.Helper()
	var source struct {
		Status struct {
			Auth struct {
				ServiceAccountName string `json:"serviceAccountName"`
			} `json:"auth"`
		} `json:"status"`
	}
	if err := w.kube.do(t.Context(), http.MethodGet, "/apis/sources.knative.dev/v1/namespaces/"+namespace+"/pingsources/delivery-sweeper", "", nil, &source); err != nil {
		t.Fatal(err)
	}
	var request struct {
		Status struct {
			Token string `json:"token"`
		} `json:"status"`
	}
	account := "/api/v1/namespaces/" + namespace + "/serviceaccounts/" + source.Status.Auth.ServiceAccountName + "/token"
	body := []byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"audiences":["` + namespace + `/delivery-sweeper"]}}`)
	if err := w.kube.do(t.Context(), http.MethodPost, account, "application/json", body, &request); err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

// arrived returns the number of mails that Mailpit has accepted since it started.
func arrived(t *testing.T) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, env(t, "MAILPIT_URL")+"/api/v1/info", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var info struct {
		RuntimeStats struct{ SMTPAccepted int } // it keeps the last 500 only
	}
	if err := json.NewDecoder(resp.Body).Decode(&info); err != nil {
		t.Fatal(err)
	}
	return info.RuntimeStats.SMTPAccepted
}
