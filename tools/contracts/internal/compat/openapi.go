package compat

import (
	"fmt"
	"path"
	"path/filepath"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oasdiff/oasdiff/checker"
	"github.com/oasdiff/oasdiff/diff"
	"github.com/oasdiff/oasdiff/load"
)

// optionalGone is oasdiff's name for the removal of a field that an answer may have.
const optionalGone = "response-optional-property-removed"

// stricter returns the changes that break by the rules of this project, though oasdiff only mentions them: an answer keeps its
// optional parts and their values.
func stricter() map[string]checker.Level {
	return map[string]checker.Level{
		optionalGone:                            checker.ERR,
		"optional-response-header-removed":      checker.ERR,
		"response-non-success-status-removed":   checker.ERR,
		"response-property-enum-value-removed":  checker.ERR,
		"response-mediatype-enum-value-removed": checker.ERR,
	}
}

// openAPI compares the HTTP APIs by oasdiff's rules.
func openAPI(old, new string, today time.Time) ([]string, error) {
	loader := openapi3.NewLoader()
	was, err := load.NewSpecInfo(loader, load.NewSource(filepath.Join(old, openAPIFile)), load.WithFlattenAllOf())
	if err != nil {
		return nil, err
	}
	now, err := load.NewSpecInfo(loader, load.NewSource(filepath.Join(new, openAPIFile)), load.WithFlattenAllOf())
	if err != nil {
		return nil, err
	}
	found, sources, err := diff.GetWithOperationsSourcesMap(diff.NewConfig(), was, now)
	if err != nil {
		return nil, err
	}
	from, err := parse(old, openAPIFile)
	if err != nil {
		return nil, err
	}
	retired := map[string]bool{}
	collectRetired(from.tree, today, retired)
	config := checker.NewConfig(checker.GetAllChecks(), checker.WithSeverityLevels(stricter()), checker.WithDeprecation(notice, notice))
	var broken []string
	for _, change := range checker.CheckBackwardCompatibilityUntilLevel(config, found, sources, checker.WARN) {
		if change.GetId() == optionalGone && retired[path.Base(fmt.Sprint(change.GetArgs()[0]))] {
			continue
		}
		line := openAPIFile + ": "
		if change.GetOperation() != "" {
			line += change.GetOperation() + " " + change.GetPath() + ": "
		}
		broken = append(broken, line+change.GetUncolorizedText(checker.NewDefaultLocalizer())+" ["+change.GetId()+"]")
	}
	return broken, nil
}

// collectRetired collects the names of the fields below node that are deprecated and whose x-sunset is today or earlier. oasdiff
// applies this rule to routes, parameters and required fields, but not to optional fields.
func collectRetired(node any, today time.Time, retired map[string]bool) {
	switch node := node.(type) {
	case []any:
		for _, n := range node {
			collectRetired(n, today, retired)
		}
	case map[string]any:
		for name, field := range object(node, "properties") {
			f, _ := field.(map[string]any)
			if sunset, err := day(f["x-sunset"]); f["deprecated"] == true && err == nil && !today.Before(sunset) {
				retired[name] = true
			}
		}
		for _, n := range node {
			collectRetired(n, today, retired)
		}
	}
}
