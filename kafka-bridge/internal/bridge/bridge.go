// Package bridge sends events from a Kafka topic to the ingress of a Knative broker on an in-memory channel, and that
// broker's dead letters to a topic, so that nothing depends on the channel's memory.
//
// Loss: the ingress answers only after every Trigger's subscriber, or the dead-letter sink in its place, has answered.
// The event's offset is committed after that answer; until then it is delivered again. Duplicates: events under way
// when the bridge or the broker stops are delivered again. Order: see BRIDGE_IN_FLIGHT.
package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"orderbell/internal/bus/record"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
	"orderbell/internal/problem"
)

// Config has the broker and the limits.
type Config struct {
	BrokerURL string `envconfig:"BROKER_URL" required:"true"` // the broker's ingress: http://host/namespace/broker
	// TokenFile has the token that identifies the sender to the broker. Empty: no token.
	TokenFile string `envconfig:"BROKER_TOKEN_FILE"`
	Group     string `envconfig:"BRIDGE_GROUP" default:"kafka-bridge"`
	// InFlight is the number of events of a partition that are sent at once. Events of one order are always sent one
	// after the other.
	InFlight int `envconfig:"BRIDGE_IN_FLIGHT" default:"1"`
	// PostTimeout is longer than all retries of the Triggers, which happen while the ingress delays its answer. A
	// shorter one would make the broker handle the same event twice at once.
	PostTimeout time.Duration `envconfig:"BRIDGE_POST_TIMEOUT" default:"15m"`
}

// Producer sends events to a topic and returns one error per event.
type Producer interface {
	Send(ctx context.Context, topic string, events []cloudevent.Event) []error
}

// Senders checks the sender of dead letters. Check returns nil or the refusal.
type Senders interface {
	Check(r *http.Request) *problem.Problem
}

// Bridge forwards events to the broker, and is the HTTP handler that receives its dead letters.
type Bridge struct {
	cfg         Config
	deadLetters string
	producer    Producer
	senders     Senders
	client      *http.Client
	log         *slog.Logger
	events      metric.Int64Counter
}

// New returns a bridge that writes dead letters from senders to the topic deadLetters.
func New(cfg Config, deadLetters string, producer Producer, senders Senders, log *slog.Logger, meter metric.Meter) (*Bridge, error) {
	u, err := url.Parse(cfg.BrokerURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("BROKER_URL is %q, want http://host/namespace/broker", cfg.BrokerURL)
	}
	if cfg.InFlight < 1 {
		return nil, fmt.Errorf("BRIDGE_IN_FLIGHT is %d, want 1 or more", cfg.InFlight)
	}
	events, err := meter.Int64Counter("orderbell.bridge.events",
		metric.WithDescription("Events that the bridge has finished: forwarded, refused or dead_letter. Labels: outcome."))
	if err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	transport := &http.Transport{
		MaxIdleConnsPerHost: 512, // partitions × BRIDGE_IN_FLIGHT, all to one host
		IdleConnTimeout:     time.Minute,
	}
	return &Bridge{
		cfg: cfg, deadLetters: deadLetters, producer: producer, senders: senders, log: log, events: events,
		client: &http.Client{Transport: transport, Timeout: cfg.PostTimeout},
	}, nil
}

// Forward posts r to the broker. It returns an error if a retry may help. A record that can never be delivered becomes
// a dead letter.
func (b *Bridge) Forward(ctx context.Context, r record.Record) error {
	if letter, ok := r.DeadLetter("/orderbell/kafka-bridge"); ok {
		return b.refuse(ctx, letter, deadletter.Reason(letter))
	}
	e := deadletter.AtRecord(r.Event, r.Partition, r.Offset) // so that a second dead letter of a delivery is recognised
	status, answer, err := b.post(ctx, e)
	switch {
	case err != nil:
		return fmt.Errorf("post to BROKER_URL: %w", err)
	case status >= 200 && status < 300:
		b.count(ctx, "forwarded")
		return nil
	case retryable(status):
		return fmt.Errorf("post to BROKER_URL: the broker answered %d %s", status, answer)
	}
	dead := deadletter.Failure{Dest: b.cfg.BrokerURL, Status: status, Body: answer}.DeadLetter(e)
	return b.refuse(ctx, dead, fmt.Sprintf("the broker answered %d", status))
}

// mostAnswer is the number of bytes that Knative puts into knativeerrordata.
const mostAnswer = 1024

func (b *Bridge) post(ctx context.Context, e cloudevent.Event) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.cfg.BrokerURL, http.NoBody)
	if err != nil {
		return 0, nil, err //nolint:wrapcheck // the caller adds the operation
	}
	if err := cehttp.WriteRequest(ctx, (*binding.EventMessage)(&e), req); err != nil {
		return 0, nil, fmt.Errorf("encode event: %w", err)
	}
	if b.cfg.TokenFile != "" {
		token, err := os.ReadFile(b.cfg.TokenFile) // each time: Kubernetes renews it
		if err != nil {
			return 0, nil, fmt.Errorf("BROKER_TOKEN_FILE: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return 0, nil, err //nolint:wrapcheck // names method and URL itself
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	if err != nil {
		return 0, nil, fmt.Errorf("read answer: %w", err)
	}
	_, _ = io.Copy(io.Discard, resp.Body) // so that the connection is used again
	return resp.StatusCode, answer, nil
}

// retryable has Knative's rule for retries. A refused token is retryable too, because the event is not at fault.
func retryable(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden || deadletter.Retryable(status)
}

// refuse writes e to the topic of dead letters with the reason.
func (b *Bridge) refuse(ctx context.Context, e cloudevent.Event, reason string) error {
	e.SetExtension(deadletter.ExtReason, event.Printable(reason))
	if err := b.bury(ctx, e); err != nil {
		return err
	}
	b.log.WarnContext(ctx, "event refused", "event_id", e.ID(), "event_type", e.Type(), "reason", reason)
	b.count(ctx, "refused")
	return nil
}

// bury writes e to the topic of dead letters. An event that is too large is written without its data.
func (b *Bridge) bury(ctx context.Context, e cloudevent.Event) error {
	err := errors.Join(b.producer.Send(ctx, b.deadLetters, []cloudevent.Event{e})...)
	if errors.Is(err, record.ErrRefused) && len(e.DataEncoded) > 0 {
		e.DataEncoded = nil
		err = errors.Join(b.producer.Send(ctx, b.deadLetters, []cloudevent.Event{e})...)
	}
	if err != nil {
		return fmt.Errorf("write dead letter: %w", err)
	}
	return nil
}

func (b *Bridge) count(ctx context.Context, outcome string) {
	b.events.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", outcome)))
}
