// Package strictjson finds faults in JSON that encoding/json accepts silently: duplicate fields, fields whose name
// differs from a known one in case only, and lone surrogates. Other parsers read them differently (RFC 8259 §4, §8.2).
package strictjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Fault is an error of one field.
type Fault struct {
	Field  string // dotted path
	Detail string
}

func (f *Fault) Error() string { return f.Field + " " + f.Detail }

// Check returns the first fault of raw, which is to be decoded into v, a pointer to a struct or nil. Malformed JSON has
// no fault here: the decoder reports it.
func Check(raw []byte, v any) *Fault {
	c := checker{raw: raw, known: fields(reflect.TypeOf(v))}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	for {
		before := dec.InputOffset()
		token, err := dec.Token()
		if err != nil {
			return nil //nolint:nilerr // the end, or what the decoder reports
		}
		if fault := c.take(token, raw[before:dec.InputOffset()]); fault != nil {
			return fault
		}
	}
}

// level is an open object or array.
type level struct {
	object bool
	seen   map[string]bool
	name   string // of the field whose value comes next, "" when a name comes next
	named  bool
}

type checker struct {
	raw   []byte
	known []string
	stack []level
}

func (c *checker) take(token json.Token, text []byte) *Fault {
	switch t := token.(type) {
	case json.Delim:
		if t == '{' || t == '[' {
			c.stack = append(c.stack, level{object: t == '{', seen: map[string]bool{}})
			return nil
		}
		c.stack = c.stack[:len(c.stack)-1]
	case string:
		if n := len(c.stack); n > 0 && c.stack[n-1].object && !c.stack[n-1].named {
			return c.field(t, text)
		}
		if loneSurrogate(text) {
			return &Fault{c.path(), "contains half of a surrogate pair, which is no character"}
		}
	}
	if n := len(c.stack); n > 0 {
		c.stack[n-1].named = false
	}
	return nil
}

func (c *checker) field(name string, text []byte) *Fault {
	top := &c.stack[len(c.stack)-1]
	top.name, top.named = name, true
	if loneSurrogate(text) {
		return &Fault{c.path(), "is a name with half of a surrogate pair, which is no character"}
	}
	if top.seen[name] {
		return &Fault{c.path(), "occurs more than once"}
	}
	top.seen[name] = true
	if len(c.stack) > 1 {
		return nil
	}
	for _, known := range c.known {
		if name != known && strings.EqualFold(name, known) {
			return &Fault{c.path(), fmt.Sprintf("is not %s: names are case-sensitive", known)}
		}
	}
	return nil
}

// path returns the path of the current field.
func (c *checker) path() string {
	var names []string
	for _, l := range c.stack {
		if l.named {
			names = append(names, l.name)
		}
	}
	if len(names) == 0 {
		return "the value"
	}
	return strings.Join(names, ".")
}

// fields returns the names of a struct's fields in JSON.
func fields(t reflect.Type) []string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			names = append(names, fields(f.Type)...)
		case name != "" && name != "-":
			names = append(names, name)
		}
	}
	return names
}

// loneSurrogate reports whether a string has a \u escape of half a surrogate pair.
func loneSurrogate(text []byte) bool {
	high := false // the previous character was the first half
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			if high {
				return true
			}
			continue
		}
		i++
		var unit uint64
		if text[i] == 'u' && i+4 < len(text) {
			unit, _ = strconv.ParseUint(string(text[i+1:i+5]), 16, 16) // the decoder has accepted it
			i += 4
		}
		low := unit >= 0xdc00 && unit < 0xe000
		if low != high {
			return true
		}
		high = unit >= 0xd800 && unit < 0xdc00
	}
	return high
}
