package smtp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"orderbell/internal/address"
)

// server is the parsed SMTP_URL.
type server struct {
	host           string
	port           int
	user, password string
	implicitTLS    bool
	startTLS       gomail.TLSPolicy
	tls            *tls.Config
	ehlo           string // the name in EHLO
}

func (s server) address() string { return net.JoinHostPort(s.host, strconv.Itoa(s.port)) }

// parseServer never quotes the URL, which holds a password.
func parseServer(raw string) (server, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || (u.Scheme != "smtp" && u.Scheme != "smtps") || (u.Path != "" && u.Path != "/") {
		return server{}, errors.New("SMTP_URL is not of the form smtp://user:password@host:port or smtps://… " +
			"(special characters of the password are percent-encoded)")
	}
	s := server{host: u.Hostname(), port: 587, user: u.User.Username(), implicitTLS: u.Scheme == "smtps"}
	s.password, _ = u.User.Password()
	if s.implicitTLS {
		s.port = 465
	}
	if p := u.Port(); p != "" {
		if s.port, err = strconv.Atoi(p); err != nil || s.port < 1 || s.port > 65535 {
			return server{}, errors.New("SMTP_URL has a port that is not 1 to 65535")
		}
	}
	return s, s.setStartTLS(u.Query())
}

// trust sets up TLS: the server is checked against the authorities of the system, or those of a file.
func (s *server) trust(caFile string) error {
	s.tls = &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12}
	if caFile == "" {
		return nil
	}
	pem, err := os.ReadFile(caFile) //nolint:gosec // the operator's choice
	if err != nil {
		return fmt.Errorf("SMTP_TLS_CA_FILE: %w", err)
	}
	s.tls.RootCAs = x509.NewCertPool()
	if !s.tls.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("SMTP_TLS_CA_FILE: no certificate in %s", caFile)
	}
	return nil
}

// setEHLO sets the name that the client gives itself: a qualified one, or servers refuse its mail (RFC 5321 §4.1.4).
func (s *server) setEHLO(name, domainOfFrom string) error {
	if s.ehlo = domainOfFrom; name == "" {
		return nil
	}
	literal, isLiteral := strings.CutPrefix(name, "[")
	literal, closed := strings.CutSuffix(literal, "]")
	literal = strings.TrimPrefix(literal, "IPv6:")
	if isLiteral && closed && net.ParseIP(literal) != nil {
		s.ehlo = name
		return nil
	}
	domain, err := address.Domain(name)
	if err != nil {
		return fmt.Errorf("SMTP_EHLO_NAME is %q, want a host name with a domain, such as mail.example.com: %w", name, err)
	}
	s.ehlo = domain
	return nil
}

func (s *server) setStartTLS(query url.Values) error {
	choice := query.Get("starttls")
	query.Del("starttls")
	if len(query) > 0 {
		return errors.New("SMTP_URL has a parameter other than starttls")
	}
	if choice == "" {
		choice = "auto"
		if s.user != "" {
			choice = "required" // otherwise the password would be sent unencrypted
		}
	} else if s.implicitTLS {
		return errors.New("SMTP_URL has starttls, but smtps is TLS from the first byte")
	}
	switch choice {
	case "required":
		s.startTLS = gomail.TLSMandatory
	case "auto":
		s.startTLS = gomail.TLSOpportunistic
	case "off":
		s.startTLS = gomail.NoTLS
	default:
		return errors.New("SMTP_URL has a starttls that is not required, auto or off")
	}
	return nil
}

// options returns the go-mail options of one connection.
func (s server) options(cfg Config, dial gomail.DialContextFunc) []gomail.Option {
	options := []gomail.Option{
		gomail.WithPort(s.port), gomail.WithTimeout(cfg.ConnectTimeout), gomail.WithDialContextFunc(dial),
		gomail.WithTLSPolicy(s.startTLS), gomail.WithTLSConfig(s.tls), gomail.WithHELO(s.ehlo),
	}
	if s.implicitTLS {
		options = append(options, gomail.WithSSL())
	}
	if s.user != "" {
		plain, login := gomail.SMTPAuthPlain, gomail.SMTPAuthLogin // both require TLS
		if s.startTLS != gomail.TLSMandatory && !s.implicitTLS {
			plain, login = gomail.SMTPAuthPlainNoEnc, gomail.SMTPAuthLoginNoEnc // SMTP_URL says so
		}
		options = append(options, gomail.WithUsername(s.user), gomail.WithPassword(s.password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, plain, login, gomail.SMTPAuthCramMD5))
	}
	return options
}
