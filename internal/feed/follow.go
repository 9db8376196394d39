package feed

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"orderbell/internal/backoff"
	"orderbell/internal/feed/message"
)

// Sink receives the messages of followed tenants. Its methods are called from a connection's reader and must not block.
// Calls for one tenant do not overlap.
type Sink interface {
	// Published is called for each message on a followed tenant's channel.
	Published(tenantID string, p message.Published)
	// Expected is called when orders of the tenant have changed: the event of the last commit must be published soon.
	Expected(tenantID string, commits []message.Commit)
	// Confirmed is called when a tenant's subscription begins, also after a reconnect. Earlier messages may have been
	// missed.
	Confirmed(tenantID string)
	// Lost is called when a tenant's subscription is lost. since is the time of the last message from Redis.
	Lost(tenantID string, since time.Time)
}

// Waits before a lost subscription is renewed.
const (
	retryMin = 50 * time.Millisecond
	retryMax = 2 * time.Second // a failover takes a few seconds; a storm of connects does not help
)

// follower assigns the followed tenants to connections: one connection for a single server, one for each master of a
// Cluster with sharded pub/sub, because only its owner delivers a shard's channels.
type follower struct {
	mu      sync.Mutex
	homes   map[string]*link // by tenant; nil: not subscribed yet
	links   map[string]*link // by node address, "" for the whole of Redis
	leaving map[string]*link // by tenant: to be unsubscribed
	changed chan struct{}    // signals nil links in homes, or entries in leaving
	probe   string           // a channel of this process only, handled like a tenant's
}

func (r *follower) init() {
	r.homes, r.links, r.leaving = map[string]*link{}, map[string]*link{}, map[string]*link{}
	r.changed = make(chan struct{}, 1)
	r.probe = "~" + strings.ToLower(rand.Text()) // no tenant's name begins so
	r.homes[r.probe] = nil
}

// Follow subscribes to a tenant's channel. Confirmed is called once the subscription exists.
func (f *Feed) Follow(tenantID string) {
	r := &f.run
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.homes[tenantID]; !ok {
		r.homes[tenantID] = nil
		r.wake()
	}
}

// Unfollow ends a tenant's subscription. A message under way may still reach the sink.
func (f *Feed) Unfollow(tenantID string) {
	r := &f.run
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.homes[tenantID]; l != nil {
		r.leaving[tenantID] = l
		r.wake()
	}
	delete(r.homes, tenantID)
}

func (r *follower) wake() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// Run follows until ctx ends and calls sink. It may be called once.
func (f *Feed) Run(ctx context.Context, sink Sink) error {
	f.mu.Lock()
	again := f.started
	f.started = true
	f.mu.Unlock()
	if again {
		return errors.New("follow: Run was called twice")
	}
	r := &f.run
	var readers sync.WaitGroup
	defer readers.Wait()
	defer r.closeAll()
	r.wake()
	readers.Go(func() { f.checkAll(ctx) })
	retry := backoff.New(retryMin, retryMax)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.changed:
		}
		if f.settle(ctx, sink, &readers) {
			retry.Reset()
			continue
		}
		if !retry.Wait(ctx) {
			return nil
		}
		r.wake()
	}
}

// settle unsubscribes leaving tenants and subscribes those without a link. One goroutine does both, so the order is
// kept. It returns false if a tenant could not be subscribed.
func (f *Feed) settle(ctx context.Context, sink Sink, readers *sync.WaitGroup) bool {
	r := &f.run
	r.mu.Lock()
	leaving := r.leaving
	r.leaving = map[string]*link{}
	var tenants []string
	for tenant, l := range r.homes {
		if l == nil {
			tenants = append(tenants, tenant)
		}
	}
	r.mu.Unlock()
	for tenant, l := range leaving {
		l.unsubscribe(ctx, tenant)
	}
	if len(tenants) == 0 {
		return true
	}
	sharded, err := f.sharded.Run(ctx, f.client, []string{}, f.cfg.Sharded).Bool()
	if err != nil {
		return false
	}
	byNode := map[string][]string{}
	clients := map[string]redis.UniversalClient{}
	ok := true
	for _, tenant := range tenants {
		node, client := "", f.client
		if cluster, is := f.client.(*redis.ClusterClient); is && sharded {
			master, err := cluster.MasterForKey(ctx, channel(tenant))
			if err != nil {
				ok = false
				continue
			}
			node, client = master.Options().Addr, master
		}
		byNode[node] = append(byNode[node], tenant)
		clients[node] = client
	}
	for node, tenants := range byNode {
		if !f.subscribe(ctx, clients[node], node, sharded, tenants, sink, readers) {
			ok = false
		}
	}
	return ok
}

