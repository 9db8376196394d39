package localbroker

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"orderbell/internal/event"
)

// errorDataBytes is how much of a failing subscriber's answer a dead letter carries.
const errorDataBytes = 1024

// deadLetter returns e with what is known of its failure.
func (f *failure) deadLetter(t Trigger, e cloudevents.Event) cloudevents.Event {
	letter := e.Clone()
	letter.SetExtension(event.ExtErrorDest, t.Subscriber)
	if f.response == nil {
		return letter
	}
	for _, name := range slices.Sorted(maps.Keys(f.response.header)) {
		values := f.response.header[name]
		short, ok := strings.CutPrefix(strings.ToLower(name), event.ErrorHeaderPrefix)
		if ok && isExtension(short) {
			letter.SetExtension(short, text(values[len(values)-1]))
		}
	}
	letter.SetExtension(event.ExtErrorCode, strconv.Itoa(f.response.status))
	if data := f.response.body; len(data) > 0 {
		letter.SetExtension(event.ExtErrorData, base64.StdEncoding.EncodeToString(data[:min(len(data), errorDataBytes)]))
	}
	return letter
}

// isExtension says whether a CloudEvent may have an extension of that name: lower-case letters and digits, and none of
// its own attributes (CloudEvents 1.0, Naming Conventions).
func isExtension(name string) bool {
	switch name {
	case "", "id", "source", "specversion", "type", "datacontenttype", "dataschema", "subject", "time", "data":
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// text returns s as an attribute may hold it.
func text(s string) string { return event.Printable(strings.ToValidUTF8(s, "\uFFFD")) }

// wrap makes an event of a message that is none, in the form that Knative's KafkaSource gives it
// (eventing-kafka-broker, InvalidCloudEventInterceptor).
func wrap(r event.Record) cloudevents.Event {
	e := cloudevents.NewEvent()
	e.SetID(fmt.Sprintf("partition:%d/offset:%d", r.Partition, r.Offset))
	e.SetType("dev.knative.kafka.event")
	e.SetSource("/orderbell/local-broker#" + r.Topic)
	e.SetSubject(fmt.Sprintf("partition:%d#%d", r.Partition, r.Offset))
	e.SetTime(r.Time)
	if len(r.Key) > 0 {
		e.SetExtension(event.ExtPartitionKey, text(string(r.Key)))
		e.SetExtension("key", text(string(r.Key)))
	}
	contentType := "application/octet-stream"
	for _, h := range r.Headers {
		if strings.EqualFold(h.Key, "content-type") {
			// The type of a whole event would make the dead letter look like one.
			if value := strings.ToLower(text(string(h.Value))); value != "" && !strings.HasPrefix(value, "application/cloudevents") {
				contentType = value
			}
			continue
		}
		if name := alphanumeric(h.Key); name != "" {
			e.SetExtension("kafkaheader"+name, text(string(h.Value)))
		}
	}
	e.SetExtension(event.ExtReason, text(r.Err.Error()))
	e.SetDataContentType(contentType)
	e.DataEncoded = r.Value
	return e
}

func alphanumeric(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return -1
	}, strings.ToLower(s))
}
