package localbroker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
)

// failure is a failed delivery attempt.
type failure struct {
	err       error
	retryable bool
	answer    deadletter.Failure // has a status if the subscriber answered
}

// maxAnswer bounds the answer that is read. It is several times the largest event.
const maxAnswer = 1 << 20

// attempt POSTs e once. It returns nil on success.
func (b *Broker) attempt(ctx context.Context, t Trigger, e cloudevent.Event) *failure {
	f := b.try(ctx, t, e)
	if f != nil {
		f.answer.Dest = t.Subscriber
	}
	return f
}

func (b *Broker) try(ctx context.Context, t Trigger, e cloudevent.Event) *failure {
	posting, cancel := context.WithTimeout(ctx, t.Delivery.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(posting, http.MethodPost, t.Subscriber, nil)
	if err == nil {
		err = cehttp.WriteRequest(posting, (*binding.EventMessage)(&e), request)
	}
	if err != nil {
		return &failure{err: fmt.Errorf("write request: %w", err)}
	}
	request.Header.Set("Prefer", "reply") // as in Knative, an answer may be an event
	if t.Secret != "" {
		request.Header.Set("Authorization", "Bearer "+t.Secret)
	}
	answer, err := b.client.Do(request)
	if err != nil {
		return &failure{err: fmt.Errorf("post event: %w", err), retryable: true}
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return &failure{err: fmt.Errorf("read answer: %w", err), retryable: true}
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return &failure{
			err:       fmt.Errorf("post event: the subscriber answered %d", answer.StatusCode),
			retryable: deadletter.Retryable(answer.StatusCode),
			answer:    deadletter.Failure{Status: answer.StatusCode, Header: answer.Header, Body: body},
		}
	}
	return b.reply(ctx, answer.Header, body)
}

// reply publishes the event that a subscriber answered with, if it did.
func (b *Broker) reply(ctx context.Context, header http.Header, body []byte) *failure {
	e, err := binding.ToEvent(ctx, cehttp.NewMessage(header, io.NopCloser(bytes.NewReader(body))))
	if err == nil {
		err = e.Validate()
	}
	switch {
	case err != nil && len(body) == 0:
		return nil // an answer without an event, as functions send it
	case err != nil:
		return &failure{err: fmt.Errorf("the subscriber answered with %d bytes that are not a CloudEvent: %w", len(body), err)}
	}
	if err := b.publish(ctx, b.topics.Events, *e); err != nil {
		return &failure{err: fmt.Errorf("publish the subscriber's answer: %w", err)}
	}
	return nil
}
