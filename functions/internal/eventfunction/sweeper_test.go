package eventfunction_test

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"orderbell/internal/dev/waittest"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/order"
)

// TestSweeperIsWokenByAnEvent stops the mail server while an order is paid. The running delivery-sweeper, triggered as its
// PingSource does, sends the mail once, however often it is triggered.
func TestSweeperIsWokenByAnEvent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := b.start(t, "SMTP_URL=smtp://127.0.0.1:1")
	if status, text := f.ready(t); status != http.StatusNoContent || text != "" {
		t.Errorf("ready: %d %q", status, text)
	}
	f.assertPost(t, newEvent(t, order.Paid), http.StatusAccepted)
	// The program is still ready, since events must be applied without mail too, but the answer reports the error.
	waittest.Until(t, "readiness reports that there is no mail server", func() bool {
		status, text := f.ready(t)
		return status == http.StatusOK && strings.HasPrefix(text, "mail: no mail is taken since 20") && strings.Contains(text, "127.0.0.1:1")
	})
	if n := b.count("SELECT count(*) FROM email_deliveries WHERE status = 'due'"); n != 1 || b.mailbox(t) != 0 {
		t.Fatalf("%d due, %d arrived", n, b.mailbox(t))
	}
	b.binary = filepath.Join(bin, "delivery-sweeper")
	sweeper := b.start(t)
	for range 2 {
		ping := cloudevent.Empty()
		ping.SetID(uuid.NewString())
		ping.SetSource("/apis/v1/namespaces/orderbell/pingsources/delivery-sweeper")
		ping.SetType("dev.knative.sources.ping")
		sweeper.assertPost(t, ping, http.StatusAccepted)
	}
	b.assertOnce(t)
	if n := b.count("SELECT attempt FROM email_deliveries"); n != 1 {
		t.Errorf("%d attempts", n)
	}
}

// ready returns the answer to a readiness probe of f.
func (f *function) ready(t *testing.T) (status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.URL+"/healthz/ready", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
