package openapitest

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Field is a field of a JSON body, or a parameter.
type Field struct {
	Name string // dotted path from the body; the elements of an array have []
	Type string // of JSON Schema: string, integer, boolean, array or object
	In   string // query, header or path; "" for a field of a body
}

// Inputs are the inputs of a route.
type Inputs struct {
	Operation

	Fields     []Field // of the JSON body, inner ones too; nil if it has none
	Parameters []Field
}

// Inputs returns every route with its inputs, so that a test of inputs includes new ones automatically.
func (d *Document) Inputs() []Inputs {
	var all []Inputs
	for _, o := range d.Operations() {
		path := object(object(d.tree["paths"])[o.Path])
		operation := object(path[strings.ToLower(o.Method)])
		in := Inputs{Operation: o}
		_, body := d.follow("", operation["requestBody"])
		if content := object(object(body["content"])["application/json"]); content != nil {
			in.Fields = d.fields("", content["schema"])
		}
		for _, list := range []any{path["parameters"], operation["parameters"]} {
			nodes, _ := list.([]any)
			for _, node := range nodes {
				_, p := d.follow("", node)
				_, schema := d.follow("", p["schema"])
				in.Parameters = append(in.Parameters, Field{text(p["name"]), text(schema["type"]), text(p["in"])})
			}
		}
		all = append(all, in)
	}
	return all
}

// fields returns the fields of a schema, sorted, and the elements of an array.
func (d *Document) fields(prefix string, node any) (all []Field) {
	_, schema := d.follow("", node)
	parts, _ := schema["allOf"].([]any)
	for _, part := range parts {
		all = append(all, d.fields(prefix, part)...)
	}
	properties := object(schema["properties"])
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		all = append(all, d.field(strings.TrimPrefix(prefix+"."+name, "."), properties[name])...)
	}
	return all
}

// field returns a field and those within it.
func (d *Document) field(name string, node any) []Field {
	_, schema := d.follow("", node)
	f := Field{Name: name, Type: cmp.Or(text(schema["type"]), "string")} // an enum, of strings here
	all := append([]Field{f}, d.fields(name, schema)...)
	if items, ok := schema["items"]; ok {
		all = append(all, d.field(name+"[]", items)...)
	}
	return all
}

func text(node any) string {
	s, _ := node.(string)
	return s
}
