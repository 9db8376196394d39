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

	"github.com/google/uuid"

	"orderbell/internal/backoff"
	"orderbell/internal/bus"
	"orderbell/internal/dev/embedded"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
)

// independentFaults do not affect each other's alerts.
func (w *world) independentFaults() []fault {
	crowd, invalidTokens := w.crowd(), w.invalidTokens()
	return []fault{
		{
			name: "order-created hangs (SIGSTOP), and 1,100 orders arrive", alerts: []string{"OrderbellConsumerLag"},
			inject: func(ctx context.Context) error {
				if err := w.signal("order-created", syscall.SIGSTOP); err != nil {
					return err
				}
				return w.sell(ctx, 1100)
			},
			heal: func(context.Context) error { return w.signal("order-created", syscall.SIGCONT) },
		},
		{
			name:   "a dead letter of an invalid event and a dead letter of an outage are open; then both are closed",
			alerts: []string{"OrderbellDeadLetters", "OrderbellDeadLettersStay"}, inject: w.sendDeadLetters, heal: w.closeDeadLetters,
		},
		{
			name:   fmt.Sprintf("clients open more streams than a user (%d) and an instance (%d) may have", streamsOfUser, streamsOfInstance),
			alerts: []string{"OrderbellGatewayFull", "OrderbellGatewayNearlyFull", "OrderbellTenantOverQuota"}, inject: crowd.start, heal: crowd.stop,
		},
		{
			name: "the identity provider of an order-api answers 502", alerts: []string{"OrderbellKeysOld"},
			inject: func(context.Context) error { w.provides.Store(false); return nil },
			heal:   func(context.Context) error { w.provides.Store(true); return nil },
		},
		{
			name: "a client keeps sending an invalid token", alerts: []string{"OrderbellTokensRefused"}, inject: invalidTokens.start, heal: invalidTokens.stop,
		},
		{
			name: "delivery-sweeper hangs (SIGSTOP), and the coming days have no partitions", alerts: []string{"OrderbellDaysMissing"},
			inject: func(ctx context.Context) error {
				if err := w.signal("delivery-sweeper", syscall.SIGSTOP); err != nil {
					return err
				}
				return w.dropDays(ctx)
			},
			heal: func(context.Context) error { return w.signal("delivery-sweeper", syscall.SIGCONT) },
		},
	}
}

// outages are faults that affect other alerts, so they run one after the other.
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
			inject: func(context.Context) error { w.kafka.Stop(); return nil },
			heal: func(context.Context) (err error) {
				w.kafka, err = embedded.StartKafka(w.kafkaOptions)
				return err
			},
		},
		{
			name:   "outbox-relay stops for 2 s repeatedly",
			alerts: []string{"OrderbellRelaySlow", "OrderbellOrdersVisibleLate", "OrderbellOrdersVisibleBudget"}, inject: stalls.start, heal: stalls.stop,
		},
		{name: "Redis is unreachable", alerts: []string{"OrderbellRedisErrors", "OrderbellEventsRefused"}, inject: shut(w.redis), heal: open(w.redis)},
		{
			name: "Redis restarts without its data", alerts: []string{"OrderbellStreamsLost"}, inject: w.emptyRedis,
			heal: func(context.Context) error { return nil },
		},
		{name: "PostgreSQL is unreachable", alerts: []string{"OrderbellAPIErrors"}, inject: shut(w.database), heal: open(w.database)},
		{name: "the SMTP server is unreachable", alerts: []string{"OrderbellMailsFail", "OrderbellMailsLate"}, inject: shut(w.smtp), heal: open(w.smtp)},
		{
			name: "outbox-relay hangs (SIGSTOP)", alerts: []string{"OrderbellProgramDown"},
			inject: func(context.Context) error { return w.signal("outbox-relay", syscall.SIGSTOP) },
			heal:   func(context.Context) error { return w.signal("outbox-relay", syscall.SIGCONT) },
		},
		{
			name: "one of two instances of order-api is killed", alerts: []string{"OrderbellInstanceDown"},
			inject: func(context.Context) error { w.second.Kill(); <-w.second.Done(); return nil }, heal: w.runSecond,
		},
	}
}

// verifyFaults are those that `orderbell verify` finds. No order may be in progress.
func (w *world) verifyFaults() []fault {
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
			name: "`orderbell verify` after a notification was deleted; then it is restored", alerts: []string{"OrderbellVerifyFoundLosses"},
			inject: func(ctx context.Context) error {
				_, err := w.db.Exec(ctx, `CREATE TABLE deleted AS WITH t AS (
					DELETE FROM notifications WHERE id = (SELECT id FROM notifications LIMIT 1) RETURNING *) SELECT * FROM t`)
				if err != nil {
					return err
				}
				return failing()(ctx)
			},
			heal: w.verify(`INSERT INTO notifications SELECT * FROM deleted`),
		},
		{
			name: "`orderbell verify` while Redis is unreachable", alerts: []string{"OrderbellVerifyOverdue"},
			inject: failing("REDIS_URL=redis://127.0.0.1:1"), heal: w.verify(""),
		},
	}
}

func (w *world) verifyArgs() []string {
	args := []string{"verify", "--settle", "3s"}
	if since := w.redisLost; !since.IsZero() {
		args = append(args, "--feed-since", since.UTC().Format(time.RFC3339Nano))
	}
	return args
}

// verify executes the SQL, if any, and returns when a run of verify has found nothing.
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

// sendDeadLetters sends an event without an amount to the topic, which the function refuses, and an event to the topic of dead
// letters, as the broker does after its last attempt.
func (w *world) sendDeadLetters(ctx context.Context) error {
	producer, err := bus.NewProducer(bus.Config{Brokers: []string{w.kafka.Brokers()}, Topic: "orders.events", DeadLetterTopic: "orders.dead-letters"})
	if err != nil {
		return err
	}
	defer producer.Close()
	e := cloudevent.Empty()
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
	return errors.Join(producer.Send(ctx, "orders.events", []cloudevent.Event{e})[0],
		producer.Send(ctx, "orders.dead-letters", []cloudevent.Event{letter})[0])
}

func (w *world) closeDeadLetters(ctx context.Context) error {
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
	if !backoff.Sleep(ctx, time.Second) { // the programs detect it meanwhile
		return ctx.Err()
	}
	w.redis.set(false, strings.TrimSuffix(strings.TrimPrefix(w.memory.URL(), "redis://"), "/0"))
	w.redisLost = time.Now().Add(5 * time.Second) // entries published while they reconnected may be missing
	return nil
}
