// Package check takes one order from created to paid to completed through a running Orderbell, checks every expected
// effect, and measures each hop.
//
// It uses its own tenant, so it can run on stores that are in use. It ignores other tenants.
package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"orderbell/cmd/orderbell/internal/seed"
	"orderbell/cmd/orderbell/internal/watch"
	"orderbell/internal/audit"
	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/feed/message"
	"orderbell/internal/order"
	"orderbell/internal/paths"
	"orderbell/internal/user"
)

// Trails reads what happened to an event.
type Trails interface {
	Outgoing(ctx context.Context, orderID string) ([]event.Outgoing, error)
	Trail(ctx context.Context, eventID string) (audit.Trail, error)
}

// Stream reads a tenant's stream in Redis, oldest entry first.
type Stream interface {
	Recent(ctx context.Context, tenantID string, limit int) ([]message.Published, message.Tail, error)
}

// Bus writes events to the topic; one error per event.
type Bus interface {
	Send(ctx context.Context, topic string, events []cloudevent.Event) []error
}

// Lags returns the number of messages that a consumer group has not yet handled, by partition.
type Lags interface {
	Lag(ctx context.Context, group string) (map[int32]int64, error)
}

// Config says what to check and with what.
type Config struct {
	Origin   string
	Business seed.Business // a tenant of this run alone, as stored
	Tokens   seed.Tokens
	Trails   Trails
	Stream   Stream
	Arrivals *Arrivals // receives the messages that the feed publishes for the tenant
	Bus      Bus
	Topic    string
	Lags     Lags
	Groups   []string      // the consumer groups of the topic
	Patience time.Duration // for each step
	Mailpit  string        // the mail server's address; "": it is not known to be a Mailpit, and its inbox is not checked
	Printf   func(format string, args ...any)
}

// DefaultPatience fits a deferred mail, which takes a sweep of 10 s or two.
const DefaultPatience = 45 * time.Second

// change is one change of the order and what is known of its event.
type change struct {
	Type     event.Type
	Posted   time.Time
	Answered time.Time
	Event    event.Outgoing
	Trail    audit.Trail
}

// run is the state of one check.
type run struct {
	Config
	api     *api
	owner   *watcher // gets notifications
	kitchen *watcher // does not
	orderID string
	changes []*change // created, paid, completed
}

// Run checks everything and prints the results with the time of each hop. It returns nil if everything is correct,
// otherwise an error that says what is wrong.
func Run(ctx context.Context, cfg Config) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &run{Config: cfg}
	owner, err := r.token(user.Owner)
	if err != nil {
		return err
	}
	kitchen, err := r.token(user.Kitchen)
	if err != nil {
		return err
	}
	r.api = &api{origin: cfg.Origin, token: owner}
	r.owner = startWatcher(ctx, "the owner's watcher", watch.Options{Origin: cfg.Origin, Token: owner})
	r.kitchen = startWatcher(ctx, "the kitchen's watcher", watch.Options{Origin: cfg.Origin, Token: kitchen})
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"two watchers are connected", r.connect},
		{"an order is created and both see it", r.create},
		{"it is paid and both see it, the owner with a notification", r.pay},
		{"every owner, manager and cashier has one mail, no other user has one", r.mailed},
		{"the same event again is handled and changes nothing", r.redeliver},
		{"it is completed and both see it", r.complete},
		{"a watcher that comes back with its Last-Event-ID gets what it missed", func(ctx context.Context) error { return r.resume(ctx, owner) }},
		{"the order list has the order as it is", r.listed},
		{"each event is recorded, published and shown exactly once", r.once},
	} {
		stepCtx, cancel := context.WithTimeout(ctx, cfg.Patience)
		err := step.do(stepCtx)
		cancel()
		if err != nil {
			r.Printf("  ✗ %s", step.what)
			return fmt.Errorf("%s: %w", step.what, err)
		}
		r.Printf("  ✓ %s", step.what)
	}
	r.printHops()
	return nil
}

func (r *run) token(role user.Role) (string, error) {
	for _, p := range r.Business.Users {
		if slices.Equal(p.Roles, []user.Role{role}) {
			token, _, err := r.Tokens.For(p, time.Now())
			return token, err
		}
	}
	return "", fmt.Errorf("tenant %s has no %s", r.Business.Tenant.ID, role)
}

