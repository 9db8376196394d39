// Command schemas writes the JSON Schemas that kubeconform checks manifests with, one file per kind: Kubernetes' own
// from the OpenAPI documents in the module k8s.io/kubernetes, Knative's from the CustomResourceDefinitions in its
// modules. Versions and checksums are those of modules.txt. The first run needs the module proxy; later runs download nothing.
//
// Every object that lists its properties is closed, so that a misspelt field is an error, as it is for a server-side
// apply with strict field validation.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"orderbell/tools/k8s/internal/pinned"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: schemas MODULES.TXT FOLDER")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}

type object = map[string]any

func run(ctx context.Context, list, folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", folder, err)
	}
	modules, err := pinned.Read(list)
	if err != nil {
		return err
	}
	written := 0
	for _, m := range modules {
		dir, err := m.Fetch(ctx)
		if err != nil {
			return err
		}
		for _, pattern := range m.Patterns {
			files, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
			if err != nil || len(files) == 0 {
				return fmt.Errorf("%s has no file %s", m.Name, pattern)
			}
			for _, file := range files {
				n, err := convert(file, folder)
				if err != nil {
					return fmt.Errorf("%s: %w", file, err)
				}
				written += n
			}
		}
	}
	fmt.Printf("%d schemas in %s\n", written, folder)
	return nil
}

func convert(file, folder string) (int, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	if strings.HasSuffix(file, ".json") {
		return convertOpenAPI(content, folder)
	}
	return convertDefinitions(content, folder)
}

// convertOpenAPI writes the kinds of one of Kubernetes' OpenAPI v3 documents.
func convertOpenAPI(content []byte, folder string) (int, error) {
	var doc struct {
		Components struct {
			Schemas map[string]object `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(content, &doc); err != nil {
		return 0, err
	}
	all := doc.Components.Schemas
	for name := range all {
		closeObjects(all[name])
	}
	n := 0
	for name, schema := range all {
		kinds, _ := schema["x-kubernetes-group-version-kind"].([]any)
		if len(kinds) != 1 { // DeleteOptions and the like belong to every group
			continue
		}
		gvk, _ := kinds[0].(object)
		group, version, kind := gvk["group"].(string), gvk["version"].(string), gvk["kind"].(string)
		used := map[string]object{}
		reach(all, name, used)
		root := object{"$ref": "#/components/schemas/" + name, "components": object{"schemas": used}}
		if err := write(folder, group, version, kind, root); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// reach adds the schema called name and every schema that it refers to.
func reach(all map[string]object, name string, used map[string]object) {
	if _, seen := used[name]; seen || all[name] == nil {
		return
	}
	used[name] = all[name]
	visit(all[name], func(o object) {
		if ref, ok := o["$ref"].(string); ok {
			reach(all, strings.TrimPrefix(ref, "#/components/schemas/"), used)
		}
	})
}

// convertDefinitions writes the kinds of the CustomResourceDefinitions among the documents of a YAML file.
func convertDefinitions(content []byte, folder string) (int, error) {
	n := 0
	for _, document := range bytes.Split(content, []byte("\n---")) {
		var crd struct {
			Kind string `json:"kind"`
			Spec struct {
				Group    string                `json:"group"`
				Names    struct{ Kind string } `json:"names"`
				Versions []struct {
					Name   string `json:"name"`
					Schema struct {
						OpenAPIV3Schema object `json:"openAPIV3Schema"`
					} `json:"schema"`
				} `json:"versions"`
			} `json:"spec"`
		}
		if err := yaml.Unmarshal(document, &crd); err != nil {
			return n, err
		}
		if crd.Kind != "CustomResourceDefinition" {
			continue
		}
		for _, v := range crd.Spec.Versions {
			schema := v.Schema.OpenAPIV3Schema
			if properties, ok := schema["properties"].(object); ok {
				properties["apiVersion"] = object{"type": "string"}
				properties["kind"] = object{"type": "string"}
				properties["metadata"] = object{"type": "object"}
			}
			closeObjects(schema)
			if err := write(folder, crd.Spec.Group, v.Name, crd.Spec.Names.Kind, schema); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

// closeObjects forbids properties that are not listed, and removes keywords that have a meaning only in Kubernetes.
func closeObjects(schema object) {
	visit(schema, func(o object) {
		if o["x-kubernetes-int-or-string"] == true || o["format"] == "int-or-string" {
			delete(o, "type")
		}
		_, listed := o["properties"].(object)
		_, open := o["additionalProperties"]
		if listed && !open && o["x-kubernetes-preserve-unknown-fields"] != true {
			o["additionalProperties"] = false
		}
		delete(o, "description")
		delete(o, "format") // int32, int64, byte: no formats of JSON Schema
	})
}

// visit calls f with every schema in v, a schema.
func visit(v any, f func(object)) {
	switch v := v.(type) {
	case object:
		f(v)
		for key, child := range v {
			if properties, ok := child.(object); ok && key == "properties" {
				for _, p := range properties {
					visit(p, f)
				}
				continue
			}
			visit(child, f)
		}
	case []any:
		for _, child := range v {
			visit(child, f)
		}
	}
}

// write uses the name that kubeconform looks up with {{.ResourceKind}}-{{.Group}}-{{.ResourceAPIVersion}}.json.
func write(folder, group, version, kind string, schema object) error {
	content, err := json.Marshal(schema)
	if err != nil {
		return err
	}
	if group == "" {
		group = version // as kubeconform splits an apiVersion without a slash
	}
	name := strings.ToLower(kind) + "-" + group + "-" + version + ".json"
	return os.WriteFile(filepath.Join(folder, name), append(content, '\n'), 0o644)
}
