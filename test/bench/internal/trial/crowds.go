package trial

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"orderbell/test/bench/internal/crowd"
)

// crowds are the processes of the clients.
type crowds []*child

// gather opens streams from several processes and returns how long it took until all were open.
func (t *Trial) gather(ctx context.Context, s *subject, clients, messages, processes int) (crowds, time.Duration, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, 0, fmt.Errorf("find this program: %w", err)
	}
	var all crowds
	for i := range processes {
		c, err := start(ctx, append(os.Environ(), "GOMAXPROCS=1"), self, "crowd")
		if err != nil {
			all.stop()
			return nil, 0, err
		}
		all = append(all, c)
		share := clients/processes + min(1, max(0, clients%processes-i))
		err = c.tell(crowd.Command{Open: &crowd.Open{
			Clients: share, Address: [4]byte{127, 0, 0, 1}, Port: s.Port, From: [4]byte{127, 0, 1, byte(i + 1)},
			Requests: s.requests(), Ready: s.Ready, Events: messages,
		}})
		if err != nil {
			all.stop()
			return nil, 0, err
		}
	}
	ready, took, failed := 0, time.Duration(0), ""
	for _, c := range all {
		var opened crowd.Opened
		if err := c.hear(&opened); err != nil {
			all.stop()
			return nil, 0, err
		}
		ready, took = ready+opened.Ready, max(took, opened.Took)
		if opened.Failed != "" {
			failed = opened.Failed
		}
	}
	if ready < clients {
		all.stop()
		return nil, 0, fmt.Errorf("%d of %d streams opened: %s", ready, clients, failed)
	}
	return all, took, nil
}

func (s *subject) requests() []string {
	request := "GET " + s.Path + " HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\nCache-Control: no-cache\r\n"
	if len(s.tokens) == 0 {
		return []string{request + "\r\n"}
	}
	var all []string
	for _, token := range s.tokens {
		all = append(all, request+"Authorization: Bearer "+token+"\r\n\r\n")
	}
	return all
}

func (c crowds) await(a crowd.Await) (crowd.Received, error) {
	for _, one := range c {
		if err := one.tell(crowd.Command{Await: &a}); err != nil {
			return crowd.Received{}, err
		}
	}
	sum, latency := crowd.Received{}, crowd.NewHistogram()
	for _, one := range c {
		var r crowd.Received
		if err := one.hear(&r); err != nil {
			return crowd.Received{}, err
		}
		sum.Deliveries += r.Deliveries
		sum.Missing += r.Missing
		sum.Repeated += r.Repeated
		sum.Closed += r.Closed
		if r.Last.After(sum.Last) {
			sum.Last = r.Last
		}
		latency.Merge(hdrhistogram.Import(r.Latency))
	}
	sum.Latency = latency.Export()
	return sum, nil
}

func (c crowds) stop() {
	for _, one := range c {
		one.Kill()
		<-one.Done()
	}
}