func (r *run) connect(ctx context.Context) error {
	for _, w := range []*watcher{r.owner, r.kitchen} {
		if err := w.await(ctx, "event ready", func(frames []watch.Frame) bool { return count(frames, "ready") > 0 }); err != nil {
			return err
		}
	}
	return nil
}

// amount is in cents.
const amount = 1250

func (r *run) create(ctx context.Context) error {
	return r.do(ctx, event.OrderCreated, paths.Orders, map[string]any{
		"reference": "CHECK-1", "total_amount": amount, "currency": r.Business.Tenant.Currency,
	})
}

func (r *run) pay(ctx context.Context) error {
	if err := r.do(ctx, event.OrderPaid, paths.Pay(r.orderID), nil); err != nil {
		return err
	}
	return r.owner.await(ctx, "a notification", func(frames []watch.Frame) bool { return count(frames, "notification") > 0 })
}

func (r *run) complete(ctx context.Context) error {
	return r.do(ctx, event.OrderStatusUpdated, paths.Status(r.orderID), map[string]any{"status": order.Completed})
}

// do posts one change and waits until both watchers have its event.
func (r *run) do(ctx context.Context, eventType event.Type, path string, body any) error {
	c := &change{Type: eventType, Posted: time.Now()}
	answer, err := r.api.post(ctx, path, body)
	c.Answered = time.Now()
	if err != nil {
		return err
	}
	r.changes = append(r.changes, c)
	if want := int64(len(r.changes)); answer.Version != want || event.TypeFor(answer.Status) != eventType {
		return fmt.Errorf("POST %s answers version %d and status %s, want version %d and a status of %s",
			path, answer.Version, answer.Status, want, eventType)
	}
	r.orderID = answer.ID
	out, err := r.Trails.Outgoing(ctx, r.orderID)
	if err != nil {
		return err
	}
	if len(out) != len(r.changes) {
		return fmt.Errorf("the outbox holds %d events of the order after its change %d", len(out), len(r.changes))
	}
	c.Event = out[len(out)-1]
	for _, w := range []*watcher{r.owner, r.kitchen} {
		err := w.await(ctx, "event "+c.Event.ID, func(frames []watch.Frame) bool { return has(frames, string(eventType), c.Event.ID) })
		if err != nil {
			return errors.Join(err, r.whereIsIt(ctx, c.Event.ID))
		}
	}
	return nil
}

// whereIsIt says how far a missing event got.
func (r *run) whereIsIt(ctx context.Context, eventID string) error {
	trail, err := r.Trails.Trail(context.WithoutCancel(ctx), eventID)
	switch {
	case err != nil:
		return err
	case trail.Records > 0:
		return fmt.Errorf("event %s came as far as its function, which recorded it", eventID)
	case !trail.SentAt.IsZero():
		return fmt.Errorf("event %s came as far as Kafka: no function recorded it", eventID)
	}
	return fmt.Errorf("event %s came as far as the outbox: the relay has not sent it", eventID)
}

func (r *run) redeliver(ctx context.Context) error {
	paid := r.changes[1].Event
	ce, err := cloudevent.FromOutbox(paid)
	if err != nil {
		return err
	}
	if err := errors.Join(r.Bus.Send(ctx, r.Topic, []cloudevent.Event{ce})...); err != nil {
		return err
	}
	for _, group := range r.Groups {
		err := poll(ctx, "consumer group "+group+" has handled everything", func() (bool, error) {
			lags, err := r.Lags.Lag(ctx, group)
			for _, lag := range lags {
				if lag > 0 {
					return false, err
				}
			}
			return true, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *run) resume(ctx context.Context, token string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := startWatcher(ctx, "a returning watcher", watch.Options{Origin: r.Origin, Token: token, LastEventID: r.changes[0].Event.ID})
	last := r.changes[2]
	err := w.await(ctx, "what it missed", func(frames []watch.Frame) bool { return has(frames, string(last.Type), last.Event.ID) })
	if err != nil {
		return err
	}
	return sameOrders(w, r.changes[1:])
}

func (r *run) listed(ctx context.Context) error {
	orders, err := r.api.snapshot(ctx)
	if err != nil {
		return err
	}
	want := apiOrder{ID: r.orderID, TenantID: r.Business.Tenant.ID, Status: order.Completed, Version: 3, Amount: amount}
	if len(orders) != 1 || orders[0] != want {
		return fmt.Errorf("the order list is %+v, want %+v alone", orders, want)
	}
	return nil
}
