package userapi

import (
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"orderbell/functions/internal/route"
	"orderbell/internal/address"
	"orderbell/internal/auth"
	"orderbell/internal/event"
	"orderbell/internal/paths"
	"orderbell/internal/problem"
	"orderbell/internal/text"
	"orderbell/internal/user"
)

// Preferences is the body of PATCH /api/me/preferences. Absent fields do not change.
type Preferences struct {
	EmailEnabled *bool `json:"notification_email_enabled,omitempty"`
	InAppEnabled *bool `json:"notification_in_app_enabled,omitempty"`

	EmailEvents []string `json:"notification_email_events,omitempty"`
	InAppEvents []string `json:"notification_in_app_events,omitempty"`
	TimeZone    *string  `json:"time_zone,omitempty"`
	QuietHours  *string  `json:"quiet_hours,omitempty"`
}

// change converts p to a change of the user.
func (p Preferences) change() user.Change {
	return user.Change{
		EmailEnabled: p.EmailEnabled, InAppEnabled: p.InAppEnabled, EmailEvents: p.EmailEvents, InAppEvents: p.InAppEvents,
		TimeZone: p.TimeZone, QuietHours: p.QuietHours,
	}
}

// Changes is the body of PATCH /api/users/{id}. With e-mail and roles it is also the body of POST /api/users.
type Changes struct {
	Email *string     `json:"email,omitempty"`
	Name  *string     `json:"name,omitempty"`
	Roles []user.Role `json:"roles,omitempty"`
	Preferences
}

// counted limits how often a caller and a tenant may call h.
func (a api) counted(h func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if a.ofUser == nil {
			return h(w, r)
		}
		who, err := auth.Who(r)
		if err != nil {
			return err
		}
		wait := a.ofUser.Take(who.TenantID + " " + who.UserID)
		if wait == 0 {
			wait = a.ofTenant.Take(who.TenantID)
		}
		if wait > 0 {
			return problem.New(http.StatusTooManyRequests, "too many changes of users and settings were made: try again in %s", wait.Round(time.Second)).
				With("Retry-After", route.Seconds(wait))
		}
		return h(w, r)
	}
}

func (a api) add(w http.ResponseWriter, r *http.Request) error {
	principal, asked, err := read[Changes](w, r)
	if err != nil {
		return err
	}
	wrong := asked.wrong()
	if asked.Email == nil {
		wrong = append(wrong, problem.FieldError{Field: "email", Detail: "is missing"})
	}
	if asked.Roles == nil {
		wrong = append(wrong, problem.FieldError{Field: "roles", Detail: "is missing"})
	}
	if len(wrong) > 0 {
		return problem.Fields(wrong)
	}
	if err := mayGrant(principal, asked.Roles); err != nil {
		return err
	}
	p, err := a.store.Invite(r.Context(), user.User{
		TenantID: principal.TenantID, Email: *asked.Email, Name: text.Normal(or(asked.Name, "")), Roles: asked.Roles,
		EmailEnabled: or(asked.EmailEnabled, true), InAppEnabled: or(asked.InAppEnabled, true),
		EmailEvents: asked.EmailEvents, InAppEvents: asked.InAppEvents, TimeZone: or(asked.TimeZone, ""), QuietHours: or(asked.QuietHours, ""),
	}, a.terms, by(r, principal))
	if err != nil {
		return refusal(err)
	}
	w.Header().Set("Location", paths.Users+"/"+p.ID)
	return route.Answer(w, http.StatusCreated, route.VersionTag(p.Version), FromUser(p))
}

func or[T any](v *T, standard T) T {
	if v == nil {
		return standard
	}
	return *v
}

