//go:build alerts

package alerts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/uuid"

	"orderbell/internal/backoff"
	"orderbell/internal/bus"
	"orderbell/internal/dev/embedded"
	"orderbell/internal/event/deadletter"
)

// together are faults that do not disturb each other.
func (w *world) together() []fault {
	crowd, strangers := w.crowd(), w.strangers()
	return []fault{
		{
			name: "order-created hangs (SIGSTOP), and 1,100 orders come", alerts: []string{"OrderbellConsumerLag"},
			strike: func(ctx context.Context) error {
				if err := w.signal("order-created", syscall.SIGSTOP); err != nil {
					return err
				}
				return w.sell(ctx, 1100)
			},
			heal: func(context.Context) error { return w.signal("order-created", syscall.SIGCONT) },
		},
		{
			name:   "an event breaks the contract, and the letter of an event that met an outage of 17 minutes is in the topic; then both are closed",
			alerts: []string{"OrderbellDeadLetters", "OrderbellDeadLettersStay"}, strike: w.sendLetters, heal: w.closeLetters,
		},
		{
			name:   fmt.Sprintf("clients open more streams than a user (%d) and an instance (%d) may have", streamsOfUser, streamsOfInstance),
			alerts: []string{"OrderbellGatewayFull", "OrderbellGatewayNearlyFull", "OrderbellTenantOverQuota"}, strike: crowd.start, heal: crowd.stop,
		},
		{
			name: "the identity provider of an order-api answers 502", alerts: []string{"OrderbellKeysOld"},
			strike: func(context.Context) error { w.provides.Store(false); return nil },
			heal:   func(context.Context) error { w.provides.Store(true); return nil },
		},
		{
			name: "a client asks with a bad token without end", alerts: []string{"OrderbellTokensRefused"}, strike: strangers.start, heal: strangers.stop,
		},
		{
			name: "delivery-sweeper hangs (SIGSTOP), and the coming days have no partitions", alerts: []string{"OrderbellDaysMissing"},
			strike: func(ctx context.Context) error {
				if err := w.signal("delivery-sweeper", syscall.SIGSTOP); err != nil {
					return err
				}
				return w.dropDays(ctx)
			},
			heal: func(context.Context) error { return w.signal("delivery-sweeper", syscall.SIGCONT) },
		},
	}
}

// outages are faults of which each disturbs everything.
func (w *world) outages() []fault {
	stalls := w.stalls()
	shut := func(g *gate) func(context.Context) error {
		return func(context.Context) error { g.set(true, ""); return nil }
	}
	open := func(g *gate) func(context.Context) error {
		return func(context.Context) error { g.set(false, ""); return nil }
	}
	return []fault{
		{
			name: "Kafka stops", alerts: []string{"OrderbellRelayStuck"},
			strike: func(context.Context) error { w.kafka.Stop(); return nil },
			heal: func(context.Context) (err error) {
				w.kafka, err = embedded.StartKafka(w.kafkaOptions)
				return err
			},
		},
		{
			name:   "outbox-relay stands still for 2 s again and again",
			alerts: []string{"OrderbellRelaySlow", "OrderbellOrdersVisibleLate", "OrderbellOrdersVisibleBudget"}, strike: stalls.start, heal: stalls.stop,
		},
		{name: "Redis is away", alerts: []string{"OrderbellRedisErrors", "OrderbellEventsRefused"}, strike: shut(w.redis), heal: open(w.redis)},
		{
			name: "Redis starts again, empty", alerts: []string{"OrderbellStreamsLost"}, strike: w.emptyRedis,
			heal: func(context.Context) error { return nil },
		},
		{name: "PostgreSQL is away", alerts: []string{"OrderbellAPIErrors"}, strike: shut(w.database), heal: open(w.database)},
		{name: "the SMTP server is away", alerts: []string{"OrderbellMailsFail", "OrderbellMailsLate"}, strike: shut(w.smtp), heal: open(w.smtp)},
		{
			name: "outbox-relay hangs (SIGSTOP)", alerts: []string{"OrderbellProgramDown"},
			strike: func(context.Context) error { return w.signal("outbox-relay", syscall.SIGSTOP) },
			heal:   func(context.Context) error { return w.signal("outbox-relay", syscall.SIGCONT) },
		},
		{
			name: "one of two order-api is killed", alerts: []string{"OrderbellInstanceDown"},
			strike: func(context.Context) error { w.second.Kill(); <-w.second.Done(); return nil }, heal: w.runSecond,
		},
	}
}

