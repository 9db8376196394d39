package tracing_test

import (
	"testing"

	"orderbell/internal/tracing"
)

func TestSampledIsOneBitOfTheFlags(t *testing.T) {
	t.Parallel()
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-"
	for parent, want := range map[string]bool{trace + "01": true, trace + "03": true, trace + "00": false, trace + "02": false, "": false} {
		if got := (tracing.Parent{TraceParent: parent}).Sampled(); got != want {
			t.Errorf("%q is sampled: %t, want %t", parent, got, want)
		}
	}
}
