package databasetest_test

import (
	"testing"

	"orderbell/internal/store/database"
	"orderbell/internal/store/database/databasetest"
)

func TestEachTestHasItsOwnDatabase(t *testing.T) {
	t.Parallel()
	one, two := databasetest.New(t), databasetest.New(t)
	if _, err := one.Exec(t.Context(), "INSERT INTO tenants (id, name) VALUES ('acme', 'Acme')"); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := two.QueryRow(t.Context(), "SELECT count(*) FROM tenants").Scan(&n); err != nil {
		t.Fatal(err)
	}
	if n != 0 {
		t.Errorf("the second database has %d tenants of the first", n)
	}
	if err := database.Check(t.Context(), one); err != nil {
		t.Error(err)
	}
}

func TestTwoPoolsOnOneDatabase(t *testing.T) {
	t.Parallel()
	address := databasetest.URL(t)
	one, two := databasetest.Open(t, address), databasetest.Open(t, address)
	if _, err := one.Exec(t.Context(), "INSERT INTO tenants (id, name) VALUES ('acme', 'Acme')"); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := two.QueryRow(t.Context(), "SELECT count(*) FROM tenants").Scan(&n); err != nil {
		t.Fatal(err)
	}
	if n != 1 {
		t.Errorf("the second pool sees %d tenants, want 1", n)
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		databasetest.URL(b)
	}
}
