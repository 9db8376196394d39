// Package openapitest checks the responses of HTTP APIs against their OpenAPI document.
package openapitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

// resource is the name of the document in the schema compiler.
const resource = "openapi.json"

// Document is an OpenAPI document. Its methods are for one goroutine at a time.
type Document struct {
	tree     map[string]any
	compiler *jsonschema.Compiler
}

// Read reads a document of OpenAPI 3.1.
func Read(tb testing.TB, file string) *Document {
	tb.Helper()
	raw, err := os.ReadFile(file) //nolint:gosec // the test names its own document
	if err != nil {
		tb.Fatal(err)
	}
	var whole any
	if err := yaml.Unmarshal(raw, &whole); err != nil {
		tb.Fatal(err)
	}
	if raw, err = json.Marshal(whole); err != nil {
		tb.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		tb.Fatal(err)
	}
	tree, ok := parsed.(map[string]any)
	if !ok {
		tb.Fatalf("%s is not an object", file)
	}
	closed(tree)
	d := &Document{tree: tree, compiler: jsonschema.NewCompiler()}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(resource, tree); err != nil {
		tb.Fatal(err)
	}
	return d
}

// closed forbids fields that a schema of an object does not have. Clients ignore such fields, but our programs send none: it
// would not be documented.
func closed(node any) {
	switch node := node.(type) {
	case []any:
		for _, n := range node {
			closed(n)
		}
	case map[string]any:
		if _, open := node["additionalProperties"]; node["properties"] != nil && node["type"] == "object" && !open {
			node["unevaluatedProperties"] = false
		}
		for _, n := range node {
			closed(n)
		}
	}
}

// Operation is a route of the document.
type Operation struct {
	Method, Path string // such as GET and /api/orders/{id}
	Public       bool   // it needs no token
	EveryRole    bool   // its description says that it is for every role
}

// Operations returns the routes in the order of their paths.
func (d *Document) Operations() []Operation {
	var all []Operation
	for path, methods := range object(d.tree["paths"]) {
		for method, operation := range object(methods) {
			if method == "parameters" {
				continue
			}
			security, own := object(operation)["security"].([]any)
			description, _ := object(operation)["description"].(string)
			all = append(all, Operation{strings.ToUpper(method), path, own && len(security) == 0, strings.HasPrefix(description, "For every role.")})
		}
	}
	slices.SortFunc(all, func(a, b Operation) int { return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method) })
	return all
}

func object(node any) map[string]any {
	o, _ := node.(map[string]any)
	return o
}

// Check fails the test if the response does not match the document: the status of the route, the required headers, the media type,
// and the schema of the body. The path is that of the request, without a query.
func (d *Document) Check(tb testing.TB, method, path string, status int, header http.Header, body []byte) {
	tb.Helper()
	template, operation := d.operation(method, path)
	if operation == nil {
		tb.Errorf("the document has no %s %s", method, path)
		return
	}
	what := fmt.Sprintf("%s %s: %d", method, path, status)
	at, response := d.follow("#/paths/"+escaped(template)+"/"+strings.ToLower(method)+"/responses/"+strconv.Itoa(status), object(operation["responses"])[strconv.Itoa(status)])
	if response == nil {
		tb.Errorf("%s: the document does not have this status: %s", what, body)
		return
	}
	for name, node := range object(response["headers"]) {
		_, declared := d.follow(at+"/headers/"+name, node)
		if declared["required"] == true && header.Get(name) == "" {
			tb.Errorf("%s: the header %s is missing", what, name)
		}
	}
	content := object(response["content"])
	if len(content) == 0 {
		if len(body) > 0 {
			tb.Errorf("%s: the document has no body, got %s", what, body)
		}
		return
	}
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if _, ok := content[media]; err != nil || !ok {
		tb.Errorf("%s: Content-Type is %q, which the document does not have", what, header.Get("Content-Type"))
		return
	}
	if !strings.HasSuffix(media, "json") {
		return
	}
	schema, err := d.compiler.Compile(resource + at + "/content/" + escaped(media) + "/schema")
	if err != nil {
		tb.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		tb.Errorf("%s: %v: %s", what, err, body)
		return
	}
	if err := schema.Validate(value); err != nil {
		tb.Errorf("%s: %v\n%s", what, err, body)
	}
}

// operation returns the path of the document that matches a request's path, preferring one without variables, and its operation.
func (d *Document) operation(method, path string) (template string, operation map[string]any) {
	paths := object(d.tree["paths"])
	if operation := object(object(paths[path])[strings.ToLower(method)]); operation != nil {
		return path, operation
	}
	for template, methods := range paths {
		if operation := object(object(methods)[strings.ToLower(method)]); operation != nil && matches(template, path) {
			return template, operation
		}
	}
	return "", nil
}

func matches(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i, part := range want {
		if part != got[i] && !strings.HasPrefix(part, "{") {
			return false
		}
	}
	return true
}

// follow returns a node and its location, after following its reference if it is one.
func (d *Document) follow(at string, node any) (string, map[string]any) {
	ref, ok := object(node)["$ref"].(string)
	if !ok {
		return at, object(node)
	}
	found := any(d.tree)
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		found = object(found)[name]
	}
	return d.follow(ref, found)
}

// escaped encodes a name as a part of a JSON pointer in a URL's fragment.
func escaped(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(name)
}
