package eventfunction_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"orderbell/internal/dev/waittest"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/order"
)

// deadEnd is a server that accepts connections and sends nothing but its greeting.
func deadEnd(t *testing.T, greeting string) (address string, connected <-chan struct{}) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	first := make(chan struct{}, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close() //nolint:errcheck // the other end has gone
				_, _ = io.WriteString(c, greeting)
				select {
				case first <- struct{}{}:
				default:
				}
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
	return l.Addr().String(), first
}

// killAt delivers ce to f and kills f, as the kernel would, once it is there.
func killAt(t *testing.T, f *function, ce cloudevent.Event, there func()) {
	t.Helper()
	answered := make(chan int)
	go func() {
		status, _ := f.post(t, ce)
		answered <- status
	}()
	there()
	f.Kill()
	<-f.Done()
	if status := <-answered; status != 0 {
		t.Fatalf("it answered %d before it died", status)
	}
}

// TestKilled kills the process at each arrow of the design's crash table and delivers the event again.
func TestKilled(t *testing.T) {
	t.Parallel()
	t.Run("before the commit nothing happened", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		ce := newEvent(t, order.Paid)
		unlock := b.lock()
		killAt(t, b.start(t), ce, func() {
			waittest.Until(t, "the insert waits for the lock", func() bool {
				return b.count("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'event_records'::regclass") > 0
			})
		})
		// The server notices the client's death when it answers: the transaction must not survive it.
		b.exec("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND relation = 'event_records'::regclass")
		unlock()
		if n := b.count("SELECT count(*) FROM event_records") + b.streamLength(t); n != 0 {
			t.Fatalf("%d traces", n)
		}
		b.start(t).assertPost(t, ce, http.StatusAccepted)
		b.assertOnce(t)
	})
	t.Run("between commit and publishing the redelivery publishes", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		ce := newEvent(t, order.Paid)
		address, _ := deadEnd(t, "")
		killAt(t, b.start(t, "REDIS_URL=redis://"+address+"?read_timeout=2m&dial_timeout=2m"), ce, func() {
			waittest.Until(t, "the event is committed", func() bool { return b.count("SELECT count(*) FROM event_records") == 1 })
		})
		b.start(t).assertPost(t, ce, http.StatusAccepted)
		b.assertOnce(t)
	})
	t.Run("between publishing and claiming its mail the redelivery sends it", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		ce := newEvent(t, order.Paid)
		address, connected := deadEnd(t, "")
		killAt(t, b.start(t, "SMTP_URL=smtp://"+address, "SMTP_CONNECT_TIMEOUT=2m"), ce, func() { <-connected })
		if n := b.streamLength(t); n != 1 {
			t.Fatalf("%d messages in the stream", n)
		}
		b.start(t).assertPost(t, ce, http.StatusAccepted)
		b.assertOnce(t)
	})
	t.Run("between claiming and sending its mail the mail waits for its lease, and counts as ambiguous", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		ce := newEvent(t, order.Paid)
		address, _ := deadEnd(t, "220 hello\r\n250 hello\r\n") // connected, and nothing sent
		killAt(t, b.start(t, "SMTP_URL=smtp://"+address), ce, func() {
			waittest.Until(t, "the e-mail is claimed", func() bool {
				return b.count("SELECT count(*) FROM email_deliveries WHERE attempt = 1 AND lease_until > now()") == 1
			})
		})
		f := b.start(t)
		f.assertPost(t, ce, http.StatusAccepted)
		if n := b.mailbox(t); n != 0 {
			t.Errorf("%d mails went out under another's lease", n)
		}
		b.exec("UPDATE email_deliveries SET lease_until = now(), next_attempt_at = now()") // the lease runs out
		f.assertPost(t, ce, http.StatusAccepted)
		b.assertOnce(t)
		if n := b.count("SELECT ambiguous FROM email_deliveries"); n != 1 {
			t.Errorf("%d ambiguous attempts, want 1: it is unknown whether it was sent", n)
		}
	})
	t.Run("before the answer the redelivery does nothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		ce := newEvent(t, order.Paid)
		f := b.start(t)
		f.assertPost(t, ce, http.StatusAccepted) // the event is handled, but the broker did not get the answer
		f.Kill()
		<-f.Done()
		b.start(t).assertPost(t, ce, http.StatusAccepted)
		b.assertOnce(t)
	})
	t.Run("a stop waits for a mail under way", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		proxy := slowSMTP(t, strings.TrimPrefix(b.mail.SMTPURL(), "smtp://"))
		f := b.start(t, "SMTP_URL=smtp://"+proxy.address, "EMAIL_TRY_LIMIT=1ms")
		f.assertPost(t, newEvent(t, order.Paid), http.StatusAccepted)
		<-proxy.connected
		stopped := make(chan error)
		go func() { stopped <- f.Stop(patience) }()
		waittest.Until(t, "it stops listening", func() bool {
			c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", f.Address)
			if err == nil {
				_ = c.Close()
			}
			return err != nil
		})
		close(proxy.goOn)
		if err := <-stopped; err != nil || f.Err() != nil {
			t.Errorf("%v, %v\n%s", err, f.Err(), f.Log())
		}
		b.assertOnce(t)
	})
}

// slowProxy passes connections on, but not before goOn is closed.
type slowProxy struct {
	address   string
	connected chan struct{} // closed with the first connection
	goOn      chan struct{}
}

func slowSMTP(t *testing.T, server string) *slowProxy {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &slowProxy{address: l.Addr().String(), connected: make(chan struct{}), goOn: make(chan struct{})}
	go func() {
		in, err := l.Accept()
		if err != nil {
			return
		}
		close(p.connected)
		<-p.goOn
		out, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", server)
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(out, in) }()
		_, _ = io.Copy(in, out)
		_ = in.Close()
	}()
	return p
}
