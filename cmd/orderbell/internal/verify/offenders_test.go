package verify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"orderbell/cmd/orderbell/internal/verify"
)

// victim is a paid order of demo: its paid event, the notified owner, and the entry of the event in Redis.
type victim struct{ orderID, eventID, userID, messageID, mark, at string }

func (w *world) victim() (v victim) {
	w.t.Helper()
	v.eventID = w.one(`SELECT event_id::text FROM event_records WHERE type = 'order_paid' AND tenant_id = 'demo' ORDER BY 1 LIMIT 1 OFFSET 3`)
	v.orderID = w.one(`SELECT order_id::text FROM event_records WHERE event_id = $1`, v.eventID)
	v.userID = w.one(`SELECT id::text FROM users WHERE email LIKE 'owner%' AND tenant_id = 'demo'`)
	v.messageID = w.one(`SELECT message_id FROM email_deliveries WHERE event_id = $1`, v.eventID)
	v.mark = "orders:{demo}:event:" + v.eventID
	at, err := w.redis.Get(w.t.Context(), v.mark).Result()
	if err != nil {
		w.t.Fatal(err)
	}
	v.at = at
	return v
}

// TestRunNames makes one fault by hand, and expects that only this fault is named.
func TestRunNames(t *testing.T) {
	t.Parallel()
	type problem struct{ Check, Problem string }
	for name, test := range map[string]struct {
		harm  func(w *world, v victim)
		want  []problem
		both  bool // events of the victim's order are named
		other bool // than the victim is named
	}{
		"an order's row that is gone": {
			harm: func(w *world, v victim) { w.exec(`DELETE FROM orders WHERE id = $1`, v.orderID) },
			want: []problem{{"records", "its order is not there"}, {"records", "its order is not there"}},
			both: true,
		},
		"an order with an earlier version": {
			harm: func(w *world, v victim) { w.exec(`UPDATE orders SET version = 1 WHERE id = $1`, v.orderID) },
			want: []problem{{"records", "it is version 2, but its order is at 1"}},
		},
		"an event that was never written": {
			harm: func(w *world, v victim) {
				w.exec(`UPDATE orders SET version = 3, updated_at = now() WHERE id = $1`, v.orderID)
			},
			want: []problem{{"orders", "version 3 has neither a record nor a row in the outbox"}},
		},
		"an event that never left": {
			harm: func(w *world, v victim) {
				w.t.Helper()
				w.sell("demo", 1)
				w.exec(`DELETE FROM outbox WHERE sent_at IS NULL AND type = 'order_paid'`)
				w.relay()
			},
			want:  []problem{{"orders", "version 2 has neither a record nor a row in the outbox"}},
			other: true,
		},
		"a mark that was made without a send": {
			harm: func(w *world, v victim) {
				w.t.Helper()
				w.sell("demo", 1)
				w.exec(`UPDATE outbox SET sent_at = now() WHERE sent_at IS NULL AND type = 'order_created'`)
				w.relay()
				w.post(1)
			},
			want:  []problem{{"outbox", "sent at TIME, but there is no record of it"}},
			other: true,
		},
		"a record that is gone": {
			harm: func(w *world, v victim) { w.exec(`DELETE FROM event_records WHERE event_id = $1`, v.eventID) },
			want: []problem{
				{"outbox", "sent at TIME, but there is no record of it"},
				{"notifications", "there is no record of its event"},
				{"notifications", "there is no record of its event"},
				{"e-mails", "there is no record of its event"},
				{"stream", "in the stream, but there is no record of it"},
			},
		},
		"a lost record of an event without an outbox row and without notifications": {
			harm: func(w *world, v victim) {
				w.exec(`DELETE FROM event_records WHERE order_id = $1 AND type = 'order_created'`, v.orderID)
				w.exec(`DELETE FROM outbox`)
			},
			want: []problem{
				{"orders", "version 1 has neither a record nor a row in the outbox"},
				{"stream", "in the stream, but there is no record of it"},
			},
			both: true,
		},
		"a record of other data": {
			harm: func(w *world, v victim) {
				w.exec(`UPDATE event_records SET data_hash = '' WHERE event_id = $1`, v.eventID)
			},
			want: []problem{{"outbox", "its record has other data"}},
		},
		"a duplicated record": {
			harm: func(w *world, v victim) {
				w.exec(`INSERT INTO event_records (event_day, source, event_id, type, tenant_id, order_id, order_version, data_hash, data, occurred_at, decisions)
					SELECT event_day - 1, source, event_id, type, tenant_id, order_id, order_version, data_hash, data, occurred_at, decisions
					FROM event_records WHERE event_id = $1`, v.eventID)
				w.began = w.began.AddDate(0, 0, -1)
			},
			want: []problem{{"records", "recorded 2 times"}, {"records", "recorded 2 times"}},
		},
		"a decision without an explanation": {
			harm: func(w *world, v victim) {
				w.exec(`UPDATE event_records SET decisions = replace(decisions::text, '"preference"', '""')::jsonb WHERE event_id = $1`, v.eventID)
			},
			want: []problem{{"records", "email is suppressed without a reason"}},
		},
		"a notification that is gone": {
			harm: func(w *world, v victim) {
				w.exec(`DELETE FROM notifications WHERE event_id = $1 AND user_id = $2`, v.eventID, v.userID)
			},
			want: []problem{{"notifications", "the notification that was decided is not there"}},
		},
		"a notification for a user who is not a recipient": {
			harm: func(w *world, v victim) {
				w.exec(`INSERT INTO notifications (id, tenant_id, user_id, event_source, event_id, event_type, order_id, data)
					SELECT gen_random_uuid(), tenant_id, (SELECT id FROM users WHERE email LIKE 'cook%'), event_source, event_id, event_type, order_id, data
					FROM notifications WHERE event_id = $1 LIMIT 1`, v.eventID)
			},
			want: []problem{{"notifications", "there is a notification that was not decided"}},
		},
		"an e-mail that is gone": {
			harm: func(w *world, v victim) { w.exec(`DELETE FROM email_deliveries WHERE event_id = $1`, v.eventID) },
			want: []problem{{"e-mails", "the e-mail that was decided is not there"}},
		},
		"an e-mail that failed for no reason": {
			harm: func(w *world, v victim) {
				w.exec(`UPDATE email_deliveries SET status = 'failed' WHERE event_id = $1`, v.eventID)
				w.box.drop(v.messageID)
			},
			want: []problem{{"e-mails", "the e-mail is failed without a reason"}},
		},
		"a mail without a time of sending": {
			harm: func(w *world, v victim) {
				w.exec(`UPDATE email_deliveries SET sent_at = NULL WHERE event_id = $1`, v.eventID)
			},
			want: []problem{{"e-mails", "the mail is sent, but has no time of sending"}},
		},
		"an e-mail that did not arrive": {
			harm: func(w *world, v victim) { w.box.drop(v.messageID) },
			want: []problem{{"mailbox", "the e-mail was sent at TIME, but MAIL is not there"}},
		},
		"an e-mail that arrived twice": {
			harm: func(w *world, v victim) { w.box.take(v.messageID) },
			want: []problem{{"mailbox", "MAIL is there 2 times, and 1 are accounted for"}},
		},
		"an e-mail that arrived though it failed": {
			harm: func(w *world, v victim) {
				w.exec(`UPDATE email_deliveries SET status = 'failed', reason = '550 no such box' WHERE event_id = $1`, v.eventID)
			},
			want: []problem{{"mailbox", "MAIL is there 1 times, and 0 are accounted for"}},
		},
		"an entry of the stream that is gone": {
			harm: func(w *world, v victim) {
				w.redis.XDel(w.t.Context(), "orders:{demo}:stream", v.at)
			},
			want: []problem{{"stream", "published, but entry PLACE of the stream is not it"}},
		},
		"an event that was not published": {
			harm: func(w *world, v victim) {
				w.redis.XDel(w.t.Context(), "orders:{demo}:stream", v.at)
				w.redis.Del(w.t.Context(), v.mark)
			},
			want: []problem{{"stream", "recorded at TIME, but not known as published"}},
		},
		"an event that was published twice": {
			harm: func(w *world, v victim) {
				w.t.Helper()
				entries, err := w.redis.XRange(w.t.Context(), "orders:{demo}:stream", v.at, v.at).Result()
				if err != nil {
					w.t.Fatal(err)
				}
				w.redis.XAdd(w.t.Context(), &redis.XAddArgs{Stream: "orders:{demo}:stream", Values: entries[0].Values})
			},
			want: []problem{{"stream", "entries PLACE and PLACE are both it"}},
		},
		"an entry of the stream that cannot be read": {
			harm: func(w *world, v victim) {
				w.redis.XAdd(w.t.Context(), &redis.XAddArgs{Stream: "orders:{demo}:stream", Values: []string{"p", "0-0", "d", "garbage"}})
			},
			want:  []problem{{"stream", "entry PLACE: decode message: invalid character 'g' looking for beginning of value"}},
			other: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := sold(t)
			v := w.victim()
			test.harm(w, v)
			report := w.verify()
			var got []problem
			for _, o := range report.Offenders {
				got = append(got, problem{o.Check, plain(o.Problem, v)})
				if !test.other && (o.OrderID != v.orderID || o.TenantID != tenant) {
					t.Errorf("%s names %+v, want %+v", o.Problem, o, v)
				}
				if event := o.Check != "orders" && !test.other && !test.both; event && o.EventID != v.eventID {
					t.Errorf("%s names event %s, want %s", o.Problem, o.EventID, v.eventID)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" || report.Total != int64(len(test.want)) {
				t.Error(report.Total, diff)
			}
		})
	}
}

