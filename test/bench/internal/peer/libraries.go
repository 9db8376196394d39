package peer

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/dunglas/mercure"
	"github.com/r3labs/sse/v2"

	"orderbell/internal/event"
	"orderbell/test/bench/internal/message"
)

// newR3labs disables the log (AutoReplay), which would overwrite our ids and grow without limit.
func newR3labs() *server {
	s := sse.New()
	s.AutoReplay = false
	s.CreateStream(channel)
	return &server{handler: s, Stream: Stream{Path: "/?stream=" + channel}, publish: func(_ context.Context, n int, at time.Time) error {
		s.Publish(channel, &sse.Event{
			ID: []byte(message.EventID(n)), Event: []byte(event.OrderPaid), Data: message.JSON(n, at),
		})
		return nil
	}}
}

// newMercure runs the hub in memory and without authorization, so it saves the check of a token.
func newMercure(ctx context.Context) (*server, error) {
	const topic = "https://bench.example/" + channel
	hub, err := mercure.NewHub(ctx, mercure.WithAnonymous(), mercure.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, fmt.Errorf("Mercure: %w", err) //nolint:staticcheck // a name
	}
	return &server{
		handler: hub, Stream: Stream{Path: "/.well-known/mercure?topic=" + url.QueryEscape(topic), Ready: ":\n"},
		publish: func(ctx context.Context, n int, at time.Time) error {
			return hub.Publish(ctx, &mercure.Update{Topics: []string{topic}, Event: mercure.Event{
				ID: message.EventID(n), Type: string(event.OrderPaid), Data: string(message.JSON(n, at)),
			}})
		},
	}, nil
}

// newCentrifuge subscribes each client to the channel when it connects.
func newCentrifuge() (*server, error) {
	node, err := centrifuge.New(centrifuge.Config{LogLevel: centrifuge.LogLevelNone})
	if err != nil {
		return nil, fmt.Errorf("Centrifuge: %w", err) //nolint:staticcheck // a name
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{
			Credentials:   &centrifuge.Credentials{UserID: "bench"},
			Subscriptions: map[string]centrifuge.SubscribeOptions{channel: {}},
		}, nil
	})
	if err := node.Run(); err != nil {
		return nil, fmt.Errorf("Centrifuge: %w", err) //nolint:staticcheck // a name
	}
	handler := centrifuge.NewSSEHandler(node, centrifuge.SSEConfig{})
	return &server{
		handler: http.HandlerFunc(handler.ServeHTTP),
		Stream:  Stream{Path: "/?cf_connect=" + url.QueryEscape(`{"id":1,"connect":{}}`), Ready: `"subs":`},
		publish: func(_ context.Context, n int, at time.Time) error {
			_, err := node.Publish(channel, message.JSON(n, at))
			return err //nolint:wrapcheck // the pace says what it was
		},
	}, nil
}
