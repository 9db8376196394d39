package smtp

import (
	"errors"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"

	"orderbell/internal/mail"
)

// stage is a step of an SMTP transaction.
type stage string

// The stages, in order. Before atRcpt the server has not seen the recipient.
const (
	atConnect stage = "connect" // TCP, greeting, EHLO, STARTTLS and AUTH
	atMail    stage = "MAIL FROM"
	atRcpt    stage = "RCPT TO"
	atData    stage = "DATA"
	atMessage stage = "end of message" // the final dot was sent
)

// failure is a failed step.
type failure struct {
	at  stage
	err error
}

// reply returns the server's answer: its code, 0 if there was none, and its text with one space for each line break.
func reply(err error) (code int, text string) {
	var answer *textproto.Error
	if !errors.As(err, &answer) {
		return 0, ""
	}
	return answer.Code, strings.Join(strings.Fields(answer.Msg), " ")
}

// verdict is the meaning of an answer for a mail.
type verdict struct {
	fate      mail.Fate
	noMailbox bool // the address does not exist: nothing may be sent to it again
}

// Reply codes with a special meaning (RFC 5321 §4.2.3).
const (
	codeClosing     = 421 // the connection ends
	codeSyntaxOfArg = 501
	codeUnavailable = 550
	codeNotLocal    = 551
	codeFull        = 552
	codeBadMailbox  = 553
	codeFailed      = 554 // of the transaction, for whatever reason
)

// judge decides the result of a mail. Only a fault of the recipient is [mail.Refused]. A fault of the sender (name,
// login, address, relay, quota, policy, content) or of the server is [mail.Held], because an operator has to repair it.
// In doubt the mail is held: a held mail can still be given up, but a mail that was given up is lost.
func judge(at stage, code int, text string) verdict {
	switch {
	case code == 0 && at == atMessage:
		return verdict{fate: mail.Unknown}
	case code == 0 || at == atConnect || at == atMail:
		return verdict{fate: mail.Held}
	}
	status, known := enhanced(text)
	if code < 500 {
		return verdict{fate: temporary(at, code, status, known, text)}
	}
	if known && status.detail != 0 {
		return permanent(status, text)
	}
	return unspecific(at, code, text)
}

// enhancedStatus is an enhanced status code (RFC 3463): class.subject.detail.
type enhancedStatus struct{ subject, detail int }

// enhancedForm matches the code at the beginning of an answer. Some servers write #5.1.0, and qmail ends with (#5.1.1).
var enhancedForm = regexp.MustCompile(`(?:^#?|\(#)[245]\.(\d{1,3})\.(\d{1,3})\b`)

func enhanced(text string) (enhancedStatus, bool) {
	found := enhancedForm.FindStringSubmatch(text)
	if found == nil {
		return enhancedStatus{}, false
	}
	subject, _ := strconv.Atoi(found[1])
	detail, _ := strconv.Atoi(found[2])
	return enhancedStatus{subject, detail}, true
}

// Subjects of enhanced status codes.
const (
	ofAddress = 1
	ofMailbox = 2
	ofRoute   = 4
	ofPolicy  = 7
)

// permanent judges a 5xx with a specific enhanced code, from the IANA registry of them.
func permanent(s enhancedStatus, text string) verdict {
	switch s.subject {
	case ofAddress:
		switch s.detail {
		case 7, 8: // the sender's address or its domain is bad
			return verdict{fate: mail.Held}
		case 1, 2, 3, 6, 10: // no such mailbox, no such domain, bad syntax, moved, a domain that takes no mail (null MX)
			return verdict{fate: mail.Refused, noMailbox: true}
		}
		return verdict{fate: mail.Refused}
	case ofMailbox: // disabled, full, too small, a list that cannot be expanded; temporary
		return verdict{fate: mail.Refused}
	case ofRoute:
		switch s.detail {
		case 1, 4: // Exchange Online's unknown recipient; a domain without a route
			if !saysOurs.MatchString(text) { // its denied relay has the same code
				return verdict{fate: mail.Refused}
			}
		}
	case ofPolicy:
		switch s.detail {
		case 2: // the sender may not write to this list
			return verdict{fate: mail.Refused}
		case 17, 18: // the mailbox or its domain has another owner now (RFC 7293)
			return verdict{fate: mail.Refused, noMailbox: true}
		}
	}
	return verdict{fate: mail.Held}
}

// Texts of servers that send no enhanced code, or a general one (x.y.0): Exim, Yahoo, Outlook.com and others.
var (
	saysNoMailbox = regexp.MustCompile(`(?i)unknown user|no such (user|recipient|person|mailbox|address)|` +
		`(user|recipient|mailbox|account|address|person) (is |was )?(not found|unknown|invalid|does(n't| not) exist|not exist)|` +
		`unknown (recipient|address|local[ -]part|mailbox)|invalid (recipient|mailbox)|unroute?able address|no mailbox here|` +
		`mailbox unavailable|doesn't have an? .{1,60} account|does not have an? .{1,60} account`)
	saysOurs = regexp.MustCompile(`(?i)relay|sender|\bhelo\b|\behlo\b|\bspf\b|\bdkim\b|\bdmarc\b|authenti|not authori|log ?in|` +
		`block(ed| ?list)|black ?list|deny ?list|\brbl\b|dnsbl|spam|reputation|quota|throttl|sending (rate|limit)|` +
		`rate[ -]limit|too many|client host|your (ip|host|server|domain|mail)|policy|prohibit|not verified|verification|` +
		`unusual rate|invalid dns|resource record`)
	saysFull     = regexp.MustCompile(`(?i)mailbox|recipient|inbox|user`)
	saysOurQuota = regexp.MustCompile(`(?i)throttl|sending (quota|rate|limit)|message quota|(sent|messages) per (day|hour)|` +
		`\bhelo\b|\behlo\b|relay|sender|authenti`)
	saysGreylisted = regexp.MustCompile(`(?i)gr[ae]y-?list`)
)

// unspecific judges a 5xx without a usable enhanced code by its step, basic code and text.
func unspecific(at stage, code int, text string) verdict {
	if code == codeFull && at == atRcpt && saysFull.MatchString(text) {
		return verdict{fate: mail.Refused}
	}
	ours := saysOurs.MatchString(text)
	if saysNoMailbox.MatchString(text) && !ours {
		return verdict{fate: mail.Refused, noMailbox: true}
	}
	if at != atRcpt || ours {
		return verdict{fate: mail.Held}
	}
	switch code {
	case codeUnavailable, codeNotLocal, codeFull, codeBadMailbox, codeSyntaxOfArg:
		return verdict{fate: mail.Refused}
	}
	return verdict{fate: mail.Held} // 554 and the codes that say the command was wrong
}

// temporary judges a 4xx. A fault of this recipient uses an attempt. An outage, or a complaint about the sender, does not.
func temporary(at stage, code int, s enhancedStatus, known bool, text string) mail.Fate {
	switch {
	case saysOurQuota.MatchString(text):
		return mail.Held
	case known && (s.subject == ofAddress || s.subject == ofMailbox):
		if s.subject == ofAddress && (s.detail == 7 || s.detail == 8) { // the sender's address, as in permanent
			return mail.Held
		}
		return mail.Deferred
	case at != atRcpt || known && s.subject == 3: // 4.3.x is about the server
		return mail.Held
	case saysGreylisted.MatchString(text):
		return mail.Deferred
	case code == codeClosing || saysOurs.MatchString(text) || known && s.subject == ofPolicy && s.detail > 1:
		return mail.Held // such as 4.7.25, a client without a name
	}
	return mail.Deferred // greylisting in other words
}
