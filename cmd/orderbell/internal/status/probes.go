package status

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"orderbell/internal/audit"
	"orderbell/internal/paths"
)

// Limits are the times after which waiting work is late. The alerts in k8s/components/observability have the same limits.
const (
	outboxLimit  = 30 * time.Second
	lagLimit     = 2 * time.Minute
	mailLimit    = 15 * time.Minute
	verdictLimit = 26 * time.Hour // a night and two hours
)

// Ready returns a probe of a program's GET /healthz/ready.
func Ready(name, address string) Probe {
	return Probe{Kind: Program, Name: name, Ask: func(ctx context.Context) (Finding, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(address, "/")+paths.Ready, nil)
		if err != nil {
			return Finding{}, fmt.Errorf("probe: %w", err)
		}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Do(req)
		if err != nil {
			var u *url.Error
			if errors.As(err, &u) {
				err = u.Err
			}
			return Finding{}, err //nolint:wrapcheck // it names the address
		}
		defer resp.Body.Close() //nolint:errcheck // only read
		if resp.StatusCode < http.StatusMultipleChoices {
			return Finding{}, nil
		}
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		return Finding{}, fmt.Errorf("%s", firstLine(string(said), resp.Status))
	}}
}

func firstLine(s, otherwise string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	if s == "" {
		return "answers " + otherwise
	}
	return s
}

// Greets asks the SMTP server at address, an SMTP_URL, for its greeting.
func Greets(ctx context.Context, address string) (Finding, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return Finding{}, errors.New("SMTP_URL is not of the form smtp://host:port")
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"smtps": "465"}[u.Scheme]
	}
	if port == "" {
		port = "587"
	}
	var dialer interface {
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
	} = &net.Dialer{}
	if u.Scheme == "smtps" {
		dialer = &tls.Dialer{}
	}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return Finding{}, err //nolint:wrapcheck // it names the address
	}
	defer conn.Close() //nolint:errcheck // nothing was sent that matters
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	said, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return Finding{}, fmt.Errorf("read the greeting of %s: %w", conn.RemoteAddr(), err)
	}
	if !strings.HasPrefix(said, "220") {
		return Finding{}, fmt.Errorf("%s greets with %q", conn.RemoteAddr(), strings.TrimSpace(said))
	}
	_, _ = io.WriteString(conn, "QUIT\r\n")
	return Finding{}, nil
}

// Outbox judges events that wait for the relay.
func Outbox(n int64, oldest time.Duration) Finding {
	return queue(n, oldest, outboxLimit, "outbox-relay does not send them")
}

// Lag judges messages that a consumer group has not taken.
func Lag(n int64, oldest time.Duration) Finding {
	return queue(n, oldest, lagLimit, "their function does not take them")
}

// Mails judges mails that are due.
func Mails(n int64, oldest time.Duration) Finding {
	return queue(n, oldest, mailLimit, "delivery-sweeper does not send them")
}

func queue(n int64, oldest, limit time.Duration, why string) Finding {
	f := Finding{Waiting: &n, Oldest: oldest}
	if n > 0 && oldest > limit {
		f.Late = fmt.Sprintf("waiting for more than %s: %s", limit, why)
	}
	return f
}

// DeadLetters judges the open dead letters. Each needs an operator.
func DeadLetters(n int64, oldest time.Duration) Finding {
	f := Finding{Waiting: &n, Oldest: oldest}
	if n > 0 {
		f.Late = "`orderbell deadletter list --open` says why"
	}
	return f
}

// Verdict judges the last run of orderbell verify.
func Verdict(v audit.Verdict, known bool, now time.Time) Finding {
	age := now.Sub(v.EndedAt).Round(time.Second)
	switch {
	case !known:
		return Finding{Late: "orderbell verify has never run over all tenants"}
	case v.Offenders > 0:
		return Finding{Late: fmt.Sprintf("%d offenders, %s ago: `orderbell verify` names them", v.Offenders, age)}
	case len(v.Skipped) > 0:
		return Finding{Late: fmt.Sprintf("skipped %s, %s ago", strings.Join(v.Skipped, ", "), age)}
	case age > verdictLimit:
		return Finding{Late: fmt.Sprintf("the last run was %s ago", age)}
	}
	return Finding{Says: fmt.Sprintf("nothing lost, %s ago", age)}
}
