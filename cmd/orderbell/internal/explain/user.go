package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"orderbell/internal/audit"
	"orderbell/internal/mail"
	"orderbell/internal/pipeline"
	"orderbell/internal/user"
)

// inApp describes the user's in-app notification, with the reason.
func inApp(s audit.Story, p audit.Part) string {
	d, ok := decision(p, user.InApp)
	switch {
	case p.Notification != nil && !p.Notification.ReadAt.IsZero():
		return fmt.Sprintf("A notification was created at %s and was read at %s.", stamp(p.Notification.CreatedAt), stamp(p.Notification.ReadAt))
	case p.Notification != nil:
		return fmt.Sprintf("A notification was created at %s. It is not read.", stamp(p.Notification.CreatedAt))
	case !ok:
		return "None: " + undecided(s, p)
	case d.Outcome == user.Suppressed:
		return "None: " + reason(s, p, d.Reason, "in-app notifications")
	case p.Gone:
		return "There was a notification. It was deleted with the user."
	}
	return "A notification was decided, but does not exist: `orderbell verify` says whether more is missing."
}

// mailLine describes the user's mail, with the reason.
func mailLine(s audit.Story, p audit.Part) string {
	d, ok := decision(p, user.Email)
	switch {
	case p.Mail != nil:
		return fate(s, p, *p.Mail)
	case !ok:
		return "None: " + undecided(s, p)
	case d.Outcome == user.Suppressed:
		return "None: " + reason(s, p, d.Reason, "e-mail notifications")
	case p.Gone:
		return "There was a mail. It was deleted with the user."
	}
	return "A mail was decided, but does not exist: `orderbell verify` says whether more is missing."
}

func decision(p audit.Part, c user.Channel) (user.Decision, bool) {
	i := slices.IndexFunc(p.Decisions, func(d user.Decision) bool { return d.Channel == c })
	if i < 0 {
		return user.Decision{}, false
	}
	return p.Decisions[i], true
}

// undecided explains why there is no decision about a user.
func undecided(s audit.Story, p audit.Part) string {
	switch {
	case s.ReceivedAt.IsZero():
		return "the event has not been applied yet."
	case p.User.CreatedAt.After(s.ReceivedAt):
		return fmt.Sprintf("the user was added later, on %s.", stamp(p.User.CreatedAt))
	case s.Data.Undone != "":
		return "undoing a change sends no notifications; the order list shows it."
	case pipeline.Audience(s.Type).OnRequest:
		return fmt.Sprintf("%s notifications are opt-in, and this user had not opted in.", s.Type)
	}
	return "nothing was decided about this user."
}

// reason explains a stored reason in words.
func reason(s audit.Story, p audit.Part, kept, channel string) string {
	switch kept {
	case user.ByRole:
		now := "gone"
		if !p.Gone {
			now = roles(p.User.Roles)
		}
		return fmt.Sprintf("%s is for %s, and the user had no such role (now: %s).", s.Type, roles(pipeline.Audience(s.Type).Roles), now)
	case user.ByPreference:
		return fmt.Sprintf("the user had %s switched off.", channel)
	case user.ByEventPreference:
		return fmt.Sprintf("the user had %s switched on, but not for %s.", channel, s.Type)
	case user.ByUnconfirmed:
		return "the user's address was not confirmed."
	case user.ByAddress:
		return "the address was suppressed, since its mail server had said that there is no such mailbox; `orderbell mail suppressions list` shows " +
			"the answer, and `orderbell mail suppressions remove` allows mails again."
	}
	return kept + "."
}

// fate describes the state of a mail.
func fate(s audit.Story, p audit.Part, l audit.Mailing) string {
	said := ""
	switch {
	case l.Status == string(mail.StatusSent):
		said = fmt.Sprintf("Sent at %s with %s, as %s.", stamp(l.SentAt), attempts(l.Attempt), l.MessageID)
	case l.Status == string(mail.StatusFailed):
		said = fmt.Sprintf("Given up after %s: %s.", attempts(l.Attempt), strings.TrimSuffix(l.Reason, "."))
	case l.Status == string(mail.StatusSuppressed):
		said = "Not sent: when it was due, " + reason(s, p, l.Reason, "e-mail notifications")
	case l.Claimed:
		said = fmt.Sprintf("On its way: attempt %d is under way.", l.Attempt)
	case l.Reason == user.ByQuietHours && l.NextAttemptAt.After(s.Now):
		said = fmt.Sprintf("Deferred to %s because of the user's quiet hours%s.", local(l.NextAttemptAt, p.User.TimeZone), hours(p.User))
	case l.Attempt == 0:
		said = fmt.Sprintf("Due since %s, and not tried yet.", stamp(l.NextAttemptAt))
	default:
		said = fmt.Sprintf("Not sent yet with %s: %s. The next is due at %s.", attempts(l.Attempt), strings.TrimSuffix(l.Reason, "."), stamp(l.NextAttemptAt))
	}
	if l.Ambiguous > 0 {
		said += fmt.Sprintf(" The result of %s is unknown, so there may be copies.", attempts(l.Ambiguous))
	}
	return said
}

func attempts(n int) string {
	if n == 1 {
		return "1 attempt"
	}
	return fmt.Sprintf("%d attempts", n)
}

// hours describes the user's current quiet hours.
func hours(p user.User) string {
	if p.QuietHours == "" {
		return ""
	}
	return fmt.Sprintf(" (now %s, %s)", p.QuietHours, p.TimeZone)
}

// local formats a time in the user's zone and in UTC.
func local(t time.Time, zone string) string {
	place, err := time.LoadLocation(zone)
	if err != nil || place == time.UTC || place == time.Local {
		return stamp(t)
	}
	return fmt.Sprintf("%s (%s)", stamp(t), t.In(place).Format("15:04 MST"))
}

func roles(all []user.Role) string {
	words := make([]string, len(all))
	for i, r := range all {
		words[i] = string(r)
	}
	return strings.Join(words, ", ")
}
