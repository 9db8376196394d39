package compat

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"
)

// comparison finds the differences between two schemas that break a user. Both are plain: without references, allOf and annotations.
type comparison struct {
	today   time.Time
	receive bool // others send it too, so that nothing more may be required of it
	found   []string
}

func (c *comparison) breaks(path, format string, args ...any) {
	c.found = append(c.found, path+": "+fmt.Sprintf(format, args...))
}

// same reports a value that has changed.
func (c *comparison) same(path string, was, now any) {
	if !reflect.DeepEqual(was, now) {
		c.breaks(path, "was %v, is %v", was, now)
	}
}

// removed reports a part that is gone, unless it was deprecated and its x-sunset has passed.
func (c *comparison) removed(path string, part any) {
	p, _ := part.(map[string]any)
	if p["deprecated"] != true {
		c.breaks(path, "is gone")
		return
	}
	if sunset, err := day(p["x-sunset"]); err != nil || c.today.Before(sunset) {
		c.breaks(path, "is gone before its x-sunset %v", p["x-sunset"])
	}
}

// day reads an x-sunset, which YAML may have parsed as a time.
func day(v any) (time.Time, error) {
	if t, ok := v.(time.Time); ok {
		return t, nil
	}
	s, _ := v.(string)
	return time.Parse(time.DateOnly, s)
}

// deprecated reports a part that is deprecated for too short a time.
func (c *comparison) deprecated(path string, was, now map[string]any) {
	if now["deprecated"] != true || was["deprecated"] == true {
		return
	}
	if sunset, err := day(now["x-sunset"]); err != nil || sunset.Before(c.today.AddDate(0, 0, notice)) {
		c.breaks(path, "is deprecated with x-sunset %v, want a day at least %d days from today", now["x-sunset"], notice)
	}
}

func (c *comparison) schema(path string, was, now any) {
	before, ok := was.(map[string]any)
	after, okNow := now.(map[string]any)
	if !ok || !okNow {
		c.same(path, was, now)
		return
	}
	c.deprecated(path, before, after)
	keys := maps.Clone(before)
	maps.Copy(keys, after)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		c.keyword(path, key, before[key], after[key])
	}
}

func (c *comparison) keyword(path, key string, was, now any) {
	switch key {
	case "deprecated", "x-sunset":
	case "properties", "definitions":
		before, _ := was.(map[string]any)
		after, _ := now.(map[string]any)
		for name, field := range before {
			if after[name] == nil {
				c.removed(path+"."+name, field)
				continue
			}
			c.schema(path+"."+name, field, after[name])
		}
	case "required":
		c.list(path, was, now, "is no longer always there", c.receive, "is required now")
	case "enum":
		c.list(path, was, now, "is no longer a value", true, "is a new value, which users of the released contract do not know")
	case "x-extensible-enum":
		c.list(path, was, now, "is no longer a value", false, "")
	case "items":
		c.schema(path+"[]", was, now)
	default:
		c.same(path+": "+key, was, now)
	}
}

// list compares two sets: a removed value breaks users, and a new value does if the set is closed.
func (c *comparison) list(path string, was, now any, gone string, closed bool, added string) {
	before, _ := was.([]any)
	after, _ := now.([]any)
	for _, v := range before {
		if !slices.Contains(after, v) {
			c.breaks(path, "%v %s", v, gone)
		}
	}
	for _, v := range after {
		if closed && !slices.Contains(before, v) {
			c.breaks(path, "%v %s", v, added)
		}
	}
}