// verdicts are what `orderbell verify` has to say. No order may be under way.
func (w *world) verdicts() []fault {
	failing := func(env ...string) func(context.Context) error {
		return func(ctx context.Context) error {
			if out, err := w.orderbell(ctx, env, w.verifyArgs()...); err == nil {
				return fmt.Errorf("verify found nothing: %s", out)
			}
			return nil
		}
	}
	return []fault{
		{
			name: "the last `orderbell verify` is older than 26 h; then it runs", alerts: []string{"OrderbellVerifyOverdue"},
			since: w.verified, heal: w.verify(""),
		},
		{
			name: "`orderbell verify` after a notification was deleted; then it is there again", alerts: []string{"OrderbellVerifyFoundLosses"},
			strike: func(ctx context.Context) error {
				_, err := w.db.Exec(ctx, `CREATE TABLE taken AS WITH t AS (
					DELETE FROM notifications WHERE id = (SELECT id FROM notifications LIMIT 1) RETURNING *) SELECT * FROM t`)
				if err != nil {
					return err
				}
				return failing()(ctx)
			},
			heal: w.verify(`INSERT INTO notifications SELECT * FROM taken`),
		},
		{
			name: "`orderbell verify` while Redis is away", alerts: []string{"OrderbellVerifyOverdue"},
			strike: failing("REDIS_URL=redis://127.0.0.1:1"), heal: w.verify(""),
		},
	}
}

func (w *world) verifyArgs() []string {
	args := []string{"verify", "--settle", "3s"}
	if since := w.forgot; !since.IsZero() {
		args = append(args, "--feed-since", since.UTC().Format(time.RFC3339Nano))
	}
	return args
}

// verify executes the SQL, if there is some, and returns when a run of verify has found nothing.
func (w *world) verify(sql string) func(context.Context) error {
	return func(ctx context.Context) error {
		if sql != "" {
			if _, err := w.db.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return await(ctx, "a clean orderbell verify", func() error {
			out, err := w.orderbell(ctx, nil, w.verifyArgs()...)
			if err != nil {
				err = fmt.Errorf("%w\n%s", err, out)
			}
			return err
		})
	}
}

// signal sends sig to the named program of `orderbell dev`.
func (w *world) signal(name string, sig syscall.Signal) error {
	return syscall.Kill(w.state.Programs[name].PID, sig)
}

// sendLetters puts an event without an amount into the topic, which the function refuses, and one into the topic of dead letters,
// as the broker does when its tries are used up.
func (w *world) sendLetters(ctx context.Context) error {
	producer, err := bus.NewProducer(bus.Config{Brokers: []string{w.kafka.Brokers()}, Topic: "orders.events", DeadLetterTopic: "orders.dead-letters"})
	if err != nil {
		return err
	}
	defer producer.Close()
	e := cloudevents.NewEvent()
	e.SetID(uuid.NewString())
	e.SetType("order_paid")
	e.SetSource("/orderbell/order-api")
	e.SetSubject(uuid.NewString())
	e.SetTime(time.Now())
	e.SetExtension("tenantid", "demo")
	e.SetExtension("partitionkey", "demo/"+e.Subject())
	if err := e.SetData("application/json", []byte(`{"order_id":"none"}`)); err != nil {
		return err
	}
	letter := e.Clone()
	letter.SetID(uuid.NewString())
	letter.SetExtension(deadletter.ExtErrorDest, w.state.Programs["order-paid"].URL)
	letter.SetExtension(deadletter.ExtErrorCode, "503")
	return errors.Join(producer.Send(ctx, "orders.events", []cloudevents.Event{e})[0],
		producer.Send(ctx, "orders.dead-letters", []cloudevents.Event{letter})[0])
}

func (w *world) closeLetters(ctx context.Context) error {
	out, err := w.orderbell(ctx, nil, "deadletter", "list", "--open", "--json")
	if err != nil {
		return err
	}
	var letters []struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(out), &letters); err != nil {
		return err
	}
	args := []string{"deadletter", "close", "--because", "a test of the alerts"}
	for _, l := range letters {
		args = append(args, l.ID)
	}
	_, err = w.orderbell(ctx, nil, args...)
	return err
}

// dropDays drops the partitions of all days after today.
func (w *world) dropDays(ctx context.Context) error {
	for ahead := 1; ahead <= 8; ahead++ {
		day := time.Now().UTC().AddDate(0, 0, ahead).Format("20060102")
		if _, err := w.db.Exec(ctx, "DROP TABLE IF EXISTS event_records_"+day); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) emptyRedis(ctx context.Context) error {
	w.redis.set(true, "")
	w.memory.Stop()
	var err error
	if w.memory, err = embedded.StartRedis(); err != nil {
		return err
	}
	if !backoff.Sleep(ctx, time.Second) { // programs find out
		return ctx.Err()
	}
	w.redis.set(false, strings.TrimSuffix(strings.TrimPrefix(w.memory.URL(), "redis://"), "/0"))
	w.forgot = time.Now().Add(5 * time.Second) // what came while they connected may be there or not
	return nil
}