// plain replaces values that differ from run to run.
func plain(s string, v victim) string {
	words := strings.Fields(strings.ReplaceAll(s, v.messageID, "MAIL"))
	for i, word := range words {
		digits := strings.Trim(word, "0123456789-:.,TZ") == ""
		switch {
		case digits && strings.Contains(word, "T"):
			words[i] = "TIME"
			if strings.HasSuffix(word, ",") {
				words[i] += ","
			}
		case digits && len(word) > 10:
			words[i] = "PLACE"
			if strings.HasSuffix(word, ":") {
				words[i] += ":"
			}
		}
	}
	return strings.Join(words, " ")
}

func TestRunNamesTheFirstOffendersAndCountsAll(t *testing.T) {
	t.Parallel()
	w := sold(t)
	w.exec(`DELETE FROM notifications`)
	report := w.verify(func(a *verify.Auditor) { a.Options.Most = 3 })
	if report.Total != 18 || len(report.Offenders) != 3 {
		t.Errorf("%d offenders, %d named; want 18 and 3", report.Total, len(report.Offenders))
	}
}

func TestRunAsksNothingOfAStreamBeforeItsLoss(t *testing.T) {
	t.Parallel()
	w := sold(t)
	v := w.victim()
	w.redis.XDel(t.Context(), "orders:{demo}:stream", v.at)
	w.redis.Del(t.Context(), v.mark)
	if report := w.verify(func(a *verify.Auditor) { a.Options.FeedSince = time.Now() }); report.Total != 0 {
		t.Errorf("%+v", report.Offenders)
	}
}
