package eventfunction_test

import (
	"net/http"
	"path/filepath"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/uuid"

	"orderbell/internal/order"
)

// TestSweeperIsWokenByAnEvent has the mail server away when an order is paid. The running delivery-sweeper, woken as its
// PingSource does, brings the e-mail out once, however often it is woken.
func TestSweeperIsWokenByAnEvent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.start(t, "SMTP_URL=smtp://127.0.0.1:1").assertPost(t, newEvent(t, order.Paid), http.StatusAccepted)
	if n := b.count("SELECT count(*) FROM email_deliveries WHERE status = 'due'"); n != 1 || b.mailbox(t) != 0 {
		t.Fatalf("%d due, %d arrived", n, b.mailbox(t))
	}
	b.binary = filepath.Join(bin, "delivery-sweeper")
	sweeper := b.start(t)
	for range 2 {
		ping := cloudevents.NewEvent()
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
