package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"orderbell/internal/feed/message"
)

// Read returns up to limit messages of the tenant after a position, oldest first, and the stream's tail, which was
// read before them.
func (f *Feed) Read(ctx context.Context, tenantID string, after message.Position, limit int) ([]message.Published, message.Tail, error) {
	return f.read(ctx, tenantID, func(p redis.Pipeliner) *redis.XMessageSliceCmd {
		return p.XRangeN(ctx, streamKey(tenantID), after.Next().String(), "+", int64(limit))
	})
}

// Recent returns the latest messages of the tenant, at most limit, oldest first, and the stream's tail, which was taken
// before them.
func (f *Feed) Recent(ctx context.Context, tenantID string, limit int) ([]message.Published, message.Tail, error) {
	found, tail, err := f.read(ctx, tenantID, func(p redis.Pipeliner) *redis.XMessageSliceCmd {
		return p.XRevRangeN(ctx, streamKey(tenantID), "+", "-", int64(limit))
	})
	slices.Reverse(found)
	return found, tail, err
}

func (f *Feed) read(ctx context.Context, tenantID string, query func(redis.Pipeliner) *redis.XMessageSliceCmd) ([]message.Published, message.Tail, error) {
	p := f.client.Pipeline()
	last := p.Get(ctx, tailKey(tenantID))
	messages := query(p)
	if _, err := p.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, message.Tail{}, wrap("read stream", err)
	}
	tail, err := parseTail(last)
	if err != nil {
		return nil, message.Tail{}, err
	}
	if err := messages.Err(); err != nil { // Exec names the first command's error alone
		return nil, message.Tail{}, wrap("read stream", err)
	}
	found := make([]message.Published, len(messages.Val()))
	for i, m := range messages.Val() {
		found[i] = fromStream(m)
	}
	return found, tail, nil
}

// Tails returns the tails of the tenants' streams, in one round trip for each server.
func (f *Feed) Tails(ctx context.Context, tenantIDs []string) ([]message.Tail, error) {
	p := f.client.Pipeline()
	cmds := make([]*redis.StringCmd, len(tenantIDs))
	for i, id := range tenantIDs {
		cmds[i] = p.Get(ctx, tailKey(id))
	}
	if _, err := p.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, wrap("read tails", err)
	}
	tails := make([]message.Tail, len(cmds))
	for i, cmd := range cmds {
		var err error
		if tails[i], err = parseTail(cmd); err != nil {
			return nil, err
		}
	}
	return tails, nil
}

func parseTail(cmd *redis.StringCmd) (message.Tail, error) {
	value, err := cmd.Result()
	if errors.Is(err, redis.Nil) {
		return message.Tail{}, nil
	}
	if err != nil {
		return message.Tail{}, wrap("read tail", err)
	}
	at, id, _ := strings.Cut(value, " ")
	position, ok := message.ParsePosition(at)
	if !ok {
		return message.Tail{}, wrap("read tail", fmt.Errorf("%q is not a position and an event", value))
	}
	return message.Tail{At: position, EventID: id}, nil
}

// Lookup returns where an event is in the tenant's stream, or false if it was not published within the replay time.
func (f *Feed) Lookup(ctx context.Context, tenantID, eventID string) (message.Position, bool, error) {
	value, err := f.client.Get(ctx, markKey(tenantID, eventID)).Result()
	if errors.Is(err, redis.Nil) {
		return message.Position{}, false, nil
	}
	if err != nil {
		return message.Position{}, false, wrap("look event up", err)
	}
	at, ok := message.ParsePosition(value)
	if !ok {
		return message.Position{}, false, wrap("look event up", fmt.Errorf("%q is not a position", value))
	}
	return at, true, nil
}

// Find returns the message of an event that was published to the tenant within the replay time, or false.
func (f *Feed) Find(ctx context.Context, tenantID, eventID string) (message.Message, bool, error) {
	at, found, err := f.Lookup(ctx, tenantID, eventID)
	if err != nil || !found {
		return message.Message{}, false, err
	}
	entries, err := f.client.XRange(ctx, streamKey(tenantID), at.String(), at.String()).Result()
	if err != nil {
		return message.Message{}, false, wrap("read an entry of the stream", err)
	}
	if len(entries) == 0 {
		return message.Message{}, false, nil // trimmed
	}
	p := fromStream(entries[0])
	return p.Message, p.Err == nil, nil
}

func fromStream(m redis.XMessage) message.Published {
	at, ok := message.ParsePosition(m.ID)
	before, okPrev := m.Values["p"].(string)
	data, okData := m.Values["d"].(string)
	prev, prevID, _ := strings.Cut(before, " ")
	p := message.Published{At: at, PrevID: prevID}
	if okPrev {
		p.Prev, okPrev = message.ParsePosition(prev)
	}
	if !ok || !okPrev || !okData {
		p.Err = fmt.Errorf("entry %s of the stream is not ours", m.ID)
		return p
	}
	p.Message, p.Err = parseMessage(data)
	return p
}

// ParsePayload reads what the channel carries: "previous position, position, message as JSON", between spaces. It
// returns false if not even the positions can be read; if the message cannot be parsed, the result has Err.
func ParsePayload(payload string) (message.Published, bool) {
	prev, rest, _ := strings.Cut(payload, " ")
	at, data, ok := strings.Cut(rest, " ")
	var p message.Published
	var okPrev, okAt bool
	p.Prev, okPrev = message.ParsePosition(prev)
	p.At, okAt = message.ParsePosition(at)
	if !ok || !okPrev || !okAt || p.At.Compare(p.Prev) <= 0 {
		return message.Published{}, false
	}
	p.Message, p.Err = parseMessage(data)
	return p, true
}

func parseMessage(data string) (message.Message, error) {
	var m message.Message
	if err := json.Unmarshal([]byte(data), &m); err != nil {
		return message.Message{}, fmt.Errorf("decode message: %w", err)
	}
	if !m.Valid() {
		return message.Message{}, fmt.Errorf("message %q of type %q is not of the contract", m.ID, m.Event)
	}
	return m, nil
}