func (a api) change(w http.ResponseWriter, r *http.Request) error {
	principal, asked, err := read[Changes](w, r)
	if err != nil {
		return err
	}
	if wrong := asked.wrong(); len(wrong) > 0 {
		return problem.Fields(wrong)
	}
	id, err := userID(r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := mayGrant(principal, asked.Roles); err != nil {
		return err
	}
	c := asked.change()
	c.Email, c.Roles, c.SpareOwners = asked.Email, asked.Roles, !principal.Has(user.Owner)
	if asked.Name != nil {
		name := text.Normal(*asked.Name)
		c.Name = &name
	}
	return a.update(w, r, principal, id, c)
}

func (a api) prefer(w http.ResponseWriter, r *http.Request) error {
	principal, asked, err := read[Preferences](w, r)
	if err != nil {
		return err
	}
	if wrong := asked.wrong(); len(wrong) > 0 {
		return problem.Fields(wrong)
	}
	id, err := userID(principal.UserID)
	if err != nil {
		return err
	}
	return a.update(w, r, principal, id, asked.change())
}

func (a api) update(w http.ResponseWriter, r *http.Request, who auth.Principal, id string, c user.Change) error {
	var err error
	c.By = by(r, who)
	if c.Version, err = route.IfMatch(r); err != nil {
		return err
	}
	p, err := a.store.Update(r.Context(), who.TenantID, id, c, a.terms)
	if err != nil {
		return refusal(err)
	}
	if c.Roles != nil {
		a.tell(r.Context(), auth.Revocation{TenantID: who.TenantID, UserID: id, Changed: true}, changeKept)
	}
	return route.Answer(w, http.StatusOK, route.VersionTag(p.Version), FromUser(p))
}

// read returns the caller and the body of the request.
func read[T any](w http.ResponseWriter, r *http.Request) (who auth.Principal, body T, err error) {
	if who, err = auth.Who(r); err != nil {
		return who, body, err
	}
	raw, err := problem.ReadBody(w, r)
	if err == nil {
		err = problem.Decode(raw, &body)
	}
	return who, body, err
}

// mayGrant returns an error if the caller may not grant the roles: only an owner can grant owner.
func mayGrant(who auth.Principal, roles []user.Role) error {
	if slices.Contains(roles, user.Owner) && !who.Has(user.Owner) {
		return problem.New(http.StatusForbidden, "only an owner may give a user the role owner")
	}
	return nil
}

// wrong returns the errors of the fields that are present.
func (c Changes) wrong() []problem.FieldError {
	var wrong []problem.FieldError
	add := func(field, detail string) { wrong = append(wrong, problem.FieldError{Field: field, Detail: detail}) }
	if c.Email != nil {
		if _, err := address.Parse(*c.Email); err != nil {
			add("email", "is not valid: "+err.Error())
		}
	}
	if c.Name != nil {
		if max(utf8.RuneCountInString(*c.Name), utf8.RuneCountInString(text.Normal(*c.Name))) > user.MaxName {
			add("name", fmt.Sprintf("is longer than %d characters", user.MaxName))
		} else if fault := text.Fault(*c.Name); fault != "" {
			add("name", fault)
		}
	}
	if c.Roles != nil && len(c.Roles) == 0 {
		add("roles", "is empty: a user needs at least one role")
	}
	for i, role := range c.Roles {
		field := fmt.Sprintf("roles[%d]", i)
		if !role.Valid() {
			add(field, fmt.Sprintf("must be one of %s", text.List(user.Roles())))
		} else if slices.Contains(c.Roles[:i], role) {
			add(field, "is listed twice")
		}
	}
	return append(wrong, c.Preferences.wrong()...)
}

// wrong returns the errors of the preferences that are present.
func (p Preferences) wrong() []problem.FieldError {
	wrong := slices.Concat(
		wrongEvents("notification_email_events", p.EmailEvents), wrongEvents("notification_in_app_events", p.InAppEvents))
	if p.TimeZone != nil && !user.IsTimeZone(*p.TimeZone) {
		wrong = append(wrong, problem.FieldError{Field: "time_zone", Detail: "must be a time zone of the IANA database, such as Asia/Jakarta"})
	}
	if p.QuietHours != nil && !user.IsQuietHours(*p.QuietHours) {
		wrong = append(wrong, problem.FieldError{Field: "quiet_hours", Detail: "must be two different times, such as 22:00-07:00, or empty"})
	}
	return wrong
}

func wrongEvents(field string, types []string) (wrong []problem.FieldError) {
	for i, t := range types {
		at := fmt.Sprintf("%s[%d]", field, i)
		if !event.Type(t).Valid() {
			wrong = append(wrong, problem.FieldError{Field: at, Detail: fmt.Sprintf("must be one of %s", text.List(event.Types()))})
		} else if slices.Contains(types[:i], t) {
			wrong = append(wrong, problem.FieldError{Field: at, Detail: "is listed twice"})
		}
	}
	return wrong
}
