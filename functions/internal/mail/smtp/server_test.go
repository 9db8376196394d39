package smtp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/functions/internal/mail/smtp"
	"orderbell/internal/dev/embedded"
	"orderbell/internal/mail"
	"orderbell/internal/text"
)

func TestNew(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*smtp.Config)
		want   string
	}{
		"no scheme":               {func(c *smtp.Config) { c.URL = "mail.example:25" }, "SMTP_URL is not of the form"},
		"another scheme":          {func(c *smtp.Config) { c.URL = "http://mail.example" }, "SMTP_URL is not of the form"},
		"a raw percent sign":      {func(c *smtp.Config) { c.URL = "smtp://u:secr%et@mail.example" }, "percent-encoded"},
		"a path":                  {func(c *smtp.Config) { c.URL = "smtp://mail.example/x" }, "SMTP_URL is not of the form"},
		"port 0":                  {func(c *smtp.Config) { c.URL = "smtp://mail.example:0" }, "port"},
		"port 70000":              {func(c *smtp.Config) { c.URL = "smtp://mail.example:70000" }, "port"},
		"another starttls":        {func(c *smtp.Config) { c.URL = "smtp://mail.example?starttls=maybe" }, "starttls that is not required, auto or off"},
		"smtps and starttls":      {func(c *smtp.Config) { c.URL = "smtps://mail.example?starttls=off" }, "TLS from the first byte"},
		"an unknown parameter":    {func(c *smtp.Config) { c.URL = "smtp://mail.example?tls=off" }, "parameter other than starttls"},
		"no sender":               {func(c *smtp.Config) { c.From = "Orderbell" }, "MAIL_FROM"},
		"no connections":          {func(c *smtp.Config) { c.MaxConns = 0 }, "SMTP_MAX_CONNS is 0"},
		"a sender at one label":   {func(c *smtp.Config) { c.From = "bell@localhost" }, "MAIL_FROM"},
		"a name of two lines":     {func(c *smtp.Config) { c.From = "=?utf-8?q?a=0Ab?= <bell@b.example>" }, "MAIL_FROM"},
		"a bare host name":        {func(c *smtp.Config) { c.EHLOName = "till-7" }, "SMTP_EHLO_NAME"},
		"a bare address":          {func(c *smtp.Config) { c.EHLOName = "192.0.2.1" }, "SMTP_EHLO_NAME"},
		"no file of authorities":  {func(c *smtp.Config) { c.CAFile = "nowhere.pem" }, "SMTP_TLS_CA_FILE"},
		"a file of something":     {func(c *smtp.Config) { c.CAFile = "smtp.go" }, "SMTP_TLS_CA_FILE"},
		"a command time-out of 0": {func(c *smtp.Config) { c.CommandTimeout = 0 }, "SMTP_COMMAND_TIMEOUT"},
		"a final time-out of 0":   {func(c *smtp.Config) { c.FinalTimeout = 0 }, "SMTP_FINAL_TIMEOUT"},
		"a connect time-out of 0": {func(c *smtp.Config) { c.ConnectTimeout = 0 }, "SMTP_CONNECT_TIMEOUT"},
	} {
		t.Run(name+" is an error that names the variable and keeps the password", func(t *testing.T) {
			t.Parallel()
			cfg := config("smtp://mail.example")
			tt.change(&cfg)
			_, err := smtp.New(cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secr") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	t.Run("Message-IDs end in the sender's domain", func(t *testing.T) {
		t.Parallel()
		if got, err := config("").Domain(); err != nil || got != "orderbell.example" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestEHLO(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ from, given, want string }{
		"the sender's domain":         {"bell@orderbell.example", "", "orderbell.example"},
		"an international domain":     {"bell@bücher.example", "", "xn--bcher-kva.example"},
		"a name that is set":          {"bell@orderbell.example", "Mail.Orderbell.example", "mail.orderbell.example"},
		"an address literal":          {"bell@orderbell.example", "[192.0.2.1]", "[192.0.2.1]"},
		"an address literal for IPv6": {"bell@orderbell.example", "[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"},
	} {
		t.Run("the client calls itself by "+name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, nil)
			cfg := config(s.url())
			cfg.From, cfg.EHLOName = tt.from, tt.given
			if err := send(t, setup(t, cfg), aMail()); err != nil {
				t.Fatal(err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if diff := cmp.Diff([]string{tt.want}, s.names); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPasswordStaysHome(t *testing.T) {
	t.Parallel()
	s := serve(t, nil) // offers no TLS
	err := send(t, setup(t, config("smtp://user:secret@"+s.address)), aMail())
	assertFate(t, err, mail.Held, 0)
	if !strings.Contains(err.Error(), "STARTTLS") {
		t.Errorf("the reason is %v", err)
	}
}

// TestTLS runs itself once more per server, in a process whose trusted certificates are the test's.
func TestTLS(t *testing.T) {
	t.Parallel()
	if url := os.Getenv("MAILER_TEST_URL"); url != "" {
		cfg := config(url)
		cfg.CAFile = os.Getenv("MAILER_TEST_CA_FILE")
		if err := send(t, setup(t, cfg), aMail()); err != nil {
			t.Fatal(err)
		}
		return
	}
	offer, trusted := certificate(t)
	implicit := serveOn(t, tls.NewListener(listen(t), offer), offer, nil)
	starttls := serveOn(t, listen(t), offer, nil)
	implicitFile := serveOn(t, tls.NewListener(listen(t), offer), offer, nil)
	starttlsFile := serveOn(t, listen(t), offer, nil)
	plain := serveOn(t, listen(t), offer, func(s step) string {
		if s.verb == "STARTTLS" {
			return "454 4.7.0 not today"
		}
		return ""
	})
	login := "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00us@er\x00pass:word"))
	for name, tt := range map[string]struct {
		server *smtpServer
		url    string
		trust  string
	}{
		"smtps":                  {implicit, "smtps://us%40er:pass%3Aword@" + implicit.address, "SSL_CERT_FILE"},
		"smtp with STARTTLS":     {starttls, "smtp://us%40er:pass%3Aword@" + starttls.address, "SSL_CERT_FILE"},
		"smtp with starttls=off": {plain, "smtp://us%40er:pass%3Aword@" + plain.address + "?starttls=off", "SSL_CERT_FILE"},
		"smtps with a file of authorities": {
			implicitFile, "smtps://us%40er:pass%3Aword@" + implicitFile.address, "MAILER_TEST_CA_FILE",
		},
		"STARTTLS with a file of authorities": {
			starttlsFile, "smtp://us%40er:pass%3Aword@" + starttlsFile.address, "MAILER_TEST_CA_FILE",
		},
	} {
		t.Run(name+" logs in and sends", func(t *testing.T) {
			t.Parallel()
			again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTLS$") //nolint:gosec // this very test
			again.Env = append(os.Environ(), "MAILER_TEST_URL="+tt.url, tt.trust+"="+trusted)
			if out, err := again.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			tt.server.mu.Lock()
			defer tt.server.mu.Unlock()
			if diff := cmp.Diff([]string{login}, tt.server.logins); diff != "" || len(tt.server.messages) != 1 {
				t.Errorf("logins %s, %d messages", diff, len(tt.server.messages))
			}
		})
	}
	t.Run("a certificate of an unknown authority is not trusted", func(t *testing.T) {
		t.Parallel()
		s := serveOn(t, tls.NewListener(listen(t), offer), nil, nil)
		err := send(t, setup(t, config("smtps://"+s.address)), aMail())
		assertFate(t, err, mail.Held, 0)
		if !strings.Contains(err.Error(), "certificate") {
			t.Errorf("the reason is %v", err)
		}
	})
}

// certificate returns a server's configuration for 127.0.0.1 and the file with its authority.
func certificate(t *testing.T) (offer *tls.Config, trusted string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	trusted = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}, trusted
}

// TestMailpit sends to the development server, which parses mails independently.
func TestMailpit(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "mailpit")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/axllent/mailpit")
	build.Dir = filepath.Join("..", "..", "..", "..", "tools")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build mailpit: %v\n%s", err, out)
	}
	server, err := embedded.NewMailpit(t.Context(), binary, "")
	if err != nil {
		t.Fatal(err)
	}
	running, err := server.Start(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = running.Stop(patience) })
	m := setup(t, config(server.SMTPURL()))
	for range 3 {
		if err := send(t, m, aMail()); err != nil {
			t.Fatal(err)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL()+"/api/v1/messages", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	type address struct{ Name, Address string }
	var got struct {
		Messages []struct {
			MessageID, Subject string
			From               address
			To                 []address
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if len(got.Messages) != 3 {
		t.Fatalf("%d messages", len(got.Messages))
	}
	first := got.Messages[0]
	if first.MessageID != aMail().MessageID || first.Subject != aMail().Subject ||
		first.From != (address{"Orderbell", "bell@orderbell.example"}) ||
		!slices.Equal(first.To, []address{{"Ayu Sé", "owner@demo.example"}}) {
		t.Errorf("got %+v", first)
	}
}

// TestAnswersThatNoRowCouldHold are answers that a database, a log or a terminal would not take as they are.
func TestAnswersThatNoRowCouldHold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at, answer, want string
		fate             mail.Fate
	}{
		"Latin-1":                   {"RCPT", "550 5.1.1 unbekannte Adresse, Schl\xfcssel", "550 5.1.1 unbekannte Adresse, Schl\ufffdssel", mail.Refused},
		"controls and bidi":         {"RCPT", "550 5.1.1 no\x00 such\x1b[31m\x07 \u202ebox\u2028", "5.1.1 no such [31m box", mail.Refused},
		"several lines":             {"RCPT", "550-5.1.1 no\r\n550 5.1.1 \x9bsuch box", "550 5.1.1 no 5.1.1 \ufffdsuch box", mail.Refused},
		"Latin-1 of the final dot":  {".", "451 4.3.0 sp\xe4ter", "4.3.0 sp\ufffdter", mail.Held},
		"a line without an end":     {"RCPT", "550 5.1.1 " + strings.Repeat("x", 1<<20), "more than 262144 bytes", mail.Held},
		"one after the message":     {".", "250 " + strings.Repeat("x", 1<<20), "more than 262144 bytes", mail.Unknown},
		"one instead of a greeting": {"CONNECT", "220 " + strings.Repeat("x", 1<<20), "more than 262144 bytes", mail.Held},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(at step) string {
				if at.verb == c.at {
					return c.answer
				}
				return ""
			})
			err := send(t, setup(t, config(s.url())), aMail())
			var failure *mail.SendError
			if !errors.As(err, &failure) || failure.Fate != c.fate || !strings.Contains(failure.Err.Error(), c.want) || text.Line(failure.Err.Error()) != failure.Err.Error() {
				t.Errorf("got %.300q, want the fate %s and %q", err, c.fate, c.want)
			}
		})
	}
}

// TestASlowServer greets late, and answers a complete message late. Each of these two answers has a time limit of its own, by
// default at least that of RFC 5321 §4.5.3.2.
func TestASlowServer(t *testing.T) {
	t.Parallel()
	for name, least := range map[string]time.Duration{"ConnectTimeout": 5 * time.Minute, "CommandTimeout": 5 * time.Minute, "FinalTimeout": 10 * time.Minute} {
		field, _ := reflect.TypeFor[smtp.Config]().FieldByName(name)
		if is, err := time.ParseDuration(field.Tag.Get("default")); err != nil || is < least {
			t.Errorf("%s is %s by default, %v; want %s or more", name, is, err, least)
		}
	}
	const usual = 4 * time.Second
	for at, late := range map[string]time.Duration{"CONNECT": 16 * time.Second /* go-mail's own limit is 15 s */, ".": usual + usual/2} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(is step) string {
				if is.verb == at {
					<-time.After(late)
				}
				return ""
			})
			cfg := config(s.url())
			cfg.CommandTimeout = usual
			if err := send(t, setup(t, cfg), aMail()); err != nil || len(s.received()) != 1 {
				t.Errorf("%v, the server has %d mails; want one", err, len(s.received()))
			}
		})
	}
}
