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

// mailFault is what is wrong with the mail server.
type mailFault int

const (
	mailWell     mailFault = iota
	mailRefuses            // connections are reset
	mailStalls             // nothing is answered any more
	mailLater              // 451 to a recipient, or to DATA
	mailNever              // 550 to every recipient
	mailOurs               // 553 to our sender, or 550 to a complete letter for our quota: no letter may fail of it
	mailHangsUp            // the line drops after DATA; half of the letters have arrived then
	mailForgets            // the letter arrives, its 250 never comes, and the line stays
	smtpPatience = 5 * time.Second
)

// smtpProxy stands before the mail server and knows its protocol.
type smtpProxy struct {
	address string
	target  string

	mu      sync.Mutex
	changed *sync.Cond
	fault   mailFault
	random  *rand.Rand
	hits    int // letters and connections that met the fault
	conns   map[net.Conn]bool
	closed  bool
}

func newSMTPProxy(t *testing.T, random *rand.Rand) *smtpProxy {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &smtpProxy{address: l.Addr().String(), random: random, conns: map[net.Conn]bool{}}
	p.changed = sync.NewCond(&p.mu)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.set(mailWell)
	})
	return p
}

// set brings a fault about and returns how often the one before was met. Refusing ends the connections of this moment.
func (p *smtpProxy) set(f mailFault) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	met := p.hits
	p.fault, p.hits = f, 0
	if f == mailRefuses || p.closed {
		for c := range p.conns {
			_ = c.Close()
		}
	}
	p.changed.Broadcast()
	return met
}

// meets says whether the fault is one of these now, and counts it.
func (p *smtpProxy) meets(faults ...mailFault) bool {
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

// met is how often the fault of this moment was met so far.
func (p *smtpProxy) met() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hits
}

func (p *smtpProxy) coin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.random.IntN(2) == 0
}

// wait returns when the server does not stall any more.
func (p *smtpProxy) wait(faults ...mailFault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.closed {
		stalls := false
		for _, f := range faults {
			stalls = stalls || p.fault == f
		}
		if !stalls {
			return
		}
		p.changed.Wait()
	}
}

var errHangUp = errors.New("the line is to drop")

// session is one connection.
type session struct {
	p                *smtpProxy
	client, server   net.Conn
	fromClient, from *bufio.Reader
}

func (p *smtpProxy) serve(client net.Conn) {
	defer client.Close() //nolint:errcheck // a proxy's end
	if p.meets(mailRefuses) {
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

// reply brings one reply of the server to the client.
func (s *session) reply() error {
	for {
		text, err := s.from.ReadString('\n')
		if err != nil {
			return err
		}
		if s.p.meets(mailStalls) {
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

// command takes one command to the server and its reply back, or answers it with the fault.
func (s *session) command() error {
	text, err := s.fromClient.ReadString('\n')
	if err != nil {
		return err
	}
	verb := strings.ToUpper(text)
	switch {
	case strings.HasPrefix(verb, "RCPT") && s.p.meets(mailNever):
		_, err := io.WriteString(s.client, recipientGone+" this mailbox is disabled\r\n")
		return err
	case strings.HasPrefix(verb, "RCPT") && s.p.coin() && s.p.meets(mailLater),
		strings.HasPrefix(verb, "DATA") && s.p.meets(mailLater):
		_, err := io.WriteString(s.client, "451 4.3.0 try later\r\n")
		return err
	case strings.HasPrefix(verb, "MAIL") && s.p.coin() && s.p.meets(mailOurs):
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

// message takes a letter to the server.
func (s *session) message() error {
	for {
		text, err := s.fromClient.ReadString('\n')
		if err != nil {
			return err
		}
		last := text == ".\r\n"
		if last && s.p.meets(mailHangsUp) {
			if s.p.coin() { // the server has the letter all the same
				if _, err := io.WriteString(s.server, text); err == nil {
					_, _ = s.from.ReadString('\n')
				}
			}
			return errHangUp
		}
		if last && s.p.meets(mailOurs) {
			if _, err := io.WriteString(s.client, "550 5.4.5 daily sending quota exceeded\r\n"); err != nil {
				return err
			}
			return errHangUp // the server does not know of the end
		}
		if _, err := io.WriteString(s.server, text); err != nil {
			return err
		}
		if !last {
			continue
		}
		if s.p.meets(mailForgets) {
			_, _ = s.from.ReadString('\n')
			s.p.wait(mailForgets)
			return errHangUp
		}
		return s.reply()
	}
}
