package strictjson_test

import (
	"testing"

	"orderbell/internal/strictjson"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	type inner struct {
		Reference string `json:"reference"`
	}
	type request struct {
		inner

		Amount int64            `json:"total_amount,omitempty"`
		One    *inner           `json:"one"`
		Many   []inner          `json:"many"`
		ByName map[string]inner `json:"by_name"`
	}
	for name, tt := range map[string]struct{ raw, want string }{
		"every name once":                   {`{"total_amount":1,"reference":"é😀"}`, ""},
		"the same name in two objects":      {`{"a":{"x":1},"b":[{"x":1},{"x":2}],"x":3}`, ""},
		"an escaped pair":                   {`{"a":"\ud83d\ude00","b":"\\ud83d","c":"\n\u00e9"}`, ""},
		"what is not JSON":                  {`{"a":1,`, ""},
		"a name twice":                      {`{"total_amount":1,"total_amount":2}`, "total_amount occurs more than once"},
		"a name twice, once escaped":        {`{"a":1,"\u0061":2}`, "a occurs more than once"},
		"a name twice in an inner object":   {`{"a":[{"b":{"c":1,"c":1}}]}`, "a.b.c occurs more than once"},
		"another case":                      {`{"TOTAL_AMOUNT":1}`, "TOTAL_AMOUNT must be spelled total_amount: names are case-sensitive"},
		"another case by Unicode's folding": {`{"REference":1}`, "REference must be spelled reference: names are case-sensitive"},
		"another case in an object":         {`{"one":{"Reference":"x"}}`, "one.Reference must be spelled reference: names are case-sensitive"},
		"another case in an array":          {`{"many":[{"reference":"x"},{"reFerence":"x"}]}`, "many.reFerence must be spelled reference: names are case-sensitive"},
		"another case in a map":             {`{"by_name":{"A":{"a":1},"B":{"REFERENCE":"x"}}}`, "by_name.B.REFERENCE must be spelled reference: names are case-sensitive"},
		"another case after an object":      {`{"one":{"reference":"x"},"One":{}}`, "One must be spelled one: names are case-sensitive"},
		"a known name in another object":    {`{"other":{"Reference":{"Many":1}},"many":[]}`, ""},
		"a long s":                          {`{"total_amount":1,"referen\u0063E":1}`, "referencE must be spelled reference: names are case-sensitive"},
		"the first half of a pair":          {`{"a":"x\ud83dx"}`, "a contains half of a surrogate pair, which is not a character"},
		"the first half at the end":         {`{"a":["\ud83d"]}`, "a contains half of a surrogate pair, which is not a character"},
		"the second half":                   {`{"a":"\ude00"}`, "a contains half of a surrogate pair, which is not a character"},
		"two first halves":                  {`{"a":"\ud83d\ud83d\ude00"}`, "a contains half of a surrogate pair, which is not a character"},
		"half and another escape":           {`{"a":"\ud83d\n"}`, "a contains half of a surrogate pair, which is not a character"},
		"null":                              {`null`, ""},
		"a null":                            {`{"total_amount":null}`, "total_amount must not be null"},
		"a null in an object":               {`{"one":{"reference":null}}`, "one.reference must not be null"},
		"an element that is null":           {`{"many":[{"reference":"x"},null]}`, "many must not be null"},
		"a null after an array":             {`{"many":[{}],"one":null}`, "one must not be null"},
		"a null in a map":                   {`{"by_name":{"A":null}}`, "by_name.A must not be null"},
		"a null in an embedded struct":      {`{"reference":null}`, "reference must not be null"},
		"a null that is not known":          {`{"other":null,"more":{"reference":null},"list":[null]}`, ""},
		"a number that no float holds":      {`{"a":1e999,"b":1,"b":2}`, "b occurs more than once"},
		"a text alone":                      {`"x"`, ""},
		"half in a text alone":              {`"\ud83d"`, "the value contains half of a surrogate pair, which is not a character"},
		"halves with a letter between":      {`{"a":"\ud800x\udc00"}`, "a contains half of a surrogate pair, which is not a character"},
		"the lowest first half":             {`{"a":"\ud800"}`, "a contains half of a surrogate pair, which is not a character"},
		"the highest first half":            {`{"a":"\udbff"}`, "a contains half of a surrogate pair, which is not a character"},
		"the lowest second half":            {`{"a":"\udc00"}`, "a contains half of a surrogate pair, which is not a character"},
		"the highest second half":           {`{"a":"\udfff"}`, "a contains half of a surrogate pair, which is not a character"},
		"pairs at both ends":                {`{"a":"\ud800\udc00\udbff\udfff"}`, ""},
		"neighbours of halves":              {`{"a":"\ud7ff\ue000"}`, ""},
		"an escape before digits":           {`{"a":"\nd800"}`, ""},
		"half in a name":                    {`{"\ud83d":1}`, "\ufffd is a name with half of a surrogate pair, which is not a character"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if fault := strictjson.Check([]byte(tt.raw), &request{}); fault != nil {
				got = fault.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestNamesOfAStruct has fields that encoding/json does not decode by a name, and embedded structs with and without one.
func TestNamesOfAStruct(t *testing.T) {
	t.Parallel()
	type Inner struct {
		Reference string `json:"reference"`
	}
	type Other struct {
		Deep string `json:"deep"`
	}
	type request struct {
		*Inner
		Other `json:"named"`

		Hidden  Inner `json:"-"`
		Unnamed Inner
	}
	for raw, want := range map[string]string{
		`{"Reference":"x"}`:                  "Reference must be spelled reference: names are case-sensitive",
		`{"named":{"Deep":"x"}}`:             "named.Deep must be spelled deep: names are case-sensitive",
		`{"Deep":"x","deep":"x","DEEP":"x"}`: "",
		`{"-":null}`:                         "",
	} {
		got := ""
		if fault := strictjson.Check([]byte(raw), &request{}); fault != nil {
			got = fault.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", raw, got, want)
		}
	}
}
