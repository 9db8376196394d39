package contract_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// frameSchemas is sse-frames.schema.json: the schema of each frame by its event.
type frameSchemas map[string]*jsonschema.Schema

func readFrameSchemas(t *testing.T) frameSchemas {
	t.Helper()
	raw, err := os.ReadFile(framesFile)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	closed(tree)
	doc := readDocument(t)
	name := filepath.Base(framesFile)
	if err := doc.compiler.AddResource(name, tree); err != nil {
		t.Fatal(err)
	}
	schemas := frameSchemas{}
	for event, definition := range tree.(map[string]any)["definitions"].(map[string]any) {
		if properties, ok := definition.(map[string]any)["properties"].(map[string]any); ok && properties["event"] != nil {
			schemas[event] = doc.compile(t, name+"#/definitions/"+event)
		}
	}
	return schemas
}

// closed makes each list of known values one of all values: a client may meet more, the gateway sends none that is not written.
func closed(node any) {
	switch node := node.(type) {
	case []any:
		for _, n := range node {
			closed(n)
		}
	case map[string]any:
		if values, ok := node["x-extensible-enum"]; ok {
			node["enum"] = values
		}
		for _, n := range node {
			closed(n)
		}
	}
}

// check holds a frame, with its blank line, to the schema of its event: valid, and no field that the schema does not have.
func (s frameSchemas) check(t *testing.T, frame string) {
	t.Helper()
	event := field(frame, "event")
	schema, ok := s[event]
	if !ok {
		t.Errorf("%s has no frame %q: %q", framesFile, event, frame)
		return
	}
	data := generic(t, []byte(field(frame, "data")))
	value := map[string]any{"id": field(frame, "id"), "event": event, "data": data}
	if retry := field(frame, "retry"); retry != "" {
		ms, err := strconv.Atoi(retry)
		if err != nil {
			t.Errorf("retry: %v", err)
		}
		value["retry"] = ms
	}
	checkEmitted(t, schema, value)
	known := properties(schema.Properties["data"])
	for name := range data {
		if !known[name] {
			t.Errorf("%s: %s.data has no field %q", framesFile, event, name)
		}
	}
}

func TestEachFrameOfTheSchemaHasAnExample(t *testing.T) {
	t.Parallel()
	examples := map[string]bool{}
	for _, text := range frameExamples(t) {
		examples[field(text, "event")] = true
	}
	for event := range readFrameSchemas(t) {
		if !examples[event] {
			t.Errorf("%s has no example of %s", framesDir, event)
		}
	}
}
