package smtp_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"orderbell/internal/mail"
)

// gone is the fate of a mail whose address is not mailed again.
const gone = mail.Refused + ", and the address is not mailed again"

// judged returns what becomes of a mail whose step is answered so. All go to one server over a connection that is kept.
func judged(t *testing.T) func(verb, reply string) mail.Fate {
	t.Helper()
	var now atomic.Value
	now.Store([2]string{})
	s := serve(t, func(s step) string {
		if is := now.Load().([2]string); is[0] == s.verb {
			return is[1]
		}
		return ""
	})
	m := setup(t, config(s.url()))
	return func(verb, reply string) mail.Fate {
		t.Helper()
		now.Store([2]string{verb, reply})
		var failure *mail.SendError
		if err := send(t, m, aMail()); !errors.As(err, &failure) {
			t.Fatalf("%s answered with %s: %v", verb, reply, err)
		}
		if failure.NoMailbox {
			return failure.Fate + ", and the address is not mailed again"
		}
		return failure.Fate
	}
}

// TestACodeDecidesWithoutWords tries every enhanced status code with a text that says nothing.
func TestACodeDecidesWithoutWords(t *testing.T) {
	t.Parallel()
	judge := judged(t)
	permanent := map[string]mail.Fate{
		"1.1": gone, "1.2": gone, "1.3": gone, "1.6": gone, "1.10": gone, "7.17": gone, "7.18": gone,
		"1.7": mail.Held, "1.8": mail.Held, "4.1": mail.Refused, "4.4": mail.Refused, "7.2": mail.Refused,
	}
	temporary := map[string]mail.Fate{"1.7": mail.Held, "1.8": mail.Held, "7.0": mail.Deferred, "7.1": mail.Deferred}
	for subject := range 8 {
		for detail := range 31 {
			code := fmt.Sprintf("%d.%d", subject, detail)
			want, special := permanent[code]
			switch {
			case special:
			case detail == 0: // as if it had none
				want = mail.Refused
			case subject == 1 || subject == 2:
				want = mail.Refused
			default:
				want = mail.Held
			}
			assertJudged(t, judge, "RCPT", "550 5."+code+" no", want)
			if detail == 0 {
				want = mail.Held
			}
			assertJudged(t, judge, ".", "550 5."+code+" no", want)

			want, special = temporary[code]
			switch {
			case special:
			case subject == 3 || subject == 7:
				want = mail.Held
			default:
				want = mail.Deferred
			}
			assertJudged(t, judge, "RCPT", "450 4."+code+" no", want)
			if subject != 1 && subject != 2 {
				want = mail.Held
			}
			assertJudged(t, judge, ".", "450 4."+code+" no", want)
		}
	}
}

func assertJudged(t *testing.T, judge func(verb, reply string) mail.Fate, verb, reply string, want mail.Fate) {
	t.Helper()
	if got := judge(verb, reply); got != want {
		t.Errorf("%s answered with %q is %s, want %s", verb, reply, got, want)
	}
}

// TestABasicCodeDecidesWithoutWords are answers without an enhanced code.
func TestABasicCodeDecidesWithoutWords(t *testing.T) {
	t.Parallel()
	judge := judged(t)
	for code := 500; code < 560; code++ {
		want := mail.Held
		switch code {
		case 501, 550, 551, 552, 553:
			want = mail.Refused
		}
		reply := fmt.Sprintf("%d no", code)
		assertJudged(t, judge, "RCPT", reply, want)
		for _, verb := range []string{"MAIL", "DATA", "."} {
			assertJudged(t, judge, verb, reply, mail.Held)
		}
	}
	for _, code := range []int{421, 450, 451, 452, 454} {
		want := mail.Deferred
		if code == 421 {
			want = mail.Held
		}
		reply := fmt.Sprintf("%d no", code)
		assertJudged(t, judge, "RCPT", reply, want)
		for _, verb := range []string{"MAIL", "DATA", "."} {
			assertJudged(t, judge, verb, reply, mail.Held)
		}
	}
}

// TestWordsDecideWhereACodeDoesNot has words for each thing that servers say, with a code that would decide otherwise.
func TestWordsDecideWhereACodeDoesNot(t *testing.T) {
	t.Parallel()
	judge := judged(t)
	for _, words := range []string{
		"User unknown", "Unknown user", "no such user", "no such recipient", "No such person", "no such mailbox", "no such address",
		"user not found", "recipient is unknown", "mailbox was invalid", "account doesn't exist", "address does not exist", "person not exist",
		"mailbox not found", "recipient invalid", "account is not found", "user does not exist", "address unknown",
		"unknown recipient", "unknown address", "unknown local part", "unknown local-part", "unknown mailbox", "invalid recipient",
		"invalid mailbox", "unrouteable address", "unroutable address", "no mailbox here", "mailbox unavailable",
		"this user doesn't have a yahoo.example account", "it doesn't have an example account", "they do not, it does not have a demo account",
		"it does not have an example account",
	} {
		assertJudged(t, judge, "RCPT", "550 "+words, gone)
		assertJudged(t, judge, ".", "554 "+words, gone)
		assertJudged(t, judge, "RCPT", "550 "+words+", relay denied", mail.Held)
	}
	for _, words := range []string{
		"relaying denied", "sender refused", "bad HELO", "bad EHLO", "SPF", "DKIM", "DMARC", "authentication required", "not authorized",
		"log in", "login", "blocked", "on a block list", "blocklist", "black list", "blacklist", "deny list", "denylist", "an RBL", "a dnsbl",
		"spamhaus", "looks like spam", "bad reputation", "quota", "throttled", "sending rate", "sending limit", "rate limit", "rate-limit",
		"too many mails", "client host", "your IP", "your host", "your server", "your domain", "your mail", "policy", "prohibited",
		"not verified", "verification", "unusual rate", "invalid DNS", "resource record",
	} {
		assertJudged(t, judge, "RCPT", "550 "+words, mail.Held)
		assertJudged(t, judge, "RCPT", "550 5.4.1 "+words, mail.Held)
	}
	for _, words := range []string{"mailbox over quota", "recipient's quota", "inbox over quota", "user over quota"} {
		assertJudged(t, judge, "RCPT", "552 "+words, mail.Refused)
		assertJudged(t, judge, ".", "552 "+words, mail.Held)
		assertJudged(t, judge, "RCPT", "550 "+words, mail.Held)
	}
	for _, words := range []string{
		"throttled", "sending quota", "sending rate", "sending limit", "daily message quota", "100 sent per day", "100 messages per hour",
		"HELO", "EHLO", "relay", "sender", "authenticate first",
	} {
		assertJudged(t, judge, "RCPT", "450 4.2.1 "+words, mail.Held)
	}
	for _, words := range []string{"greylisted by policy", "graylisted", "grey-listed", "gray-list"} {
		assertJudged(t, judge, "RCPT", "421 4.7.29 "+words, mail.Deferred)
	}
	assertJudged(t, judge, "RCPT", "450 your IP", mail.Held)
	for _, reply := range []string{"550 #5.1.1 no", "550 no (#5.1.1)", "550 5.1.1", "550 5.1.1: no"} {
		assertJudged(t, judge, "RCPT", reply, gone)
	}
	for _, reply := range []string{"550 see 5.1.1 no", "550 6.1.1 no", "550 5.1.1234 no"} { // no enhanced code
		assertJudged(t, judge, "RCPT", reply, mail.Refused)
	}
}
