package feed

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// TicketTTL is the lifetime of a stream ticket. A page asks for one right before it opens the stream.
const TicketTTL = 30 * time.Second

// ErrNoTicket is a ticket that was never issued, was used, or has expired.
var ErrNoTicket = errors.New("the ticket is unknown, used or older than 30 seconds: request a new one")

// IssueTicket stores claims under a new random ticket for [TicketTTL]. It may be put into a URL, because it works once.
func (f *Feed) IssueTicket(ctx context.Context, claims []byte) (string, error) {
	raw := make([]byte, 24) // 192 bits
	_, _ = rand.Read(raw)   // never fails (crypto/rand)
	ticket := base64.RawURLEncoding.EncodeToString(raw)
	if err := f.client.Set(ctx, ticketKey(ticket), claims, TicketTTL).Err(); err != nil {
		return "", wrap("issue ticket", err)
	}
	return ticket, nil
}

// RedeemTicket returns the claims of a ticket and removes it, or [ErrNoTicket].
func (f *Feed) RedeemTicket(ctx context.Context, ticket string) ([]byte, error) {
	if len(ticket) != 32 {
		return nil, ErrNoTicket
	}
	claims, err := f.client.GetDel(ctx, ticketKey(ticket)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, ErrNoTicket
	}
	if err != nil {
		return nil, wrap("redeem ticket", err)
	}
	return claims, nil
}

// ticketKey returns the key of a ticket, which has its hash, so that a reader of Redis cannot use it.
func ticketKey(ticket string) string {
	sum := sha256.Sum256([]byte(ticket))
	return "sse:ticket:" + base64.RawURLEncoding.EncodeToString(sum[:])
}
