package compat

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// document is a parsed document, with the documents of its folder that it refers to.
type document struct {
	dir, file string
	tree      map[string]any
	others    map[string]*document
}

func parse(dir, file string) (*document, error) {
	raw, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	d := &document{dir: dir, file: file, others: map[string]*document{}}
	if err := yaml.Unmarshal(raw, &d.tree); err != nil { // JSON is YAML
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, file), err)
	}
	return d, nil
}

// object returns the object that node has under a name, or an empty object.
func object(node map[string]any, name string) map[string]any {
	o, _ := node[name].(map[string]any)
	return o
}

// annotation says whether a keyword does not restrict the valid values.
func annotation(keyword string) bool {
	switch keyword {
	case "description", "title", "summary", "examples", "example", "$comment", "name", "tags":
		return true
	}
	return false
}

// plain returns a node with its references resolved, the parts of each allOf merged into one schema, and no annotations.
func (d *document) plain(node any, within []string) (any, error) {
	switch node := node.(type) {
	case []any:
		list := make([]any, len(node))
		for i := range node {
			var err error
			if list[i], err = d.plain(node[i], within); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		if ref, ok := node["$ref"].(string); ok {
			return d.follow(ref, within)
		}
		return d.plainObject(node, within)
	}
	return node, nil
}

func (d *document) plainObject(node map[string]any, within []string) (any, error) {
	result := map[string]any{}
	for key, value := range node {
		if annotation(key) || key == "allOf" {
			continue
		}
		var err error
		if key == "properties" || key == "definitions" { // names of fields, which may be called like an annotation
			value, err = resolved(d, object(node, key))
		} else {
			value, err = d.plain(value, within)
		}
		if err != nil {
			return nil, err
		}
		result[key] = value
	}
	parts, _ := node["allOf"].([]any)
	for _, part := range parts {
		p, err := d.plain(part, within)
		if err != nil {
			return nil, err
		}
		if result, err = merged(result, p.(map[string]any)); err != nil { //nolint:forcetypeassert // a schema of these documents is an object
			return nil, err
		}
	}
	return result, nil
}

func (d *document) follow(ref string, within []string) (any, error) {
	if slices.Contains(within, ref) {
		return nil, fmt.Errorf("%s contains itself", ref)
	}
	file, pointer, _ := strings.Cut(ref, "#")
	target := d
	if file != "" {
		if d.others[file] == nil {
			other, err := parse(d.dir, file)
			if err != nil {
				return nil, err
			}
			d.others[file] = other
		}
		target = d.others[file]
	}
	var node any = target.tree
	for name := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		o, ok := node.(map[string]any)
		if !ok || o[name] == nil {
			return nil, fmt.Errorf("%s does not exist", ref)
		}
		node = o[name]
	}
	return target.plain(node, append(slices.Clone(within), ref))
}

// merged returns the schema of the values that are valid by both.
func merged(a, b map[string]any) (map[string]any, error) {
	result := maps.Clone(a)
	for key, value := range b {
		before, both := result[key]
		switch {
		case !both || reflect.DeepEqual(before, value):
			result[key] = value
		case key == "required":
			result[key] = union(before, value)
		case key == "properties":
			fields := maps.Clone(before.(map[string]any))     //nolint:forcetypeassert // plain made it
			for name, field := range value.(map[string]any) { //nolint:forcetypeassert // as above
				if fields[name] == nil {
					fields[name] = field
					continue
				}
				one, err := merged(fields[name].(map[string]any), field.(map[string]any)) //nolint:forcetypeassert // as above
				if err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
				fields[name] = one
			}
			result[key] = fields
		default:
			return nil, fmt.Errorf("two parts of an allOf have a %s: %w", key, errors.ErrUnsupported)
		}
	}
	if constant, ok := result["const"]; ok { // which is narrower than what another part allows
		if values, ok := result["enum"].([]any); ok && slices.Contains(values, constant) {
			delete(result, "enum")
		}
		delete(result, "type")
	}
	return result, nil
}

func union(a, b any) []any {
	all := slices.Clone(a.([]any))   //nolint:forcetypeassert // required is a list
	for _, name := range b.([]any) { //nolint:forcetypeassert // as above
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}
