package smtp_test

import (
	"errors"
	"strings"
	"testing"

	"orderbell/internal/mail"
)

// TestAnswers uses answers of real servers, in their own words.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const (
		held, deferred, refused = mail.Held, mail.Deferred, mail.Refused
	)
	for _, tt := range []struct {
		server, verb, reply string
		want                mail.Fate
	}{
		// Faults of the sender.
		{"Postfix", "EHLO", "504 5.5.2 <till-7>: Helo command rejected: need fully-qualified hostname", held},
		{"Postfix", "RCPT", "504 5.5.2 <till-7>: Helo command rejected: need fully-qualified hostname", held},
		{"Postfix", "RCPT", "554 5.7.1 <owner@demo.example>: Relay access denied", held},
		{"Postfix", "RCPT", "454 4.7.1 <owner@demo.example>: Relay access denied", held},
		{"Postfix", "RCPT", "553 5.7.1 <bell@orderbell.example>: Sender address rejected: not logged in", held},
		{"Postfix", "RCPT", "553 5.7.1 <bell@orderbell.example>: Sender address rejected: not owned by user till", held},
		{"Postfix", "RCPT", "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", held},
		{"Postfix", "RCPT", "550 5.7.23 <owner@demo.example>: Recipient address rejected: Message rejected due to: SPF fail", held},
		{"Postfix", "RCPT", "550 5.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]", held},
		{"Postfix", "MAIL", "530 5.7.0 Must issue a STARTTLS command first", held},
		{"Postfix", "MAIL", "552 5.3.4 Message size exceeds fixed limit", held},
		{"Postfix", ".", "552 5.3.4 Error: message file too big", held},
		{"Postfix", ".", "550 5.7.1 Message contains spam or virus", held},
		{"Exchange", "MAIL", "553 5.7.1 Sender not allowed", held},
		{"Exchange", "MAIL", "530 5.7.57 Client not authenticated to send mail", held},
		{"Exchange", ".", "550 5.7.60 SMTP; Client does not have permissions to send as this sender", held},
		{"Exchange", "RCPT", "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", held},
		{"Exchange", "RCPT", "550 5.7.1 Unable to relay", held},
		{"Exchange", ".", "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP", held},
		{"Exchange", "RCPT", "550 5.1.8 Access denied, bad outbound sender AS(42004)", held},
		{"Exchange", "RCPT", "550 5.1.0 Sender denied", held},
		{"Gmail", "MAIL", "550-5.4.5 Daily user sending limit exceeded. For more information on Gmail\r\n550 5.4.5 sending limits go to support - gsmtp", held},
		{"Gmail", ".", "550-5.4.5 Daily user sending limit exceeded. For more information on Gmail\r\n550 5.4.5 sending limits go to support - gsmtp", held},
		{"Gmail", ".", "550-5.7.26 This mail has been blocked because the sender is unauthenticated.\r\n550 5.7.26 Gmail requires all senders to authenticate", held},
		{"Gmail", ".", "550-5.7.1 [192.0.2.1] The IP you're using to send mail is not authorized\r\n550 5.7.1 to send email directly to our servers.", held},
		{"Gmail", ".", "421-4.7.28 Our system has detected an unusual rate of unsolicited mail\r\n421 4.7.28 originating from your IP address.", held},
		{"Exim", "RCPT", "550 relay not permitted", held},
		{"Exim", "RCPT", "550 Sender verify failed", held},
		{"Exim", "RCPT", "550 Administrative prohibition", held},
		{"Exim", "EHLO", "501 Syntactically invalid HELO argument(s)", held},
		{"Exim", ".", "550 This message was classified as SPAM and may not be delivered", held},
		{"Dovecot", "MAIL", "550 5.1.1 <bell@orderbell.example>: User does not exist", held},
		{"SES", "MAIL", "501 Invalid MAIL FROM address provided", held},
		{"SES", ".", "554 Message rejected: Email address is not verified. The following identities failed the check in region EU-WEST-1: owner@demo.example", held},
		{"SES", ".", "554 Access denied: User `arn:aws:iam::1:user/till' is not authorized to perform `ses:SendRawEmail'", held},
		{"SES", ".", "454 Throttling failure: Daily message quota exceeded.", held},
		{"SES", "RCPT", "454 Throttling failure: Maximum sending rate exceeded.", held},
		{"Postfix", "RCPT", "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]", held},
		{"Postfix", "RCPT", "450 4.1.8 <bell@orderbell.example>: Domain not found", held},
		{"Exchange", "RCPT", "550 5.4.1 Relay Access Denied", held},
		{"Exchange", "RCPT", "451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation", held},
		{"Exchange", "RCPT", "451 4.7.500 Server busy. Please try again later from [192.0.2.1]", held},
		{"Gmail", "RCPT", "421-4.7.28 Our system has detected an unusual rate of unsolicited mail\r\n421 4.7.28 originating from your IP address.", held},
		{"GMX", "RCPT", "550-Requested action not taken: mailbox unavailable\r\n550 invalid DNS MX or A/AAAA resource record", held},
		{"sendmail", "RCPT", "550 5.7.1 <owner@demo.example>... Relaying denied", held},
		{"qmail", "RCPT", "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", held},
		{"a policy server", "RCPT", "554 delivery refused", held},
		{"any server", "RCPT", "503 need MAIL before RCPT", held},
		{"any server", "RCPT", "555 parameters not recognized", held},
		{"any server", "DATA", "554 no valid recipients", held},

		// Faults of the server.
		{"Postfix", "RCPT", "451 4.3.5 Server configuration error", held},
		{"Postfix", "RCPT", "452 4.3.1 Insufficient system storage", held},
		{"Postfix", ".", "451 4.3.0 Error: queue file write error", held},
		{"Exchange", "DATA", "452 4.3.1 Insufficient system resources", held},
		{"Exchange", "RCPT", "421 4.4.2 Connection dropped due to SocketError", held},
		{"any server", "RCPT", "421 Service not available, closing transmission channel", held},

		// Temporary faults of the recipient.
		{"Postfix", "RCPT", "450 4.2.0 <owner@demo.example>: Recipient address rejected: Greylisted", deferred},
		{"Postfix", "RCPT", "450 4.1.2 <owner@demo.example>: Recipient address rejected: Domain not found", deferred},
		{"Postfix", "RCPT", "451 4.7.1 <owner@demo.example>: Recipient address rejected: Greylisting in action", deferred},
		{"Gmail", "RCPT", "452-4.2.2 The recipient's inbox is out of storage space.\r\n452 4.2.2 See support - gsmtp", deferred},
		{"Gmail", "RCPT", "450-4.2.1 The user you are trying to contact is receiving mail at a rate\r\n450 4.2.1 that prevents additional messages", deferred},
		{"Exim", "RCPT", "451 Temporary local problem - please try later", deferred},
		{"postgrey", "RCPT", "421 4.7.0 Greylisted, see https://postgrey.example/help/policy.html", deferred},

		// Permanent faults of the recipient.
		{"Postfix", "RCPT", "550 5.1.1 <owner@demo.example>: Recipient address rejected: User unknown in local recipient table", gone},
		{"Postfix", "RCPT", "550 5.1.2 <owner@demo.example>: Recipient address rejected: Domain not found", gone},
		{"Postfix", "RCPT", "501 5.1.3 Bad recipient address syntax", gone},
		{"Postfix", "RCPT", "556 5.1.10 <owner@demo.example>: Recipient address rejected: Domain demo.example does not accept mail (nullMX)", gone},
		{"Postfix", "RCPT", "552 5.2.2 <owner@demo.example>: Recipient address rejected: User over quota", refused},
		{"Exchange", "RCPT", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", gone},
		{"Exchange", "RCPT", "550 5.4.1 Recipient address rejected: Access denied", refused},
		{"Exchange", ".", "550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient", refused},
		{"Exchange", "RCPT", "550 #5.1.0 Address rejected.", refused},
		{"Gmail", "RCPT", "550-5.1.1 The email account that you tried to reach does not exist. Please try\r\n550-5.1.1 double-checking the recipient's email address for typos\r\n550 5.1.1 - gsmtp", gone},
		{"Gmail", "RCPT", "550-5.2.1 The email account that you tried to reach is inactive.\r\n550 5.2.1 - gsmtp", refused},
		{"Gmail", ".", "550 5.1.1 The email account that you tried to reach does not exist.", gone},
		{"Outlook.com", "RCPT", "550 5.5.0 Requested action not taken: mailbox unavailable", gone},
		{"Exim", "RCPT", "550 Unrouteable address", gone},
		{"Exim", "RCPT", "550 Unknown user", gone},
		{"Exim", "RCPT", "550 No Such User Here", gone},
		{"Exim", "RCPT", "552 mailbox is full", refused},
		{"Yahoo", ".", "554 delivery error: dd This user doesn't have a yahoo.example account (owner@demo.example) [0]", gone},
		{"SES", "RCPT", "501 Invalid RCPT TO address provided", refused},
		{"qmail", "RCPT", "550 sorry, no mailbox here by that name (#5.1.1)", gone},
		{"RFC 7293", "RCPT", "550 5.7.17 Mailbox owner has changed", gone},
		{"RFC 5321", "RCPT", "551 User not local; please try another", refused},
		{"RFC 5321", "RCPT", "550 no", refused},
	} {
		t.Run(tt.server+" answers "+tt.verb+" with "+tt.reply, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(s step) string {
				if s.verb == tt.verb || tt.verb == "EHLO" && s.verb == "HELO" {
					return tt.reply
				}
				return ""
			})
			var failure *mail.SendError
			if err := send(t, setup(t, config(s.url())), aMail()); !errors.As(err, &failure) {
				t.Fatalf("got %v", err)
			}
			got := failure.Fate
			if failure.NoMailbox {
				got += ", and the address is not mailed again"
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if code := tt.reply[:3]; !strings.Contains(failure.Err.Error(), code) {
				t.Errorf("the reason is %q, without %s", failure.Err, code)
			}
			if sender := tt.verb == "EHLO" || tt.verb == "MAIL"; failure.Sender != sender {
				t.Errorf("it is about the sender: %t", failure.Sender)
			}
		})
	}
}
