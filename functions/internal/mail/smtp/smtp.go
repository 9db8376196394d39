// Package smtp sends mails through an SMTP server, over a bounded number of connections that are kept.
//
// The server's answer and the step that it answered decide the result of a mail (verdict.go): only a fault of the
// recipient is final. If the connection breaks between the end of the message and the server's answer, the result is
// unknown: the server may have accepted the mail (RFC 5321 §6.1).
package smtp

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"sync"
	"time"

	"orderbell/internal/address"
	"orderbell/internal/mail"
)

// Config has the server and the sender.
type Config struct {
	// URL is smtp://[user:password@]host[:587] or, for TLS from the first byte, smtps://[user:password@]host[:465].
	// With smtp, ?starttls= is required, auto (if the server has it) or off; required is the default where a password
	// is sent, auto elsewhere.
	URL  string `envconfig:"SMTP_URL" required:"true"`
	From string `envconfig:"MAIL_FROM" required:"true"` // an address, or Name <address>
	// EHLOName is the client's name in EHLO; "" for the domain of MAIL_FROM.
	EHLOName string `envconfig:"SMTP_EHLO_NAME"`
	CAFile   string `envconfig:"SMTP_TLS_CA_FILE"` // PEM; "" for the system's authorities
	// MaxConns is one instance's share of the server's connections, and of mails in flight.
	MaxConns int `envconfig:"SMTP_MAX_CONNS" default:"4"`
	// The timeouts are those of RFC 5321 §4.5.3.2.
	ConnectTimeout time.Duration `envconfig:"SMTP_CONNECT_TIMEOUT" default:"5m"` // greeting, TLS and login included
	CommandTimeout time.Duration `envconfig:"SMTP_COMMAND_TIMEOUT" default:"5m"` // each answer before the message is complete
	FinalTimeout   time.Duration `envconfig:"SMTP_FINAL_TIMEOUT" default:"10m"`  // the answer to a complete message
}

const (
	// pause is how long only sweeps try a server that failed. During an outage, events try it once in ten seconds at
	// most.
	pause = 10 * time.Second
	// keepIdle is shorter than the five minutes after which servers may close an idle connection (RFC 5321).
	keepIdle = 30 * time.Second
)

// Mailer is safe for concurrent use.
type Mailer struct {
	cfg    Config
	server server
	from   netmail.Address
	slots  chan struct{} // one element per line in use

	mu      sync.Mutex
	idle    []*conn
	closed  bool
	failing bool
	retryAt time.Time // while failing, TryLine returns false until then
}

// New checks cfg. It does not connect.
func New(cfg Config) (*Mailer, error) {
	server, err := parseServer(cfg.URL)
	if err != nil {
		return nil, err
	}
	from, err := cfg.address()
	if err != nil {
		return nil, err
	}
	if err := server.trust(cfg.CAFile); err != nil {
		return nil, err
	}
	if err := server.setEHLO(cfg.EHLOName, domainOf(from)); err != nil {
		return nil, err
	}
	switch {
	case cfg.MaxConns < 1:
		return nil, fmt.Errorf("SMTP_MAX_CONNS is %d, want 1 or more", cfg.MaxConns)
	case cfg.ConnectTimeout <= 0 || cfg.CommandTimeout <= 0 || cfg.FinalTimeout <= 0:
		return nil, errors.New("SMTP_CONNECT_TIMEOUT, SMTP_COMMAND_TIMEOUT and SMTP_FINAL_TIMEOUT must be more than 0")
	}
	return &Mailer{cfg: cfg, server: server, from: from, slots: make(chan struct{}, cfg.MaxConns)}, nil
}

// Domain returns the domain of MAIL_FROM, which is also that of Message-IDs.
func (c Config) Domain() (string, error) {
	from, err := c.address()
	return domainOf(from), err
}

func domainOf(a netmail.Address) string { return a.Address[strings.LastIndexByte(a.Address, '@')+1:] }

func (c Config) address() (netmail.Address, error) {
	from, err := address.ParseMailbox(c.From)
	if err != nil {
		return netmail.Address{}, fmt.Errorf("MAIL_FROM is %q: %w", c.From, err)
	}
	if hasControl(from.Name) {
		return netmail.Address{}, fmt.Errorf("MAIL_FROM is %q: the name contains a control character", c.From)
	}
	return from, nil
}

// TryLine reserves a line if one is free and the server has not just failed. It does not wait.
func (m *Mailer) TryLine() (mail.Line, bool) {
	select {
	case m.slots <- struct{}{}:
	default:
		return nil, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing {
		now := time.Now()
		if now.Before(m.retryAt) {
			<-m.slots
			return nil, false
		}
		m.retryAt = now.Add(pause) // this one tests the server for all
	}
	return &line{m: m}, true
}

// Line waits for a free line.
func (m *Mailer) Line(ctx context.Context) (mail.Line, error) {
	select {
	case m.slots <- struct{}{}:
		return &line{m: m}, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for an SMTP line: %w", ctx.Err())
	}
}

// failed and worked record the result of a line's connection.
func (m *Mailer) failed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failing, m.retryAt = true, time.Now().Add(pause)
}

func (m *Mailer) worked() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failing = false
}

// take returns the connection that was used last, or nil.
func (m *Mailer) take() *conn {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.idle) == 0 {
		return nil
	}
	c := m.idle[len(m.idle)-1]
	m.idle = m.idle[:len(m.idle)-1]
	c.expiry.Stop()
	return c
}

// keep stores c for the next line. There are never more than MaxConns, because a line holds its slot until then.
func (m *Mailer) keep(c *conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		go c.quit()
		return
	}
	c.expiry = time.AfterFunc(keepIdle, func() { m.expire(c) })
	m.idle = append(m.idle, c)
}

func (m *Mailer) expire(c *conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, other := range m.idle {
		if other == c {
			m.idle = append(m.idle[:i], m.idle[i+1:]...)
			go c.quit()
			return
		}
	}
}

// Close closes all idle connections. Open lines close theirs.
func (m *Mailer) Close() {
	m.mu.Lock()
	idle := m.idle
	m.idle, m.closed = nil, true
	m.mu.Unlock()
	var wg sync.WaitGroup
	for _, c := range idle {
		c.expiry.Stop()
		wg.Go(c.quit)
	}
	wg.Wait()
}
