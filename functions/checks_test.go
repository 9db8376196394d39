package functions_test

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"orderbell/internal/address"
	"orderbell/internal/event"
	"orderbell/internal/mail"
	"orderbell/internal/order"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/text"
	"orderbell/internal/user"
)

// rule is what the programs accept for a column that has a CHECK.
type rule struct {
	accepts func(value string) bool
	coarse  bool // the database accepts more, such as every text of the right length
}

func exactly(accepts func(string) bool) rule { return rule{accepts, false} }
func within(accepts func(string) bool) rule  { return rule{accepts, true} }

// number is the rule of an integer.
func number(accepts func(int64) bool) rule {
	return exactly(func(s string) bool {
		n, err := strconv.ParseInt(s, 10, 64)
		return err == nil && accepts(n)
	})
}

func isName(most int) func(string) bool {
	return func(s string) bool { return s != "" && utf8.RuneCountInString(s) <= most && text.Fault(s) == "" }
}

// list is the rule of an array; the values are single elements.
func list[T ~string](all []T) rule {
	return exactly(func(s string) bool {
		return slices.ContainsFunc(all, func(one T) bool { return s == "{"+string(one)+"}" })
	})
}

func oneOf[T ~string](all []T) rule {
	return exactly(func(s string) bool { return slices.Contains(all, T(s)) })
}

// rules are the rules of the columns that a user, a publisher or an operator writes, by table and column.
func rules() map[string]rule {
	all := map[string]rule{
		"orders.currency": exactly(order.IsCurrency), "tenants.currency": within(func(s string) bool { _, known := order.MinorDigits(s); return known }),
		"orders.reference":    within(func(s string) bool { return s == "" || isName(order.MaxReference)(s) }),
		"orders.status":       oneOf(order.Statuses()),
		"orders.total_amount": number(func(n int64) bool { return order.CheckMoney(n, "EUR") == nil }),
		"orders.undo_status": exactly(func(s string) bool {
			return s == "" || slices.ContainsFunc(order.Undoable(), func(next order.Status) bool { return order.Status(s).CanBecome(next) })
		}),
		"orders.version": number(func(n int64) bool { return n >= 1 }),
		"devices.name":   within(isName(user.MaxName)), "devices.role": oneOf(user.DeviceRoles()),
		"event_sources.source":       exactly(func(s string) bool { return s != "" && s != event.Source && len(s) <= event.MaxSource }),
		"idempotency_keys.key":       exactly(func(s string) bool { return s != "" && utf8.RuneCountInString(s) <= 255 }),
		"tenants.id":                 exactly(user.IsTenantID),
		"tenants.name":               within(user.IsTenantName),
		"tenants.time_zone":          within(user.IsTimeZone),
		"users.time_zone":            within(user.IsTimeZone),
		"users.name":                 within(func(s string) bool { return s == "" || isName(user.MaxName)(s) }),
		"users.quiet_hours":          exactly(user.IsQuietHours),
		"users.roles":                list(user.Roles()),
		"users.email":                within(func(s string) bool { _, err := address.Parse(s); return err == nil }),
		"confirmation_mails.address": within(isLowerAddress),
		"mail_suppressions.address":  within(isLowerAddress),
		"email_deliveries.status":    oneOf([]mail.Status{mail.StatusDue, mail.StatusSent, mail.StatusFailed, mail.StatusSuppressed}),
		"devices.secret_hash":        exactly(func(s string) bool { return len(s) == sha256.Size }),
		"outbox.shard":               number(func(n int64) bool { return n >= 0 && n < event.OutboxShards }),
		"verdicts.offenders":         number(func(n int64) bool { return n >= 0 }),
		"revocations.tenant_id":      within(user.IsTenantID),
		"revocations.user_id":        exactly(func(s string) bool { return s != "" && len(s) <= 255 }),  // as auth reads the claim sub
		"revocations.token_id":       exactly(func(s string) bool { return s != "" && len(s) <= 1000 }), // as orderbell revoke takes it
		// The audit trail: userstore cuts what is too long.
		"audit_records.tenant_id": within(isAuditTenant), "refusals.tenant_id": within(isAuditTenant),
		"audit_records.actor": atMost(300), "audit_records.target": atMost(300), "audit_records.address": atMost(64), "audit_records.detail": atMost(1000),
		"audit_records.outcome": oneOf([]user.Outcome{user.Done, user.Refused}),
		"audit_records.times":   number(func(n int64) bool { return n >= 1 }), "refusals.times": number(func(n int64) bool { return n >= 1 }),
		"refusals.actor":   within(func(s string) bool { return len(s) <= len("service:")+255 }),
		"refusals.address": atMost(64),
		"refusals.detail":  within(func(s string) bool { return utf8.RuneCountInString(s) <= 100 }),
	}
	for _, column := range []string{"notification_email_events", "notification_in_app_events"} {
		events := list(event.Types())
		all["users."+column] = exactly(func(s string) bool { return s == "{}" || events.accepts(s) })
	}
	for _, l := range user.LimitNames() {
		all["tenant_limits."+string(l)] = number(func(n int64) bool { return n >= l.Least() })
	}
	return all
}

