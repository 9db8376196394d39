package compat_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderbell/tools/contracts/internal/compat"
)

// ours are the contracts of this repository.
const ours = "../../../../specs/004-order-notifications/contracts"

func TestChangesOfOurContractsAreFound(t *testing.T) {
	t.Parallel()
	last, err := compat.LastRelease(ours)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ file, old, new, want string }{
		{openAPI, "duplicate_reference_of:\n", "same_reference_as:\n", "`duplicate_reference_of`"},
		{openAPI, `"409": {$ref: "#/components/responses/Conflict"}`, `x-none: 0`, "response with the status `409`"},
		{asyncAPI, "total_amount:\n", "amount:\n", "message order_paid: payload.total_amount: is gone"},
		{asyncAPI, "maximum: 1000000000000", "maximum: 1000000000", "message order_created: payload.total_amount: maximum"},
		{asyncAPI, "completed, cancelled, refunded]", "completed, cancelled]", "message order_status_updated: payload"},
		{frames, `"heartbeat_ms"`, `"beat_ms"`, "ready.data.heartbeat_ms: is gone"},
	} {
		t.Run(c.want, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(last.Dir)); err != nil {
				t.Fatal(err)
			}
			replace(t, filepath.Join(dir, c.file), c.old, c.new)
			if got := breaking(t, last.Dir, dir); !strings.Contains(got, c.want) {
				t.Errorf("found\n%s\nwant %s", got, c.want)
			}
		})
	}
}

func replace(t *testing.T, path, old, new string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), old) {
		t.Fatalf("%s does not have %q", path, old)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(raw), old, new)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReleasesAreCutAndSealed(t *testing.T) {
	t.Parallel()
	dir := changed(t, openAPI)
	release := func(version, want string) {
		t.Helper()
		err := compat.Release(dir, version, today())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("release %s: %v, want %q", version, err, want)
		}
	}
	release("1.0", `version "1.0": want MAJOR.MINOR.PATCH`)
	release("1.1.0", "info.version is 1.0.0, want 1.1.0")
	release("1.0.0", "")
	release("1.0.0", "is not newer than the last release, 1.0.0")
	replace(t, filepath.Join(dir, openAPI), "version: 1.0.0", "version: 1.10.0")
	replace(t, filepath.Join(dir, asyncAPI), "version: 1.0.0", "version: 1.10.0")
	replace(t, filepath.Join(dir, asyncAPI), "orders.events", "orders.changes")
	release("1.10.0", "channel orders: address")
	replace(t, filepath.Join(dir, asyncAPI), "orders.changes", "orders.events")
	release("1.10.0", "")
	release("1.9.0", "is not newer than the last release, 1.10.0")
	if err := compat.Sealed(dir); err != nil {
		t.Error(err)
	}
	replace(t, filepath.Join(dir, "released/1.0.0", asyncAPI), "orders.events", "orders.changes")
	if err := compat.Sealed(dir); err == nil || !strings.Contains(err.Error(), "released/1.0.0 was changed after its release") {
		t.Errorf("a changed release: %v", err)
	}
}
