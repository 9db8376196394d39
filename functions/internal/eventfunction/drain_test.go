package eventfunction_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"orderbell/internal/order"
)

// slowAnswer is an SMTP server whose answer to a complete message the test controls.
func slowAnswer(t *testing.T, goOn <-chan struct{}) (address string, complete <-chan struct{}) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	done := make(chan struct{}, 1)
	talk := func(c net.Conn) {
		defer c.Close() //nolint:errcheck // the other end has gone
		answer := func(s string) { _, _ = io.WriteString(c, s+"\r\n") }
		answer("220 test")
		in := bufio.NewScanner(c)
		for in.Scan() {
			switch verb, _, _ := strings.Cut(strings.ToUpper(in.Text()), " "); verb {
			case "DATA":
				answer("354 go on")
				for in.Scan() && in.Text() != "." {
				}
				done <- struct{}{}
				<-goOn
				answer("250 taken")
			default:
				answer("250 ok")
			}
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go talk(c)
		}
	}()
	return l.Addr().String(), done
}

// TestAStoppedProgramWaitsForTheAnswerToItsMail stops a function, as each release does, while the SMTP server has its mail but
// has not answered. Another attempt would send a copy.
func TestAStoppedProgramWaitsForTheAnswerToItsMail(t *testing.T) {
	t.Parallel()
	b := setup(t)
	goOn := make(chan struct{})
	address, complete := slowAnswer(t, goOn)
	f := b.start(t, "SMTP_URL=smtp://"+address, "EMAIL_TRY_LIMIT=50ms")
	f.assertPost(t, newEvent(t, order.Paid), http.StatusAccepted)
	<-complete
	stopped := make(chan error, 1)
	go func() { stopped <- f.Stop(time.Minute) }()
	select { // longer than the program waits for a mail that the server does not have
	case <-f.Done():
		t.Error("the function did not wait for the answer")
	case <-time.After(10 * time.Second):
	}
	close(goOn)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if n := b.count("SELECT count(*) FROM email_deliveries WHERE status = 'sent' AND attempt = 1 AND ambiguous = 0"); n != 1 {
		t.Errorf("%d mails are marked as sent at the first attempt, want 1", n)
	}
}
