// Package texttest has the cases of contracts/text.json and contracts/amounts.json. They test that every place that takes a name or
// an amount has the same rule.
package texttest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Cases are valid and invalid names.
type Cases struct {
	Accepted []string
	Refused  []Refused
}

// Refused is an invalid name, with the character that an error names.
type Refused struct{ Text, Point string }

// Named reports whether an error names the character.
func (r Refused) Named(detail string) bool {
	return strings.Contains(detail+" ", r.Point+" ") || strings.Contains(detail, r.Point+",")
}

// JSON returns s as a JSON string, with every character that is not ASCII unescaped.
func JSON(s string) string {
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string never fails
	}
	return string(raw)
}

// Read reads the cases of names.
func Read(tb testing.TB) (c Cases) {
	tb.Helper()
	read(tb, "text.json", &c)
	if len(c.Accepted) < 20 || len(c.Refused) < 40 {
		tb.Fatalf("text.json has %d accepted and %d refused cases", len(c.Accepted), len(c.Refused))
	}
	return c
}

// Amounts are JSON values that are valid amounts, with their meaning, and values that are not.
type Amounts struct {
	Accepted map[string]int64
	Refused  []string
}

// ReadAmounts reads the cases of amounts.
func ReadAmounts(tb testing.TB) (a Amounts) {
	tb.Helper()
	read(tb, "amounts.json", &a)
	if len(a.Accepted) < 10 || len(a.Refused) < 20 {
		tb.Fatalf("amounts.json has %d accepted and %d refused cases", len(a.Accepted), len(a.Refused))
	}
	return a
}

func read(tb testing.TB, name string, into any) {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join(root(tb), "specs/004-order-notifications/contracts", name)) //nolint:gosec // a file of this tree
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		tb.Fatal(err)
	}
}

// root is the directory of the module: a test runs in its package's.
func root(tb testing.TB) string {
	tb.Helper()
	at, err := filepath.Abs(".")
	for err == nil && at != filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at
		}
		at = filepath.Dir(at)
	}
	tb.Fatalf("no go.mod above the test: %v", err)
	return ""
}
