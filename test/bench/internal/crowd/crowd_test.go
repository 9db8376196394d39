package crowd_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"orderbell/test/bench/internal/crowd"
	"orderbell/test/bench/internal/message"
)

// The server sends three messages to each client, the second one in pieces. One client does not get the third one, and another
// gets it twice.
func TestACrowdCountsWhatIsMissing(t *testing.T) {
	t.Parallel()
	served := make(chan int, 3)
	for i := range 3 {
		served <- i
	}
	over := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		flush := http.NewResponseController(w).Flush
		_, _ = io.WriteString(w, ":hello\n")
		_ = flush()
		at := time.Now().Add(-time.Second)
		_, _ = w.Write(message.JSON(0, at))
		second := message.JSON(1, at)
		for len(second) > 0 {
			n := min(len(second), 50)
			_, _ = w.Write(second[:n])
			_ = flush()
			second = second[n:]
		}
		for range <-served {
			_, _ = w.Write(message.JSON(2, at))
		}
		_ = flush()
		<-over
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(over) })
	commands, in := io.Pipe()
	answers, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- crowd.Run(commands, out) }()
	port := s.Listener.Addr().(*net.TCPAddr).Port
	decoder := json.NewDecoder(answers)
	encoder := json.NewEncoder(in)
	var opened crowd.Opened
	exchange(t, encoder, decoder, crowd.Command{Open: &crowd.Open{
		Clients: 3, Address: [4]byte{127, 0, 0, 1}, Port: port, From: [4]byte{127, 0, 0, 9}, Ready: ":hello", Events: 3,
		Requests: []string{"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"},
	}}, &opened)
	if opened.Ready != 3 || opened.Failed != "" {
		t.Fatalf("opened %+v", opened)
	}
	var got crowd.Received
	exchange(t, encoder, decoder, crowd.Command{Await: &crowd.Await{Messages: 3, Patience: 500 * time.Millisecond}}, &got)
	if said := fmt.Sprintf("%d missing %d repeated %d", got.Deliveries, got.Missing, got.Repeated); said != "8 missing 1 repeated 1" {
		t.Errorf("%s", said)
	}
	if _, err := io.Copy(in, strings.NewReader("")); err != nil {
		t.Error(err)
	}
	_ = in.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func exchange(t *testing.T, out *json.Encoder, in *json.Decoder, command crowd.Command, answer any) {
	t.Helper()
	if err := out.Encode(command); err != nil {
		t.Fatal(err)
	}
	if err := in.Decode(answer); err != nil {
		t.Fatal(err)
	}
}
