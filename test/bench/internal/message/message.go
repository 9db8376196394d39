// Package message defines the messages that the measured servers deliver: an order of about 200 bytes with its number and its time
// of publication, from which the receiver computes losses and latency.
package message

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"orderbell/internal/event"
	"orderbell/internal/order"
)

// Tenant is the tenant of the orders.
const Tenant = "bench"

// EventID is the id of event number n. It is as long as a real one.
func EventID(n int) string { return fmt.Sprintf("01936000-0000-7000-8000-%012d", n) }

// Data returns event number n, published at a time.
func Data(n int, at time.Time) event.Data {
	return event.Data{
		OrderID: "01936000-0000-7000-9000-000000000001", TenantID: Tenant, Status: order.Paid,
		Reference: fmt.Sprintf("#%06d %016d", n, at.UnixMicro()), TotalAmount: 125, Currency: "IDR", Version: 2,
		Timestamp: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC),
	}
}

// JSON returns the same as JSON, which every server sends.
func JSON(n int, at time.Time) []byte {
	raw, err := json.Marshal(Data(n, at))
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	return raw
}

const (
	mark   = `"reference":"#`
	digits = 6 + 1 + 16
	// Longest is the number of bytes to keep from the end of a read, so that no message is missed that is split between two reads.
	Longest = len(mark) + digits
)

// Scan calls found for each message in b. It returns how many bytes at the end of b may be the beginning of another message.
func Scan(b []byte, found func(n int, at int64)) int {
	for {
		i := bytes.Index(b, []byte(mark))
		if i < 0 {
			return min(len(b), len(mark)-1)
		}
		if len(b)-i < Longest {
			return len(b) - i
		}
		b = b[i+len(mark):]
		found(int(number(b[:6])), number(b[7:digits]))
		b = b[digits:]
	}
}

func number(b []byte) int64 {
	n := int64(0)
	for _, c := range b {
		n = n*10 + int64(c-'0')
	}
	return n
}
