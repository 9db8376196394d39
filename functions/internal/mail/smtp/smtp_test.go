package smtp_test

import (
	"context"
	"errors"
	netmail "net/mail"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/functions/internal/mail/smtp"
	"orderbell/internal/mail"
)

// patience is long, for slow machines; a test that waits for a time-out sets a short one.
const patience = time.Minute

func config(url string) smtp.Config {
	return smtp.Config{
		URL: url, From: "Orderbell <bell@orderbell.example>", MaxConns: 2,
		ConnectTimeout: patience, CommandTimeout: patience, FinalTimeout: patience,
	}
}

func setup(t *testing.T, cfg smtp.Config) *smtp.Mailer {
	t.Helper()
	m, err := smtp.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func aMail() mail.Mail {
	return mail.Mail{
		MessageID: "0193b5a2@orderbell.example", To: "owner@demo.example", ToName: "Ayu Sé", Subject: "Order A-1042 is paid",
		Text: "paid\n.\nend", HTML: "<p>paid</p>",
	}
}

// send sends one mail on a line of its own.
func send(t *testing.T, m *smtp.Mailer, l mail.Mail) error {
	t.Helper()
	line, err := m.Line(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer line.Close()
	return line.Send(t.Context(), l)
}

func TestSend(t *testing.T) {
	t.Parallel()
	t.Run("a mail arrives with its headers and both parts", func(t *testing.T) {
		t.Parallel()
		s := serve(t, nil)
		if err := send(t, setup(t, config(s.url())), aMail()); err != nil {
			t.Fatal(err)
		}
		got, err := netmail.ReadMessage(strings.NewReader(s.received()[0]))
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"Message-Id": "<0193b5a2@orderbell.example>", "From": `"Orderbell" <bell@orderbell.example>`,
			"To": "=?utf-8?q?Ayu_S=C3=A9?= <owner@demo.example>", "Subject": "Order A-1042 is paid",
			"Auto-Submitted": "auto-generated", "List-Unsubscribe": "", "List-Unsubscribe-Post": "", "User-Agent": "",
		} {
			if diff := cmp.Diff(want, got.Header.Get(name)); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
		if date, err := got.Header.Date(); err != nil || time.Since(date) > time.Hour {
			t.Errorf("Date %s, %v", date, err)
		}
		for _, part := range []string{"multipart/alternative", "text/plain", "text/html", "<p>paid</p>", "\n.\nend"} {
			if !strings.Contains(s.received()[0], part) {
				t.Errorf("no %q in %s", part, s.received()[0])
			}
		}
	})
	t.Run("a mail that can be unsubscribed says how", func(t *testing.T) {
		t.Parallel()
		s := serve(t, nil)
		l := aMail()
		l.Unsubscribe = "https://orderbell.example/unsubscribe?t=" + strings.Repeat("x", 200)
		if err := send(t, setup(t, config(s.url())), l); err != nil {
			t.Fatal(err)
		}
		got, err := netmail.ReadMessage(strings.NewReader(s.received()[0]))
		if err != nil {
			t.Fatal(err)
		}
		if got.Header.Get("List-Unsubscribe") != "<"+l.Unsubscribe+">" || got.Header.Get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" {
			t.Errorf("got %q, %q", got.Header.Get("List-Unsubscribe"), got.Header.Get("List-Unsubscribe-Post"))
		}
	})
}

// at answers with reply at one moment of the first connection.
func at(verb, reply string) script {
	return func(s step) string {
		if s.verb == verb {
			return reply
		}
		return ""
	}
}

func TestSendFate(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		script script
		fate   mail.Fate
		code   int
	}{
		"550 to the recipient":               {at("RCPT", "550 5.1.1 nobody here"), mail.Refused, 550},
		"450 to the recipient":               {at("RCPT", "450 4.2.1 greylisted"), mail.Deferred, 450},
		"553 to the sender":                  {at("MAIL", "553 5.1.8 no such domain"), mail.Held, 553},
		"530 to the sender":                  {at("MAIL", "530 5.7.0 log in first"), mail.Held, 530},
		"451 to DATA":                        {at("DATA", "451 4.3.0 not now"), mail.Held, 451},
		"452 to the message":                 {at(".", "452 4.3.1 disk full"), mail.Held, 452},
		"554 to the message":                 {at(".", "554 5.7.1 spam"), mail.Held, 554},
		"421 to the message":                 {at(".", "421 4.3.2 shutting down"), mail.Held, 421},
		"554 as greeting":                    {at("CONNECT", "554 5.3.2 go away"), mail.Held, 554},
		"421 as greeting":                    {at("CONNECT", "421 4.3.2 busy"), mail.Held, 421},
		"a connection that ends as greeting": {at("CONNECT", hangUp), mail.Held, 0},
		"a connection that ends at EHLO":     {at("EHLO", hangUp), mail.Held, 0},
		"a connection that ends at RCPT":     {at("RCPT", hangUp), mail.Held, 0},
		"a connection that ends at DATA":     {at("DATA", hangUp), mail.Held, 0},
		"a connection that ends after data":  {at(".", hangUp), mail.Unknown, 0},
	} {
		t.Run(name+" is "+string(tt.fate), func(t *testing.T) {
			t.Parallel()
			s := serve(t, tt.script)
			err := send(t, setup(t, config(s.url())), aMail())
			assertFate(t, err, tt.fate, tt.code)
			if n := len(s.received()); n != 0 {
				t.Errorf("%d messages were accepted", n)
			}
		})
	}
	t.Run("a server that does not answer holds the mail", func(t *testing.T) {
		t.Parallel()
		l := listen(t)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		assertFate(t, send(t, setup(t, config("smtp://"+l.Addr().String())), aMail()), mail.Held, 0)
	})
	const command = "CommandTimeout"
	for verb, tt := range map[string]struct {
		fate  mail.Fate
		limit string // the only one that is short
	}{
		"CONNECT": {mail.Held, "ConnectTimeout"}, "EHLO": {mail.Held, "ConnectTimeout"}, "MAIL": {mail.Held, command},
		"RCPT": {mail.Held, command}, "DATA": {mail.Held, command}, ".": {mail.Unknown, "FinalTimeout"},
	} {
		t.Run("a server that does not answer "+verb+" within "+tt.limit+" leaves a mail "+string(tt.fate), func(t *testing.T) {
			t.Parallel()
			cfg, began := config(serve(t, at(verb, stall)).url()), time.Now()
			reflect.ValueOf(&cfg).Elem().FieldByName(tt.limit).SetInt(int64(300 * time.Millisecond))
			assertFate(t, send(t, setup(t, cfg), aMail()), tt.fate, 0)
			if took := time.Since(began); took > patience/2 {
				t.Errorf("the wait took %s", took)
			}
		})
	}
	for _, verb := range []string{"CONNECT", "EHLO", "MAIL", "RCPT", "DATA"} {
		t.Run("the caller's deadline ends a wait at "+verb, func(t *testing.T) {
			t.Parallel()
			line, err := setup(t, config(serve(t, at(verb, stall)).url())).Line(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer line.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			assertFate(t, line.Send(ctx, aMail()), mail.Held, 0)
		})
	}
	t.Run("the caller's deadline does not end the wait for the answer to a complete message", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		s := serve(t, func(s step) string {
			if s.verb == "." {
				cancel() // and then the answer
			}
			return ""
		})
		line, err := setup(t, config(s.url())).Line(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer line.Close()
		if err := line.Send(ctx, aMail()); err != nil || len(s.received()) != 1 {
			t.Errorf("%v, %d messages", err, len(s.received()))
		}
	})
}

func assertFate(t *testing.T, err error, fate mail.Fate, code int) {
	t.Helper()
	var failure *mail.SendError
	if !errors.As(err, &failure) {
		t.Fatalf("got %v, want a SendError", err)
	}
	if failure.Fate != fate || failure.Code != code {
		t.Errorf("got %s %d (%v), want %s %d", failure.Fate, failure.Code, failure.Err, fate, code)
	}
	if strings.ContainsAny(failure.Error(), "\r\n") {
		t.Errorf("the reason has more than one line: %q", failure.Error())
	}
}

func TestSendRefusesWhatBreaksHeaders(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	m := setup(t, config(s.url()))
	for name, change := range map[string]func(*mail.Mail){
		"a subject of two lines":           func(l *mail.Mail) { l.Subject = "a\r\nBcc: x@example.com" },
		"a name of two lines":              func(l *mail.Mail) { l.ToName = "a\nb" },
		"a Message-ID of two lines":        func(l *mail.Mail) { l.MessageID = "a\r\nb" },
		"an unsubscribe URL of two":        func(l *mail.Mail) { l.Unsubscribe = "https://x.example/\r\nX: y" },
		"an unsubscribe URL of no server":  func(l *mail.Mail) { l.Unsubscribe = "https:///x" },
		"an unsubscribe URL without TLS":   func(l *mail.Mail) { l.Unsubscribe = "http://x.example/" },
		"no address":                       func(l *mail.Mail) { l.To = "" },
		"an address of two":                func(l *mail.Mail) { l.To = "a@x.example, b@x.example" },
		"an address of two lines":          func(l *mail.Mail) { l.To = "a@x.example>\r\nRCPT TO:<b@x.example" },
		"an address with a name before it": func(l *mail.Mail) { l.To = "Ayu <a@x.example>" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := aMail()
			change(&l)
			assertFate(t, send(t, m, l), mail.Refused, 0)
		})
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	t.Run("mails use the open connections, never more than the limit", func(t *testing.T) {
		t.Parallel()
		s := serve(t, nil)
		m := setup(t, config(s.url()))
		const letters = 40
		var wg sync.WaitGroup
		for range letters {
			wg.Go(func() {
				if err := send(t, m, aMail()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if all, most := s.connections(); all > 2 || most > 2 || len(s.received()) != letters {
			t.Errorf("%d connections, %d at once, %d mails", all, most, len(s.received()))
		}
	})
	t.Run("a refusal keeps the connection", func(t *testing.T) {
		t.Parallel()
		s := serve(t, func(s step) string {
			if s.verb == "RCPT" && s.mail == 1 {
				return "550 5.1.1 nobody here"
			}
			return ""
		})
		m := setup(t, config(s.url()))
		assertFate(t, send(t, m, aMail()), mail.Refused, 550)
		if err := send(t, m, aMail()); err != nil {
			t.Error(err)
		}
		if all, _ := s.connections(); all != 1 {
			t.Errorf("%d connections", all)
		}
	})
	for name, second := range map[string]script{
		"has closed":            func(s step) string { return onFirst(s, s.verb == "NOOP", hangUp) },
		"ends at the next mail": func(s step) string { return onFirst(s, s.verb == "MAIL" && s.mail == 2, hangUp) },
		"ends with 421":         func(s step) string { return onFirst(s, s.verb == "MAIL" && s.mail == 2, "421 4.7.0 enough mails") },
	} {
		t.Run("a kept connection that the server "+name+" is replaced without a failure", func(t *testing.T) {
			t.Parallel()
			s := serve(t, second)
			m := setup(t, config(s.url()))
			for range 3 {
				if err := send(t, m, aMail()); err != nil {
					t.Error(err)
				}
			}
			if all, _ := s.connections(); all != 2 || len(s.received()) != 3 {
				t.Errorf("%d connections, %d mails", all, len(s.received()))
			}
		})
	}
	t.Run("a stall on a kept connection ends in time too", func(t *testing.T) {
		t.Parallel()
		s := serve(t, func(s step) string {
			if s.verb == "." && s.mail == 2 {
				return stall
			}
			return ""
		})
		cfg := config(s.url())
		cfg.FinalTimeout = 300 * time.Millisecond
		line, err := setup(t, cfg).Line(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer line.Close()
		if err := line.Send(t.Context(), aMail()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		assertFate(t, line.Send(t.Context(), aMail()), mail.Unknown, 0)
		if took := time.Since(began); took > patience/2 {
			t.Errorf("it took %s", took)
		}
	})
	t.Run("TryLine returns a free line, and does not wait for one", func(t *testing.T) {
		t.Parallel()
		m := setup(t, config(serve(t, nil).url()))
		first, ok := m.TryLine()
		second, ok2 := m.TryLine()
		if !ok || !ok2 {
			t.Fatal("two lines are not free")
		}
		if _, ok := m.TryLine(); ok {
			t.Error("there is a third line")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := m.Line(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waited for a third line: %v", err)
		}
		first.Close()
		first.Close() // harmless
		if _, ok := m.TryLine(); !ok {
			t.Error("a closed line is not free")
		}
		if _, ok := m.TryLine(); ok {
			t.Error("a line that was closed twice is free twice")
		}
		second.Close()
	})
	t.Run("a server that failed is not tried again at once, but a sweep may", func(t *testing.T) {
		t.Parallel()
		s := serve(t, func(s step) string {
			if s.verb == "CONNECT" && s.conn == 1 {
				return hangUp
			}
			return ""
		})
		m := setup(t, config(s.url()))
		line, ok := m.TryLine()
		if !ok {
			t.Fatal("no line")
		}
		if err := line.Open(t.Context()); err == nil {
			t.Fatalf("open: %v", err)
		}
		line.Close()
		if _, ok := m.TryLine(); ok {
			t.Error("it is tried at once")
		}
		if err := send(t, m, aMail()); err != nil { // as a sweep does
			t.Fatal(err)
		}
		if line, ok = m.TryLine(); !ok {
			t.Fatal("it works again, but is not tried")
		}
		line.Close()
	})
}

func onFirst(s step, when bool, reply string) string {
	if s.conn == 1 && when {
		return reply
	}
	return ""
}
