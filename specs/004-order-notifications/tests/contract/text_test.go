package contract_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"orderbell/internal/text"
	"orderbell/internal/text/texttest"
)

// TestTheRuleOfNamesIsOne holds the contracts' patterns and the page's to internal/text.
func TestTheRuleOfNamesIsOne(t *testing.T) {
	t.Parallel()
	mayBeEmpty := "^(" + strings.TrimSuffix(strings.TrimPrefix(text.Pattern, "^"), "$") + ")?$"
	cases := texttest.Read(t)
	rule := regexp.MustCompile(mayBeEmpty)
	for _, good := range append(cases.Accepted, "") {
		if !rule.MatchString(good) {
			t.Errorf("%+q does not match the contracts' pattern", good)
		}
	}
	for _, bad := range cases.Refused {
		if rule.MatchString(bad.Text) {
			t.Errorf("%+q matches the contracts' pattern", bad.Text)
		}
	}
	type schema struct {
		Pattern    string
		Properties map[string]schema
	}
	type components struct {
		Components struct{ Schemas map[string]schema }
		Paths      struct {
			Snapshot struct {
				Get struct {
					Parameters []struct {
						Name   string
						Schema schema
					}
				}
			} `yaml:"/api/orders/snapshot"`
		}
	}
	var events, api components
	for file, doc := range map[string]*components{asyncAPIFile: &events, contracts + "/openapi.yaml": &api} {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(raw, doc); err != nil {
			t.Fatal(err)
		}
	}
	data := events.Components.Schemas["OrderData"].Properties
	found := map[string]string{
		"OrderData.reference":     data["reference"].Pattern,
		"OrderData.actor.user_id": data["actor"].Properties["user_id"].Pattern,
		"OrderData.actor.name":    data["actor"].Properties["name"].Pattern,
		"Reference":               api.Components.Schemas["Reference"].Pattern,
		"Name":                    api.Components.Schemas["Name"].Pattern,
	}
	for _, p := range api.Paths.Snapshot.Get.Parameters {
		if p.Name == "q" {
			found["q"] = "^(" + strings.TrimSuffix(strings.TrimPrefix(p.Schema.Pattern, "^"), "$") + ")?$" // it is not empty
		}
	}
	for place, pattern := range found {
		if pattern != mayBeEmpty {
			t.Errorf("%s has the pattern %+q, want %+q", place, pattern, mayBeEmpty)
		}
	}
	if len(found) != 6 {
		t.Errorf("%d places have the rule", len(found))
	}
	page, err := os.ReadFile("../../../../frontend/src/model/text.ts")
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range []string{text.Refused, text.Joiners, text.Blanks} {
		if written := escaped(class); !strings.Contains(string(page), "'"+written+"'") {
			t.Errorf("the page does not have the class '%s'", written)
		}
	}
}

// escaped writes a class as the page has it, with the escapes of a regular expression of ECMAScript with the flag u.
func escaped(class string) string {
	var b strings.Builder
	for _, c := range class {
		switch {
		case c < 0x80:
			b.WriteRune(c)
		case c < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			fmt.Fprintf(&b, `\u{%x}`, c)
		}
	}
	return b.String()
}
