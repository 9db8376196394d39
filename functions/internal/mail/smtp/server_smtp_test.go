package smtp_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// Answers of a script besides a reply.
const (
	hangUp = "hang up" // close the connection without a reply
	stall  = "stall"   // send nothing more
)

// step is a moment at which the server is about to answer.
type step struct {
	conn int    // 1 for the first connection
	mail int    // 1 for the first mail of the connection
	verb string // CONNECT, EHLO, MAIL, RCPT, DATA, "." for the end of a message, ...
}

// script answers a step; "" stands for the usual answer.
type script func(step) string

// smtpServer is an SMTP server that misbehaves by a script.
type smtpServer struct {
	address string
	script  script
	tls     *tls.Config // non-nil: it offers STARTTLS and PLAIN

	mu       sync.Mutex
	conns    int
	open     int
	mostOpen int
	messages []string // those that were answered with 250
	logins   []string
	names    []string // of EHLO
	commands []string // MAIL and RCPT
}

func serve(t *testing.T, script script) *smtpServer {
	t.Helper()
	return serveOn(t, listen(t), nil, script)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func serveOn(t *testing.T, l net.Listener, offer *tls.Config, script script) *smtpServer {
	t.Helper()
	s := &smtpServer{address: l.Addr().String(), script: script, tls: offer}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close() //nolint:errcheck // a test's server
				s.talk(c, done)
			})
		}
	})
	t.Cleanup(func() {
		close(done)
		_ = l.Close()
		wg.Wait()
	})
	return s
}

func (s *smtpServer) url() string { return "smtp://" + s.address }

func (s *smtpServer) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.messages...)
}

func (s *smtpServer) connections() (all, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns, s.mostOpen
}

// talk is one connection. It ends when the client leaves, the script hangs up, or the test is over.
func (s *smtpServer) talk(c net.Conn, done <-chan struct{}) {
	s.mu.Lock()
	s.conns++
	s.open++
	s.mostOpen = max(s.mostOpen, s.open)
	at := step{conn: s.conns, verb: "CONNECT"}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.open--
		s.mu.Unlock()
	}()
	go func() { // the end of the test ends a stall
		<-done
		_ = c.Close()
	}()
	in := bufio.NewReader(c)
	// keep runs before the client gets the answer.
	answerAnd := func(good string, keep func()) bool {
		reply := ""
		if s.script != nil {
			reply = s.script(at)
		}
		switch reply {
		case "":
			reply = good
		case hangUp:
			return false
		case stall:
			<-done
			return false
		}
		if reply == good {
			s.mu.Lock()
			keep()
			s.mu.Unlock()
		}
		_, err := fmt.Fprintf(c, "%s\r\n", reply)
		return err == nil && reply == good
	}
	answer := func(good string) bool { return answerAnd(good, func() {}) }
	answer("220 test")
	if s.script != nil && s.script(at) == hangUp {
		return
	}
	for {
		text, err := in.ReadString('\n')
		if err != nil {
			return
		}
		at.verb, _, _ = strings.Cut(strings.ToUpper(strings.TrimSpace(text)), " ")
		switch at.verb {
		case "EHLO":
			extensions := "250-test\r\n"
			if s.tls != nil {
				extensions += "250-STARTTLS\r\n250-AUTH PLAIN\r\n"
			}
			answerAnd(extensions+"250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES", func() {
				_, name, _ := strings.Cut(strings.TrimSpace(text), " ")
				s.names = append(s.names, name)
			})
		case "STARTTLS":
			if answer("220 go on") {
				c = tls.Server(c, s.tls)
				in = bufio.NewReader(c)
			}
		case "AUTH":
			answerAnd("235 welcome", func() { s.logins = append(s.logins, strings.TrimSpace(text)) })
		case "MAIL":
			at.mail++
			answerAnd("250 ok", func() { s.commands = append(s.commands, strings.TrimSpace(text)) })
		case "RCPT":
			answerAnd("250 ok", func() { s.commands = append(s.commands, strings.TrimSpace(text)) })
		case "DATA":
			if !answer("354 go on") {
				break
			}
			body, err := textproto.NewReader(in).ReadDotBytes()
			if err != nil {
				return
			}
			at.verb = "."
			answerAnd("250 taken", func() { s.messages = append(s.messages, string(body)) })
		case "QUIT":
			answer("221 bye")
			return
		default:
			answer("250 ok")
		}
		if s.script != nil && s.script(at) == hangUp {
			return
		}
	}
}
