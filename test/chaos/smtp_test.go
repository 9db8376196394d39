//go:build chaos

package chaos_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// mailFault is a fault of the mail server.
type mailFault int

const (
	mailHealthy   mailFault = iota
	mailRefuses             // connections are reset
	mailStalls              // nothing is answered any more
	mailLater               // 451 to a recipient, or to DATA
	mailNever               // 550 to every recipient
	mailOurs                // 553 for our sender, or 550 after DATA for our quota: no mail may fail because of these
	mailHangsUp             // the connection drops after DATA; half of the mails have arrived by then
	mailForgets             // the mail arrives, its 250 is never sent, and the connection stays open
	mailGreylists           // 451 to a recipient, until it comes again some seconds later
	smtpPatience  = 5 * time.Second
)

// smtpProxy is a proxy of the mail server that understands SMTP.
type smtpProxy struct {
	address string
	target  string

	mu       sync.Mutex
	listener net.Listener
	changed  *sync.Cond
	fault    mailFault
	random   *rand.Rand
	hits     int                  // mails and connections that the fault affected
	passed   int                  // mails that the server accepted
	waiting  map[string]time.Time // recipients that were greylisted, and since when
	conns    map[net.Conn]bool
	closed   bool
}

func newSMTPProxy(t *testing.T, random *rand.Rand, address string) *smtpProxy {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	p := &smtpProxy{address: l.Addr().String(), listener: l, random: random, conns: map[net.Conn]bool{}, waiting: map[string]time.Time{}}
	p.changed = sync.NewCond(&p.mu)
	go p.accept(l)
	t.Cleanup(func() {
		p.mu.Lock()
		_ = p.listener.Close()
		p.closed = true
		p.mu.Unlock()
		p.set(mailHealthy)
	})
	return p
}

func (p *smtpProxy) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go p.serve(c)
	}
}

// leave closes the listener and the open connections, as a host that is gone. comeBack undoes it.
func (p *smtpProxy) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.listener.Close()
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *smtpProxy) comeBack(t *testing.T) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	p.listener = l
	p.mu.Unlock()
	go p.accept(l)
}

// set changes the fault and returns how many mails and connections the previous one affected. mailRefuses also closes the
// open connections.
func (p *smtpProxy) set(f mailFault) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	affected := p.hits
	p.fault, p.hits = f, 0
	if f == mailRefuses || p.closed {
		for c := range p.conns {
			_ = c.Close()
		}
	}
	p.changed.Broadcast()
	return affected
}

// fails says whether the current fault is one of these, and counts it.
func (p *smtpProxy) fails(faults ...mailFault) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range faults {
		if p.fault == f {
			p.hits++
			return true
		}
	}
	return false
}

// affected returns how many mails and connections the current fault has affected so far.
func (p *smtpProxy) affected() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hits
}

// accepted returns how many mails have passed so far.
func (p *smtpProxy) accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passed
}

// greylists says whether the recipient of this RCPT has to come again.
func (p *smtpProxy) greylists(rcpt string) bool {
	const least = 2 * time.Second
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault != mailGreylists {
		return false
	}
	since, known := p.waiting[rcpt]
	if known && time.Since(since) >= least {
		return false
	}
	if !known {
		p.waiting[rcpt] = time.Now()
	}
	p.hits++
	return true
}

func (p *smtpProxy) coin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.random.IntN(2) == 0
}

// wait returns when the current fault is another one.
func (p *smtpProxy) wait(faults ...mailFault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.closed {
		waits := false
		for _, f := range faults {
			waits = waits || p.fault == f
		}
		if !waits {
			return
		}
		p.changed.Wait()
	}
}

var errHangUp = errors.New("drop the connection")

// session is one connection.
type session struct {
	p                *smtpProxy
	client, server   net.Conn
	fromClient, from *bufio.Reader
}

func (p *smtpProxy) serve(client net.Conn) {
	defer client.Close() //nolint:errcheck // a proxy's end
	if p.fails(mailRefuses) {
		if c, ok := client.(*net.TCPConn); ok {
			reset(c)
		}
		return
	}
	p.mu.Lock()
	p.conns[client] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.conns, client)
		p.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeout(context.Background(), smtpPatience)
	defer cancel()
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close() //nolint:errcheck // a proxy's end
	s := &session{p: p, client: client, server: server, fromClient: bufio.NewReader(client), from: bufio.NewReader(server)}
	if err := s.reply(); err != nil {
		return
	}
	for s.command() == nil {
	}
}

// reply passes one reply of the server to the client.
func (s *session) reply() error {
	for {
		text, err := s.from.ReadString('\n')
		if err != nil {
			return err
		}
		if s.p.fails(mailStalls) {
			s.p.wait(mailStalls)
		}
		if _, err := io.WriteString(s.client, text); err != nil {
			return err
		}
		if len(text) < 4 || text[3] != '-' {
			return nil
		}
	}
}

// command passes one command to the server and its reply back, or answers with the fault.
func (s *session) command() error {
	text, err := s.fromClient.ReadString('\n')
	if err != nil {
		return err
	}
	verb := strings.ToUpper(text)
	switch {
	case strings.HasPrefix(verb, "RCPT") && s.p.fails(mailNever):
		_, err := io.WriteString(s.client, recipientGone+" this mailbox is disabled\r\n")
		return err
	case strings.HasPrefix(verb, "RCPT") && s.p.greylists(text):
		_, err := io.WriteString(s.client, "451 4.7.1 greylisted, try again later\r\n")
		return err
	case strings.HasPrefix(verb, "RCPT") && s.p.coin() && s.p.fails(mailLater),
		strings.HasPrefix(verb, "DATA") && s.p.fails(mailLater):
		_, err := io.WriteString(s.client, "451 4.3.0 try later\r\n")
		return err
	case strings.HasPrefix(verb, "MAIL") && s.p.coin() && s.p.fails(mailOurs):
		_, err := io.WriteString(s.client, "553 5.7.1 sender address rejected: not owned by this user\r\n")
		return err
	}
	if _, err := io.WriteString(s.server, text); err != nil {
		return err
	}
	if !strings.HasPrefix(verb, "DATA") {
		return s.reply()
	}
	if err := s.reply(); err != nil {
		return err
	}
	return s.message()
}

// message passes the text of a mail to the server.
func (s *session) message() error {
	for {
		text, err := s.fromClient.ReadString('\n')
		if err != nil {
			return err
		}
		last := text == ".\r\n"
		if last && s.p.fails(mailHangsUp) {
			if s.p.coin() { // the server receives the mail nevertheless
				if _, err := io.WriteString(s.server, text); err == nil {
					_, _ = s.from.ReadString('\n')
				}
			}
			return errHangUp
		}
		if last && s.p.fails(mailOurs) {
			if _, err := io.WriteString(s.client, "550 5.4.5 daily sending quota exceeded\r\n"); err != nil {
				return err
			}
			return errHangUp // the server never sees the end of the mail
		}
		if _, err := io.WriteString(s.server, text); err != nil {
			return err
		}
		if !last {
			continue
		}
		if s.p.fails(mailForgets) {
			_, _ = s.from.ReadString('\n')
			s.p.wait(mailForgets)
			return errHangUp
		}
		s.p.mu.Lock()
		s.p.passed++
		s.p.mu.Unlock()
		return s.reply()
	}
}