// subscribe adds the tenants to the node's link, and opens the link first if necessary.
func (f *Feed) subscribe(ctx context.Context, client redis.UniversalClient, node string, sharded bool, tenants []string, sink Sink, readers *sync.WaitGroup) bool {
	r := &f.run
	r.mu.Lock()
	l := r.links[node]
	fresh := l == nil
	if fresh {
		l = &link{node: node, sharded: sharded, ended: make(chan struct{}), heard: time.Now(), unfollowed: map[string]int{}}
		l.check = channel(tenants[0]) + ":" + r.probe
		// The connection outlives a canceled ctx until closeAll.
		if sharded {
			l.pubsub = client.SSubscribe(context.WithoutCancel(ctx))
		} else {
			l.pubsub = client.Subscribe(context.WithoutCancel(ctx))
		}
		r.links[node] = l
	}
	var names []string
	if fresh {
		names = append(names, l.check)
	}
	for _, tenant := range tenants {
		if home, followed := r.homes[tenant]; followed && home == nil {
			r.homes[tenant] = l
			names = append(names, channel(tenant))
		}
	}
	r.mu.Unlock()
	err := l.subscribe(ctx, names)
	if fresh {
		readers.Go(func() { f.listen(ctx, l, sink) })
		readers.Go(func() { l.keepAsking(ctx) })
	}
	if err != nil {
		_ = l.pubsub.Close() // the reader ends and sends its tenants back
	}
	return err == nil
}

// listen reads a link until it breaks. go-redis would reconnect to the same node; instead the link's tenants are
// assigned again, because the master may be another one after a failover.
func (f *Feed) listen(ctx context.Context, l *link, sink Sink) {
	for {
		got, err := l.pubsub.Receive(context.WithoutCancel(ctx))
		if err != nil {
			break
		}
		l.mu.Lock()
		l.heard, l.pinged = time.Now(), time.Time{}
		l.mu.Unlock()
		switch m := got.(type) {
		case *redis.Message:
			if m.Channel == l.check {
				l.came()
				continue
			}
			f.deliver(m, sink)
		case *redis.Subscription:
			f.subscription(ctx, l, m, sink)
		}
	}
	_ = l.pubsub.Close()
	close(l.ended)
	r := &f.run
	r.mu.Lock()
	if r.links[l.node] == l {
		delete(r.links, l.node) // no tenant joins it any more
	}
	tenants := r.homedOn(l)
	r.mu.Unlock()
	if ctx.Err() == nil {
		for _, tenant := range tenants {
			f.lost(tenant, l.lastHeard(), sink)
		}
	}
	if cluster, ok := f.client.(*redis.ClusterClient); ok {
		cluster.ReloadState(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, tenant := range r.homedOn(l) {
		r.homes[tenant] = nil // only now, so that Confirmed comes after Lost
	}
	r.wake()
}

// homedOn returns the tenants of a link. The caller holds the lock.
func (r *follower) homedOn(l *link) []string {
	var tenants []string
	for tenant, home := range r.homes {
		if home == l {
			tenants = append(tenants, tenant)
		}
	}
	return tenants
}

// lost tells the sink about a tenant. The sink is not called for the program's own channels.
func (f *Feed) lost(tenant string, since time.Time, sink Sink) {
	if tenant != f.run.probe && tenant != revoked {
		sink.Lost(tenant, since)
	}
}

func (f *Feed) deliver(m *redis.Message, sink Sink) {
	tenant := tenantOf(m.Channel)
	switch tenant {
	case f.run.probe:
		f.probed(m.Payload)
		return
	case revoked:
		f.toldOfRevocation(m.Payload)
		return
	}
	if commits, ok := expected(m.Payload); ok {
		sink.Expected(tenant, commits)
		return
	}
	p, ok := ParsePayload(m.Payload)
	if !ok {
		p.Err = fmt.Errorf("message on channel %s is not ours", m.Channel)
	}
	sink.Published(tenant, p)
}

func (f *Feed) subscription(ctx context.Context, l *link, m *redis.Subscription, sink Sink) {
	tenant := tenantOf(m.Channel)
	if m.Channel == l.check {
		if strings.HasSuffix(m.Kind, "unsubscribe") {
			_ = l.pubsub.Close() // its slot has moved: a new link gets a new channel
			return
		}
		l.mu.Lock()
		l.checkable = true
		l.mu.Unlock()
		return
	}
	switch m.Kind {
	case "subscribe", "ssubscribe":
		switch tenant {
		case f.run.probe:
		case revoked:
			f.revocations.RevocationsConfirmed()
		default:
			sink.Confirmed(tenant)
		}
	case "unsubscribe", "sunsubscribe":
		l.mu.Lock()
		ours := l.unfollowed[tenant] > 0
		if ours {
			if l.unfollowed[tenant]--; l.unfollowed[tenant] == 0 {
				delete(l.unfollowed, tenant)
			}
		}
		l.mu.Unlock()
		if ours {
			return
		}
		// The server ended it: the tenant's slot has moved to another node.
		if cluster, ok := f.client.(*redis.ClusterClient); ok {
			cluster.ReloadState(ctx)
		}
		f.lost(tenant, time.Now(), sink) // without the lock, which the sink may need
		f.run.mu.Lock()
		defer f.run.mu.Unlock()
		if f.run.homes[tenant] == l {
			f.run.homes[tenant] = nil
			f.run.wake()
		}
	}
}

func tenantOf(channel string) string {
	_, rest, _ := strings.Cut(channel, "{")
	tenant, _, _ := strings.Cut(rest, "}")
	return tenant
}

func (r *follower) closeAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.links {
		_ = l.pubsub.Close()
	}
}
