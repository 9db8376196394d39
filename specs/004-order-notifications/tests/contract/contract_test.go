// Package contract_test compares the code with the written contracts: the AsyncAPI document, the SSE contract and their
// golden examples. `make contract` runs it.
package contract_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

const (
	contracts    = "../../contracts"
	asyncAPIFile = contracts + "/asyncapi-orders-events.yaml"
	eventsDir    = contracts + "/examples/events"
	framesFile   = contracts + "/sse-frames.schema.json"
	framesDir    = contracts + "/examples/sse"
)

// document is the AsyncAPI document: its messages for the tests, and the whole of it for the schema compiler.
type document struct {
	Components struct {
		Messages map[string]channelMessage `json:"messages"`
	} `json:"components"`

	compiler *jsonschema.Compiler
}

type channelMessage struct {
	Headers  reference `json:"headers"`
	Payload  reference `json:"payload"`
	Examples []example `json:"examples"`
}

type reference struct {
	Ref string `json:"$ref"`
}

type example struct {
	Name    string         `json:"name"`
	Headers map[string]any `json:"headers"`
	Payload any            `json:"payload"`
}

func readDocument(t *testing.T) document {
	t.Helper()
	raw, err := os.ReadFile(asyncAPIFile)
	if err != nil {
		t.Fatal(err)
	}
	var whole any
	if err := yaml.Unmarshal(raw, &whole); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	var doc document
	if err := json.Unmarshal(asJSON, &doc); err != nil {
		t.Fatal(err)
	}
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	doc.compiler = jsonschema.NewCompiler()
	doc.compiler.DefaultDraft(jsonschema.Draft7) // an AsyncAPI schema object is a superset of draft 7
	doc.compiler.AssertFormat()
	if err := doc.compiler.AddResource(filepath.Base(asyncAPIFile), tree); err != nil {
		t.Fatal(err)
	}
	return doc
}

// schema returns the schema that ref names in the document.
func (d document) schema(t *testing.T, ref string) *jsonschema.Schema {
	t.Helper()
	if ref == "" {
		t.Fatal("the document names no schema here")
	}
	return d.compile(t, filepath.Base(asyncAPIFile)+ref)
}

func (d document) compile(t *testing.T, url string) *jsonschema.Schema {
	t.Helper()
	schema, err := d.compiler.Compile(url)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// properties returns the fields that a schema of the document knows, those of its allOf included.
func properties(s *jsonschema.Schema) map[string]bool {
	known := map[string]bool{}
	for name := range s.Properties {
		known[name] = true
	}
	if s.Ref != nil {
		for name := range properties(s.Ref) {
			known[name] = true
		}
	}
	for _, part := range s.AllOf {
		for name := range properties(part) {
			known[name] = true
		}
	}
	return known
}

// checkEmitted holds what a program made to a schema: valid, and no field that the contract does not know. Consumers
// must ignore unknown fields, but our own publisher has none: it would be a undocumented field.
func checkEmitted(t *testing.T, s *jsonschema.Schema, value map[string]any) {
	t.Helper()
	if err := s.Validate(value); err != nil {
		t.Error(err)
	}
	known := properties(s)
	for name := range value {
		if !known[name] {
			t.Errorf("field %q is not in the contract", name)
		}
	}
}

// generic returns v as encoding/json sees it: maps, slices, and numbers with all their digits.
func generic(t *testing.T, v any) map[string]any {
	t.Helper()
	raw, ok := v.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(v); err != nil {
			t.Fatal(err)
		}
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	object, ok := value.(map[string]any)
	if !ok {
		t.Fatalf("%s is not a JSON object", raw)
	}
	return object
}

// golden returns the JSON files of a folder by name without .json. A folder without any is an error: a test over
// nothing proves nothing.
func golden(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatalf("%s has no examples", dir)
	}
	files := map[string][]byte{}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimSuffix(filepath.Base(path), ".json")] = raw
	}
	return files
}
