// Package smtp sends letters through an SMTP server, over a bounded number of connections that are kept.
//
// What the server said decides a letter's fate (RFC 5321, section 4.2.1): 5xx to the letter is for good, 4xx and every
// trouble before the message was complete is for now. A line that breaks between the end of the message and the
// server's answer leaves it unknown: the server may have taken it (section 6.1).
package smtp

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"sync"
	"time"

	"orderbell/internal/mail"
)

// Config says which server takes the mail, and whose mail it is.
type Config struct {
	// URL is smtp://[user:password@]host[:587] or, for TLS from the first byte, smtps://[user:password@]host[:465].
	// With smtp, ?starttls= is required, auto (if the server has it) or off; required is the default where a password
	// is sent, auto elsewhere.
	URL  string `envconfig:"SMTP_URL" required:"true"`
	From string `envconfig:"MAIL_FROM" required:"true"` // an address, or Name <address>
	// MaxConns is one instance's share of the server's connections, and of mails under way.
	MaxConns       int           `envconfig:"SMTP_MAX_CONNS" default:"4"`
	ConnectTimeout time.Duration `envconfig:"SMTP_CONNECT_TIMEOUT" default:"5s"` // greeting, TLS and login included
	// SendTimeout bounds one letter. Servers take their time for the answer to a message, scanning it.
	SendTimeout time.Duration `envconfig:"SMTP_SEND_TIMEOUT" default:"60s"`
}

const (
	// pause is how long no one but a sweep knocks at a server that failed: an outage costs an event one try in ten
	// seconds at most.
	pause = 10 * time.Second
	// keepIdle is below the five minutes that RFC 5321 lets servers wait, and below most settings of them.
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
	retryAt time.Time // while failing, TryLine says no until then
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
	switch {
	case cfg.MaxConns < 1:
		return nil, fmt.Errorf("SMTP_MAX_CONNS is %d, want 1 or more", cfg.MaxConns)
	case cfg.ConnectTimeout <= 0 || cfg.SendTimeout <= 0:
		return nil, errors.New("SMTP_CONNECT_TIMEOUT and SMTP_SEND_TIMEOUT must be more than 0")
	}
	return &Mailer{cfg: cfg, server: server, from: *from, slots: make(chan struct{}, cfg.MaxConns)}, nil
}

// Domain returns what Message-IDs end in: the domain of MAIL_FROM.
func (c Config) Domain() (string, error) {
	from, err := c.address()
	if err != nil {
		return "", err
	}
	return from.Address[strings.LastIndexByte(from.Address, '@')+1:], nil
}

func (c Config) address() (*netmail.Address, error) {
	from, err := netmail.ParseAddress(c.From)
	if err != nil {
		return nil, fmt.Errorf("MAIL_FROM is %q, want an address, or Name <address>", c.From)
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
		m.retryAt = now.Add(pause) // this one finds out for all
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

// failed and worked are what a line found out about the server.
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

// keep puts c aside for the next line. There are never more than MaxConns, since a line holds its slot until then.
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

// Close takes leave of the server on all idle connections. Lines that are open close theirs.
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
