package mailer

import (
	"errors"
	"net"
	"net/url"
	"strconv"

	"github.com/wneessen/go-mail"
)

// server is what SMTP_URL says.
type server struct {
	host           string
	port           int
	user, password string
	implicitTLS    bool
	startTLS       mail.TLSPolicy
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

func (s *server) setStartTLS(query url.Values) error {
	choice := query.Get("starttls")
	query.Del("starttls")
	if len(query) > 0 {
		return errors.New("SMTP_URL has a parameter other than starttls")
	}
	if choice == "" {
		choice = "auto"
		if s.user != "" {
			choice = "required" // or the password could be read on the way
		}
	} else if s.implicitTLS {
		return errors.New("SMTP_URL has starttls, but smtps is TLS from the first byte")
	}
	switch choice {
	case "required":
		s.startTLS = mail.TLSMandatory
	case "auto":
		s.startTLS = mail.TLSOpportunistic
	case "off":
		s.startTLS = mail.NoTLS
	default:
		return errors.New("SMTP_URL has a starttls that is not required, auto or off")
	}
	return nil
}

// options are go-mail's for one connection.
func (s server) options(cfg Config, dial mail.DialContextFunc) []mail.Option {
	options := []mail.Option{
		mail.WithPort(s.port), mail.WithTimeout(cfg.SendTimeout), mail.WithDialContextFunc(dial),
		mail.WithTLSPolicy(s.startTLS), mail.WithoutNoop(), mail.WithoutRset(),
	}
	if s.implicitTLS {
		options = append(options, mail.WithSSL())
	}
	if s.user != "" {
		plain, login := mail.SMTPAuthPlain, mail.SMTPAuthLogin // both refuse a line without TLS
		if s.startTLS != mail.TLSMandatory && !s.implicitTLS {
			plain, login = mail.SMTPAuthPlainNoEnc, mail.SMTPAuthLoginNoEnc // SMTP_URL says so
		}
		options = append(options, mail.WithUsername(s.user), mail.WithPassword(s.password),
			mail.WithOpportunisticSMTPAuth(mail.SMTPAuthSCRAMSHA256, plain, login, mail.SMTPAuthCramMD5))
	}
	return options
}
