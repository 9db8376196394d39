// Package strictjson finds faults in JSON that encoding/json accepts silently: duplicate fields, fields whose name
// differs from a known one in case only, lone surrogates, and null, which it takes for the field's default. Other parsers read
// them differently (RFC 8259 §4, §8.2).
package strictjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Fault is an error of one field.
type Fault struct {
	Field  string // dotted path
	Detail string
}

func (f *Fault) Error() string { return f.Field + " " + f.Detail }

// Check returns the first fault of raw, which is to be decoded into v, a pointer to a struct or nil. The names of v's inner
// structs are checked too, also those in slices and maps: none of them may be null, nor an element. Malformed JSON has no fault
// here: the decoder reports it.
func Check(raw []byte, v any) *Fault {
	c := checker{next: reflect.TypeOf(v)}
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
	known  map[string]reflect.Type // of an object: the fields of the struct that it is decoded into
	values reflect.Type            // of an array's elements, or of the values of any other object; nil: not known
	name   string                  // of the field whose value comes next, "" when a name comes next
	named  bool
}

type checker struct {
	stack []level
	next  reflect.Type // what the next value is decoded into; nil: not known
}

func (c *checker) take(token json.Token, text []byte) *Fault {
	switch t := token.(type) {
	case json.Delim:
		if t == '{' || t == '[' {
			c.stack = append(c.stack, newLevel(t == '{', c.next))
			c.next = c.stack[len(c.stack)-1].values
			return nil
		}
		c.stack = c.stack[:len(c.stack)-1]
	case string:
		if n := len(c.stack); n > 0 && c.stack[n-1].object && !c.stack[n-1].named {
			return c.field(t, text)
		}
		if loneSurrogate(text) {
			return &Fault{c.path(), "contains half of a surrogate pair, which is not a character"}
		}
	case nil:
		if len(c.stack) > 0 && c.next != nil { // a value of a known field
			return &Fault{c.path(), "must not be null"}
		}
	}
	if n := len(c.stack); n > 0 {
		c.stack[n-1].named = false
		c.next = c.stack[n-1].values
	}
	return nil
}

// newLevel returns the level of an object or array that is decoded into t.
func newLevel(object bool, t reflect.Type) level {
	l := level{object: object, seen: map[string]bool{}}
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == nil:
	case object && t.Kind() == reflect.Struct:
		l.known = map[string]reflect.Type{}
		addFields(l.known, t)
	case object && t.Kind() == reflect.Map, !object && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array):
		l.values = t.Elem()
	}
	return l
}

func (c *checker) field(name string, text []byte) *Fault {
	top := &c.stack[len(c.stack)-1]
	top.name, top.named = name, true
	if loneSurrogate(text) {
		return &Fault{c.path(), "is a name with half of a surrogate pair, which is not a character"}
	}
	if top.seen[name] {
		return &Fault{c.path(), "occurs more than once"}
	}
	top.seen[name] = true
	if top.known == nil {
		return nil
	}
	is, known := top.known[name]
	if c.next = is; known {
		return nil
	}
	for _, other := range slices.Sorted(maps.Keys(top.known)) {
		if strings.EqualFold(name, other) {
			return &Fault{c.path(), fmt.Sprintf("must be spelled %s: names are case-sensitive", other)}
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

// addFields adds the names of a struct's fields in JSON, each with its type. A field hides a field of an embedded struct.
func addFields(known map[string]reflect.Type, t reflect.Type) {
	var embedded []reflect.Type
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			embedded = append(embedded, f.Type)
		case name != "" && name != "-":
			known[name] = f.Type
		}
	}
	for _, e := range embedded {
		inner := map[string]reflect.Type{}
		if e.Kind() == reflect.Pointer {
			e = e.Elem()
		}
		if e.Kind() == reflect.Struct {
			addFields(inner, e)
		}
		for name, is := range inner {
			if _, hidden := known[name]; !hidden {
				known[name] = is
			}
		}
	}
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
