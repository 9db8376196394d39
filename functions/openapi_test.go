package functions_test

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"orderbell/functions/internal/deviceapi"
	"orderbell/functions/internal/inboxapi"
	"orderbell/functions/internal/mail/optout"
	"orderbell/functions/internal/orderapi"
	"orderbell/functions/internal/route"
	"orderbell/functions/internal/userapi"
	"orderbell/internal/event"
	"orderbell/internal/feed/message"
	"orderbell/internal/paths"
	"orderbell/internal/problem"
	"orderbell/internal/user"
)

const openAPIFile = "../specs/004-order-notifications/contracts/openapi.yaml"

// openAPI is the part of the OpenAPI document that the tests use.
type openAPI struct {
	Paths      map[string]map[string]any `yaml:"paths"`
	Components struct {
		Schemas map[string]struct {
			Required   []string       `yaml:"required"`
			Properties map[string]any `yaml:"properties"`
		} `yaml:"schemas"`
	} `yaml:"components"`
}

func readOpenAPI(t *testing.T) (doc openAPI) {
	t.Helper()
	raw, err := os.ReadFile(openAPIFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// The gateway's own two paths are held to the document by its tests.
const streamPaths = "/api/sse/"

func TestTheDocumentHasEveryRouteAndNoOther(t *testing.T) {
	t.Parallel()
	written, served := []string(nil), []string{
		"GET " + optout.Path + "{token}", "POST " + optout.Path + "{token}",
		"GET " + optout.ConfirmPath + "{token}", "POST " + optout.ConfirmPath + "{token}",
	} // not a route.API: it answers with pages
	devices, _ := deviceapi.New(nil, nil, nil, nil, 0)
	served = append(served, "POST "+paths.Pairings, "POST "+paths.Pairings+"/state") // without a token
	for _, api := range []route.API{devices, orderapi.New(nil, nil, nil), userapi.New(nil, nil, nil, nil, user.InvitationTerms{}), inboxapi.New(nil, nil, nil, nil)} {
		served = append(served, api.Routes()...)
	}
	for path, methods := range readOpenAPI(t).Paths {
		for method := range methods {
			if method != "parameters" && !strings.HasPrefix(path, streamPaths) {
				written = append(written, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(served)
	slices.Sort(written)
	if diff := cmp.Diff(served, written); diff != "" {
		t.Errorf("served (-) and written (+): %s", diff)
	}
}

// TestTheOriginPassesOnEveryRouteAndNoOther holds the paths that the origin passes on to the routes of the programs.
func TestTheOriginPassesOnEveryRouteAndNoOther(t *testing.T) {
	t.Parallel()
	devices, _ := deviceapi.New(nil, nil, nil, nil, 0)
	served := map[string][]string{
		"order-api": orderapi.New(nil, nil, nil).Routes(),
		"user-api": slices.Concat(userapi.New(nil, nil, nil, nil, user.InvitationTerms{}).Routes(), inboxapi.New(nil, nil, nil, nil).Routes(),
			devices.Routes(), []string{"POST " + paths.Pairings, "GET " + optout.Path + "{token}", "GET " + optout.ConfirmPath + "{token}"}),
	}
	for path := range readOpenAPI(t).Paths {
		if strings.HasPrefix(path, streamPaths) {
			served["sse-gateway"] = append(served["sse-gateway"], "GET "+path)
		}
	}
	for program, routes := range served {
		used := map[string]bool{}
		for _, route := range routes {
			_, path, _ := strings.Cut(route, " ")
			var to []string
			for other := range served {
				for _, prefix := range paths.Of(other) {
					if path == prefix || strings.HasPrefix(path, prefix+"/") {
						to = append(to, other)
						used[prefix] = true
					}
				}
			}
			if diff := cmp.Diff([]string{program}, to); diff != "" {
				t.Errorf("%s is served by (-) and passed on to (+): %s", path, diff)
			}
		}
		for _, prefix := range paths.Of(program) {
			if !used[prefix] {
				t.Errorf("the origin passes %s on to %s, which serves nothing there", prefix, program)
			}
		}
	}
}

func TestTheDocumentHasEveryFieldAndNoOther(t *testing.T) {
	t.Parallel()
	doc := readOpenAPI(t)
	for name, of := range map[string]reflect.Type{
		"Device": reflect.TypeFor[deviceapi.Device](), "Devices": reflect.TypeFor[deviceapi.List](), "Approval": reflect.TypeFor[deviceapi.Approval](),
		"NewPairing": reflect.TypeFor[deviceapi.NewPairing](), "PairingQuestion": reflect.TypeFor[deviceapi.Question](), "PairingState": reflect.TypeFor[deviceapi.State](),
		"Problem": reflect.TypeFor[problem.Problem](), "Order": reflect.TypeFor[orderapi.Order](), "Counts": reflect.TypeFor[orderapi.Counts](), "NewUndo": reflect.TypeFor[orderapi.NewUndo](),
		"History": reflect.TypeFor[orderapi.History](), "Change": reflect.TypeFor[orderapi.Change](), "Told": reflect.TypeFor[orderapi.Told](), "Summary": reflect.TypeFor[orderapi.Summary](), "Day": reflect.TypeFor[orderapi.Day](),
		"Takings": reflect.TypeFor[orderapi.Takings](), "Funnel": reflect.TypeFor[orderapi.Funnel](), "Hour": reflect.TypeFor[orderapi.Hour](), "Recent": reflect.TypeFor[orderapi.Recent](), "Displayed": reflect.TypeFor[inboxapi.Displayed](),
		"Actor":    reflect.TypeFor[event.Actor](),
		"NewOrder": reflect.TypeFor[orderapi.NewOrder](),
		"Snapshot": reflect.TypeFor[orderapi.Snapshot](), "Tenant": reflect.TypeFor[userapi.Tenant](),
		"TenantChanges": reflect.TypeFor[userapi.TenantChanges](), "User": reflect.TypeFor[userapi.User](), "UserChanges": reflect.TypeFor[userapi.Changes](),
		"Preferences": reflect.TypeFor[userapi.Preferences](), "UserPage": reflect.TypeFor[userapi.Page](), "Inbox": reflect.TypeFor[inboxapi.Inbox](),
		"Notification": reflect.TypeFor[inboxapi.Notification](), "EventData": reflect.TypeFor[event.Data](), "Reading": reflect.TypeFor[message.Reading](),
	} {
		schema, ok := doc.Components.Schemas[name]
		if !ok {
			t.Errorf("there is no schema %s", name)
			continue
		}
		var written []string
		for field := range schema.Properties {
			written = append(written, field)
		}
		all, always := fields(of)
		slices.Sort(written)
		if diff := cmp.Diff(all, written); diff != "" {
			t.Errorf("%s of Go (-) and of the document (+): %s", name, diff)
		}
		slices.Sort(schema.Required)
		if diff := cmp.Diff(always, schema.Required); diff != "" {
			t.Errorf("what %s always has, of Go (-) and of the document (+): %s", name, diff)
		}
	}
}

// fields returns the names in the JSON of a struct, sorted, and those that are always there.
func fields(of reflect.Type) (all, always []string) {
	for i := range of.NumField() {
		f := of.Field(i)
		if f.Anonymous {
			more, alwaysMore := fields(f.Type)
			all, always = append(all, more...), append(always, alwaysMore...)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			continue
		}
		all = append(all, name)
		if !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") {
			always = append(always, name)
		}
	}
	slices.Sort(all)
	slices.Sort(always)
	return all, always
}
