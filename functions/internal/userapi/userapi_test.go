package userapi_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"orderbell/functions/internal/userapi"
	"orderbell/internal/auth"
	"orderbell/internal/auth/authtest"
	"orderbell/internal/problem"
	"orderbell/internal/rights"
	"orderbell/internal/rights/rightstest"
	"orderbell/internal/store/database/databasetest"
	"orderbell/internal/store/userstore"
	"orderbell/internal/user"
)

type bundle struct {
	handler                         http.Handler
	tokens                          auth.Config
	store                           *userstore.Store
	owner, manager, cashier, eve    user.User // eve is the other tenant's owner
	asOwner, asManager, asCash, asE string    // their tokens
}

func setup(t *testing.T) bundle {
	t.Helper()
	store := userstore.New(databasetest.New(t))
	b := bundle{tokens: authtest.Config(authtest.Secret)}
	checker, told := rightstest.New(t, rights.Config{CacheFor: time.Minute, Accounts: rights.Accounts{"*/robot": {user.Owner}}}, store)
	verifier := authtest.Verifier(t, b.tokens).With(checker)
	b.store = store
	b.handler = userapi.New(slog.New(slog.NewTextHandler(t.Output(), nil)), verifier, store, told, user.InvitationTerms{
		Limits: user.DefaultLimits{MaxUsers: 50, MaxInvitations: 40}, Life: time.Hour, MailDomain: "orders.example",
	})
	addUser := func(tenant string, role user.Role) (user.User, string) {
		if err := store.EnsureTenant(t.Context(), user.Tenant{ID: tenant, Name: tenant, Locale: "en"}); err != nil {
			t.Fatal(err)
		}
		p, err := store.Add(t.Context(), user.User{
			TenantID: tenant, Email: string(role) + "@" + tenant + ".example", Roles: []user.Role{role}, EmailEnabled: true, InAppEnabled: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		return p, b.token(t, p)
	}
	b.owner, b.asOwner = addUser("acme", user.Owner)
	b.manager, b.asManager = addUser("acme", user.Manager)
	b.cashier, b.asCash = addUser("acme", user.Cashier)
	b.eve, b.asE = addUser("other", user.Owner)
	return b
}

func (b bundle) token(t *testing.T, p user.User) string {
	t.Helper()
	return authtest.Token(t, b.tokens, auth.Principal{UserID: p.ID, TenantID: p.TenantID, Roles: p.Roles})
}

func (b bundle) do(t *testing.T, token, method, path, body string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w.Result()
}

// decode checks the status of an answer and reads its body strictly.
func decode[T any](t *testing.T, res *http.Response, status int) T {
	t.Helper()
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != status {
		t.Fatalf("status is %d, want %d: %s", res.StatusCode, status, body)
	}
	var v T
	dec := json.NewDecoder(strings.NewReader(string(body)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}

func timeless() cmp.Option {
	return cmpopts.IgnoreFields(userapi.User{}, "UserID", "CreatedAt", "UpdatedAt", "InvitationExpires")
}

func TestUsers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	res := b.do(t, b.asManager, "POST", "/api/users", `{"email":"Kim@acme.example","name":"Kim","roles":["kitchen","viewer"],"notification_email_enabled":false}`)
	kim := decode[userapi.User](t, res, 201)
	want := userapi.User{
		TenantID: "acme", Email: "Kim@acme.example", Name: "Kim", Roles: []user.Role{user.Kitchen, user.Viewer},
		InAppEnabled: true, EmailEvents: user.UsualEvents(), InAppEvents: user.UsualEvents(), TimeZone: "UTC", Version: 1,
		EmailState: user.EmailInvited,
	}
	if diff := cmp.Diff(want, kim, timeless()); diff != "" {
		t.Error(diff)
	}
	path := "/api/users/" + kim.UserID
	if res.Header.Get("Location") != path || res.Header.Get("ETag") != `"1"` {
		t.Errorf("Location is %s and ETag %s", res.Header.Get("Location"), res.Header.Get("ETag"))
	}

	res = b.do(t, b.asOwner, "PATCH", path, `{"roles":["cashier"],"notification_email_enabled":true,"notification_in_app_enabled":false}`, "If-Match", `"1"`)
	changed := decode[userapi.User](t, res, 200)
	want.Roles, want.EmailEnabled, want.InAppEnabled, want.Version = []user.Role{user.Cashier}, true, false, 2
	if diff := cmp.Diff(want, changed, timeless()); diff != "" {
		t.Error(diff)
	}
	if got := res.Header.Get("ETag"); got != `"2"` {
		t.Errorf("ETag is %s, want that of version 2", got)
	}

	got := decode[userapi.User](t, b.do(t, b.asOwner, "GET", path, ""), 200)
	if diff := cmp.Diff(changed, got); diff != "" {
		t.Error(diff)
	}
	if res := b.do(t, b.asOwner, "GET", path, "", "If-None-Match", `"2"`); res.StatusCode != 304 {
		t.Errorf("GET of a version that the client has: %d, want 304", res.StatusCode)
	}

	var all []userapi.User
	query := "?limit=3"
	for query != "" {
		page := decode[userapi.Page](t, b.do(t, b.asManager, "GET", "/api/users"+query, ""), 200)
		all, query = append(all, page.Users...), ""
		if page.NextCursor != "" {
			query = "?limit=3&cursor=" + page.NextCursor
		}
	}
	whole := []userapi.User{userapi.FromUser(b.owner), userapi.FromUser(b.manager), userapi.FromUser(b.cashier), changed}
	if diff := cmp.Diff(whole, all); diff != "" {
		t.Error(diff)
	}
}

func TestMe(t *testing.T) {
	t.Parallel()
	b := setup(t)
	me := decode[userapi.User](t, b.do(t, b.asCash, "GET", "/api/me", ""), 200)
	me.Tenant = nil // see TestMeHasTheTenant
	if diff := cmp.Diff(userapi.FromUser(b.cashier), me); diff != "" {
		t.Error(diff)
	}
	res := b.do(t, b.asCash, "PATCH", "/api/me/preferences", `{"notification_email_enabled":false}`, "If-Match", `"1"`)
	me = decode[userapi.User](t, res, 200)
	want := userapi.FromUser(b.cashier)
	want.EmailEnabled, want.Version = false, 2
	if diff := cmp.Diff(want, me, timeless()); diff != "" {
		t.Error(diff)
	}
	res = b.do(t, b.asCash, "PATCH", "/api/me/preferences", `{"notification_in_app_enabled":false}`, "If-Match", `"1"`)
	decode[problem.Problem](t, res, 412)
	me = decode[userapi.User](t, b.do(t, b.asCash, "PATCH", "/api/me/preferences", `{}`), 200)
	want.Version = 3
	if diff := cmp.Diff(want, me, timeless()); diff != "" {
		t.Errorf("a refused change shows: %s", diff)
	}
}

func TestPreferences(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := `{"notification_email_events":[],"notification_in_app_events":["order_created","order_status_updated"],
		"time_zone":"Asia/Jakarta","quiet_hours":"22:00-07:00"}`
	me := decode[userapi.User](t, b.do(t, b.asCash, "PATCH", "/api/me/preferences", body), 200)
	want := userapi.FromUser(b.cashier)
	want.EmailEvents, want.InAppEvents = []string{}, []string{"order_created", "order_status_updated"}
	want.TimeZone, want.QuietHours, want.Version = "Asia/Jakarta", "22:00-07:00", 2
	if diff := cmp.Diff(want, me, timeless()); diff != "" {
		t.Error(diff)
	}
	me = decode[userapi.User](t, b.do(t, b.asCash, "PATCH", "/api/me/preferences", `{"quiet_hours":""}`), 200)
	want.QuietHours, want.Version = "", 3
	if diff := cmp.Diff(want, me, timeless()); diff != "" {
		t.Error(diff)
	}
	made := decode[userapi.User](t, b.do(t, b.asOwner, "POST", "/api/users", `{"email":"n@acme.example","roles":["cashier"],"quiet_hours":"00:00-06:30","notification_email_events":[]}`), 201)
	if made.QuietHours != "00:00-06:30" || len(made.EmailEvents) != 0 || !cmp.Equal(made.InAppEvents, user.UsualEvents()) {
		t.Errorf("a new user has %+v", made)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	users, preferences := "/api/users", "/api/me/preferences"
	cashier, owner, eve := users+"/"+b.cashier.ID, users+"/"+b.owner.ID, users+"/"+b.eve.ID
	robot := b.token(t, user.User{ID: "robot", TenantID: "acme", Roles: []user.Role{user.Viewer}})
	nobody := b.token(t, user.User{ID: "auth0|1042", TenantID: "acme", Roles: []user.Role{user.Owner}})
	strangers := b.token(t, user.User{ID: "robot", TenantID: "nowhere", Roles: []user.Role{user.Owner}})
	for name, tt := range map[string]struct {
		token, method, path, body string
		status                    int
		field, detail             string
	}{
		"an unknown role":                     {b.asOwner, "PATCH", cashier, `{"roles":["cashier","admin"]}`, 422, "roles[1]", "must be one of owner, manager"},
		"a role of another type":              {b.asOwner, "PATCH", cashier, `{"roles":[1]}`, 422, "roles", "JSON number"},
		"no role":                             {b.asOwner, "PATCH", cashier, `{"roles":[]}`, 422, "roles", "empty"},
		"a role twice":                        {b.asOwner, "PATCH", cashier, `{"roles":["viewer","viewer"]}`, 422, "roles[1]", "twice"},
		"an unknown preference":               {b.asCash, "PATCH", preferences, `{"notification_sms_enabled":true}`, 422, "notification_sms_enabled", "not a field"},
		"a preference of another type":        {b.asCash, "PATCH", preferences, `{"notification_email_enabled":"no"}`, 422, "notification_email_enabled", "JSON string"},
		"a user's preference of another type": {b.asOwner, "PATCH", cashier, `{"notification_email_enabled":"no"}`, 422, "notification_email_enabled", "JSON string"},
		"a preference that is null":           {b.asCash, "PATCH", preferences, `{"notification_email_enabled":null}`, 422, "notification_email_enabled", "null"},
		"an unknown event":                    {b.asCash, "PATCH", preferences, `{"notification_email_events":["order_paid","order_eaten"]}`, 422, "notification_email_events[1]", "must be one of order_created, order_paid"},
		"an event that is the stream's alone": {b.asCash, "PATCH", preferences, `{"notification_in_app_events":["notification_read"]}`, 422, "notification_in_app_events[0]", "must be one of"},
		"an event twice":                      {b.asOwner, "PATCH", cashier, `{"notification_in_app_events":["order_paid","order_paid"]}`, 422, "notification_in_app_events[1]", "twice"},
		"an unknown time zone":                {b.asCash, "PATCH", preferences, `{"time_zone":"Mars/Olympus"}`, 422, "time_zone", "IANA"},
		"the server's zone":                   {b.asCash, "PATCH", preferences, `{"time_zone":"Local"}`, 422, "time_zone", "IANA"},
		"a path as a zone":                    {b.asCash, "PATCH", preferences, `{"time_zone":"../../etc/passwd"}`, 422, "time_zone", "IANA"},
		"quiet hours that never end":          {b.asCash, "PATCH", preferences, `{"quiet_hours":"22:00-22:00"}`, 422, "quiet_hours", "two different times"},
		"quiet hours of a 25th hour":          {b.asCash, "PATCH", preferences, `{"quiet_hours":"25:00-07:00"}`, 422, "quiet_hours", "two different times"},
		"a role by oneself":                   {b.asCash, "PATCH", preferences, `{"roles":["owner"]}`, 422, "roles", "not a field"},
		"an id that one chooses":              {b.asOwner, "POST", users, `{"email":"a@b.example","roles":["viewer"],"user_id":"x"}`, 422, "user_id", "not a field"},
		"no e-mail":                           {b.asOwner, "POST", users, `{"roles":["viewer"]}`, 422, "email", "missing"},
		"no roles":                            {b.asOwner, "POST", users, `{"email":"a@b.example"}`, 422, "roles", "missing"},
		"an address with a name":              {b.asOwner, "POST", users, `{"email":"Ana <a@b.example>","roles":["viewer"]}`, 422, "email", "address"},
		"an address over the limit":           {b.asOwner, "POST", users, `{"email":"` + strings.Repeat("a", 250) + `@b.example","roles":["viewer"]}`, 422, "email", "address"},
		"an address with a line end":          {b.asOwner, "PATCH", cashier, `{"email":"a@b.example\nBcc: x@y.example"}`, 422, "email", "address"},
		"a long name":                         {b.asOwner, "PATCH", cashier, `{"name":"` + strings.Repeat("ü", 201) + `"}`, 422, "name", "longer than 200"},
		"a name with NUL":                     {b.asOwner, "PATCH", cashier, `{"name":"a\u0000b"}`, 422, "name", "contains U+0000"},
		"somebody's address":                  {b.asOwner, "POST", users, `{"email":"CASHIER@acme.example","roles":["viewer"]}`, 409, "email", "belongs to another user"},
		"somebody's address by a change":      {b.asOwner, "PATCH", owner, `{"email":"CASHIER@acme.example"}`, 409, "email", "belongs to another user"},
		"the last owner":                      {b.asOwner, "PATCH", owner, `{"roles":["manager"]}`, 409, "roles", "without an owner"},
		"an owner by a manager":               {b.asManager, "PATCH", owner, `{"name":"x"}`, 403, "", "only an owner"},
		"an owner made by a manager":          {b.asManager, "PATCH", cashier, `{"roles":["owner"]}`, 403, "", "only an owner"},
		"a new owner by a manager":            {b.asManager, "POST", users, `{"email":"a@b.example","roles":["owner"]}`, 403, "", "only an owner"},
		"another tenant's user":               {b.asOwner, "PATCH", eve, `{"name":"x"}`, 404, "", "no such user"},
		"another tenant's user, read":         {b.asOwner, "GET", eve, "", 404, "", "no such user"},
		"a malformed id":                      {b.asOwner, "PATCH", users + "/1", `{"name":"x"}`, 404, "", "no such user"},
		"a cashier lists":                     {b.asCash, "GET", users, "", 403, "", "roles"},
		"a cashier adds":                      {b.asCash, "POST", users, `{"email":"a@b.example","roles":["viewer"]}`, 403, "", "roles"},
		"a cashier changes themselves":        {b.asCash, "PATCH", cashier, `{"roles":["owner"]}`, 403, "", "roles"},
		"no token":                            {"", "GET", "/api/me", "", 401, "", "Bearer"},
		"a user who does not exist":           {nobody, "GET", "/api/me", "", 403, "", "roles"},
		"a user who does not exist changes":   {nobody, "PATCH", preferences, `{}`, 403, "", "roles"},
		"a service account":                   {robot, "GET", "/api/me", "", 404, "", "no such user"},
		"a service account's preferences":     {robot, "PATCH", preferences, `{}`, 404, "", "no such user"},
		"a removal of the last owner":         {b.asOwner, "DELETE", owner, "", 409, "", "cannot remove yourself"},
		"a removal of an owner by a manager":  {b.asManager, "DELETE", owner, "", 403, "", "only an owner"},
		"a removal by a cashier":              {b.asCash, "DELETE", cashier, "", 403, "", "roles"},
		"a removal of another tenant's user":  {b.asOwner, "DELETE", eve, "", 404, "", "no such user"},
		"a tenant that does not exist":        {strangers, "POST", users, `{"email":"a@b.example","roles":["viewer"]}`, 403, "", "tenant does not exist"},
		"a limit of 0":                        {b.asOwner, "GET", users + "?limit=0", "", 400, "limit", "1 to 500"},
		"a made-up cursor":                    {b.asOwner, "GET", users + "?cursor=abc", "", 400, "cursor", "next_cursor"},
		"a method of another path":            {b.asOwner, "PUT", cashier, "", 405, "", "PUT"},
		"an unknown path":                     {b.asOwner, "GET", "/api/users/x/y", "", 404, "", "no resource at"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := decode[problem.Problem](t, b.do(t, tt.token, tt.method, tt.path, tt.body), tt.status)
			if !strings.Contains(p.Detail, tt.detail) {
				t.Errorf("detail is %q, want %q in it", p.Detail, tt.detail)
			}
			field := ""
			if len(p.Errors) > 0 {
				field = p.Errors[0].Field
			}
			if field != tt.field {
				t.Errorf("the problem names %q, want %q", field, tt.field)
			}
		})
	}
}

func TestAUserIsRemoved(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := "/api/users/" + b.cashier.ID
	if res := b.do(t, b.asManager, "DELETE", path, "", "If-Match", `"7"`); res.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("another version is removed: %d", res.StatusCode)
	}
	if res := b.do(t, b.asManager, "DELETE", path, ""); res.StatusCode != http.StatusNoContent {
		t.Fatalf("status is %d", res.StatusCode)
	}
	for what, c := range map[string]struct {
		token, method, path string
		want                int
	}{
		"the user is read":          {b.asManager, "GET", path, 404},
		"the user is removed again": {b.asManager, "DELETE", path, 404},
		"the user's own token":      {b.asCash, "GET", "/api/me", 401},
	} {
		if res := b.do(t, c.token, c.method, c.path, ""); res.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", what, res.StatusCode, c.want)
		}
	}
	if res := b.do(t, b.asManager, "POST", "/api/users", `{"email":"`+b.cashier.Email+`","roles":["viewer"]}`); res.StatusCode != http.StatusCreated {
		t.Errorf("the address is not free again: %d", res.StatusCode)
	}
}

func TestATenantHasSoManyUsersAtMost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	most := int64(4) // three are there
	if _, err := b.store.SetLimits(t.Context(), "acme", "operator:test", map[user.Limit]*int64{user.MaxUsers: &most}); err != nil {
		t.Fatal(err)
	}
	statuses := map[int]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			res := b.do(t, b.asOwner, "POST", "/api/users", `{"email":"u`+strconv.Itoa(i)+`@acme.example","roles":["viewer"]}`)
			mu.Lock()
			defer mu.Unlock()
			if statuses[res.StatusCode]++; res.StatusCode == http.StatusConflict {
				if p := decode[problem.Problem](t, res, 409); p.Limit != "max_users" || p.Detail != "the limit max_users of 4 is reached: remove what is no longer needed, or ask the operator for a higher limit" {
					t.Errorf("the refusal is %+v", p)
				}
			}
		})
	}
	all.Wait()
	if diff := cmp.Diff(map[int]int{201: 1, 409: 7}, statuses); diff != "" {
		t.Error(diff)
	}
	if res := b.do(t, b.asE, "POST", "/api/users", `{"email":"x@other.example","roles":["viewer"]}`); res.StatusCode != http.StatusCreated {
		t.Errorf("another tenant is limited too: %d", res.StatusCode)
	}
}