func isLowerAddress(s string) bool {
	a, err := address.Parse(s)
	return err == nil && a == s && a == strings.ToLower(a)
}

func isAuditTenant(s string) bool { return s == user.NoTenant || user.IsTenantID(s) }

func atMost(characters int) rule {
	return exactly(func(s string) bool { return utf8.RuneCountInString(s) <= characters })
}

// constants are columns that have no values but constants of the programs, all of them short names.
var constants = regexp.MustCompile(`^(audit_records|refusals)\.action$`)

// boundaries are values at the edges of the rules, and some that are near them.
func boundaries() []string {
	values := []string{
		"", " ", "EUR", "eur", "EURO", "EUR\n", "ÄUR", "ZZZ", "demo", "demo\n", "-demo", ".demo", "_demo", "de mo", "{demo}", "Démo", "Europe/Berlin", "localtime", "Europe//Berlin", "UTC",
		"22:00-07:00", "22:00-22:00", "24:00-07:00", "22:00-7:00", "22:00-07:00\n", "07:00-22:00", "07:00-07:01", "00:00-00:00", "a@b.example", "A@b.example", "a@localhost", "a@", "{}", "{x}", "{NULL}", "/tills", event.Source, event.Source + "/",
		"-1", "0", "1", "2", "15", "16", "65535", "65536", "1000000000000", "1000000000001", "9223372036854775807", "-9223372036854775808", "-", "Paid", "paid ", "due", "sent", "failed", "suppressed", "done", "refused", "A-1042", "שולחן 12",
	}
	for _, n := range []int{2, 3, 16, 31, 32, 33, 63, 64, 65, 100, 101, 127, 128, 199, 200, 201, 250, 253, 254, 255, 256, 300, 301, 500, 501, 1000, 1001} {
		values = append(values, strings.Repeat("a", n), strings.Repeat("ü", n), strings.Repeat("𝒜", n))
	}
	for _, n := range []int{241, 242, 243} { // around the longest address
		values = append(values, "a@"+strings.Repeat("b.", n/2)+strings.Repeat("c", n%2)+"d.example")
	}
	for _, s := range order.Statuses() {
		values = append(values, string(s))
	}
	for _, r := range user.Roles() {
		values = append(values, string(r), "{"+string(r)+"}")
	}
	for _, e := range event.Types() {
		values = append(values, string(e), "{"+string(e)+"}")
	}
	return append(values, user.TimeZones()...)
}

// TestChecksOfTheDatabaseAreTheRulesOfThePrograms evaluates the CHECKs of every column with values at the edges of the programs' rules:
// what they accept the database accepts, and the other way round unless its CHECK is coarse. Another column of a CHECK is empty.
func TestChecksOfTheDatabaseAreTheRulesOfThePrograms(t *testing.T) {
	t.Parallel()
	pool := databasetest.New(t)
	const checks = `
		SELECT c.conrelid::regclass::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
			string_agg('(' || pg_get_expr(c.conbin, c.conrelid) || ')', ' AND '),
			coalesce((SELECT string_agg(DISTINCT format(', ''''::text AS %I', o.attname), '') FROM pg_constraint c2
				JOIN pg_attribute o ON o.attrelid = c2.conrelid AND o.attnum = ANY (c2.conkey) AND o.attnum <> a.attnum
				WHERE c2.contype = 'c' AND c2.conrelid = c.conrelid AND a.attnum = ANY (c2.conkey)), '')
		FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
		WHERE c.contype = 'c' AND c.connamespace = 'public'::regnamespace AND c.coninhcount = 0
		GROUP BY c.conrelid, a.attname, a.attnum, a.atttypid, a.atttypmod`
	rows, err := pool.Query(t.Context(), checks)
	if err != nil {
		t.Fatal(err)
	}
	type check struct{ Table, Column, Type, Expression, Others string }
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[check])
	if err != nil {
		t.Fatal(err)
	}
	known, seen := rules(), map[string]bool{}
	for _, c := range found {
		name := c.Table + "." + c.Column
		rule, ok := known[name]
		if constants.MatchString(name) {
			continue
		}
		if seen[name] = true; !ok {
			t.Errorf("%s has a CHECK (%s), and no rule of the programs here", name, c.Expression)
			continue
		}
		query := fmt.Sprintf("SELECT %s FROM (SELECT $1::text::%s AS %s%s) x", c.Expression, c.Type, pgx.Identifier{c.Column}.Sanitize(), c.Others)
		both := 0
		for _, value := range boundaries() {
			var accepted *bool // NULL passes
			err := pool.QueryRow(t.Context(), query, value).Scan(&accepted)
			database, programs := err == nil && (accepted == nil || *accepted), rule.accepts(value)
			switch {
			case programs && !database:
				t.Errorf("%s: the programs accept %.80q, the database does not (%s): %v", name, value, c.Expression, err)
			case database && !programs && !rule.coarse:
				t.Errorf("%s: the database accepts %.80q (%s), the programs do not", name, value, c.Expression)
			case database && programs:
				both++
			}
		}
		if both == 0 {
			t.Errorf("%s: no value was accepted", name)
		}
	}
	for name := range known {
		if !seen[name] {
			t.Errorf("%s has no CHECK any more", name)
		}
	}
}
