package message_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderbell/test/bench/internal/message"
)

func TestScanFindsEveryMessageHoweverTheStreamIsCut(t *testing.T) {
	t.Parallel()
	at := time.UnixMicro(1_790_000_000_000_000)
	var stream []byte
	for n := range 3 {
		stream = append(append(append(stream, "id: x\ndata: "...), message.JSON(n, at.Add(time.Duration(n)*time.Second))...), "\n\n"...)
	}
	for cut := range stream {
		var got []int64
		found := func(n int, at int64) { got = append(got, int64(n), at) }
		first := bytes.Clone(stream[:cut])
		rest := message.Scan(first, found)
		message.Scan(append(first[len(first)-rest:], stream[cut:]...), found)
		want := []int64{0, 1_790_000_000_000_000, 1, 1_790_000_001_000_000, 2, 1_790_000_002_000_000}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("cut at %d (-want +got):\n%s", cut, diff)
		}
	}
}

func TestAMessageIsAboutTwoHundredBytes(t *testing.T) {
	t.Parallel()
	if n := len(message.JSON(1, time.Now())); n < 190 || n > 215 {
		t.Errorf("it has %d bytes", n)
	}
}
