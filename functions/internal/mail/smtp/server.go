package smtp

import (
	"errors"
	"net"
	"net/url"
	"strconv"

	gomail "github.com/wneessen/go-mail"
)

// server is what SMTP_URL says.
type server struct {
	host           string
	port           int
	user, password string
	implicitTLS    bool
	startTLS       gomail.TLSPolicy
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

// options are go-mail's for one connection.
func (s server) options(cfg Config, dial gomail.DialContextFunc) []gomail.Option {
	options := []gomail.Option{
		gomail.WithPort(s.port), gomail.WithTimeout(cfg.SendTimeout), gomail.WithDialContextFunc(dial),
		gomail.WithTLSPolicy(s.startTLS), gomail.WithoutNoop(), gomail.WithoutRset(),
	}
	if s.implicitTLS {
		options = append(options, gomail.WithSSL())
	}
	if s.user != "" {
		plain, login := gomail.SMTPAuthPlain, gomail.SMTPAuthLogin // both refuse a line without TLS
		if s.startTLS != gomail.TLSMandatory && !s.implicitTLS {
			plain, login = gomail.SMTPAuthPlainNoEnc, gomail.SMTPAuthLoginNoEnc // SMTP_URL says so
		}
		options = append(options, gomail.WithUsername(s.user), gomail.WithPassword(s.password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, plain, login, gomail.SMTPAuthCramMD5))
	}
	return options
}
