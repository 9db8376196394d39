package event

import (
	"encoding/base64"
	"fmt"
	"maps"
	"mime"
	"slices"
	"strconv"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// Failure is why an event was not delivered, as its dead letter tells it.
type Failure struct {
	Dest   string // the subscriber's address
	Status int    // its answer; 0 if it did not answer
	Header map[string][]string
	Body   []byte
}

// errorDataBytes is how much of a failing subscriber's answer a dead letter carries.
const errorDataBytes = 1024

// DeadLetter returns e with what is known of its failure, in the form that Knative's Kafka Broker gives it.
func (f Failure) DeadLetter(e cloudevents.Event) cloudevents.Event {
	letter := e.Clone()
	letter.SetExtension(ExtErrorDest, f.Dest)
	if f.Status == 0 {
		return letter
	}
	for _, name := range slices.Sorted(maps.Keys(f.Header)) {
		values := f.Header[name]
		short, ok := strings.CutPrefix(strings.ToLower(name), ErrorHeaderPrefix)
		if ok && isExtension(short) && len(values) > 0 {
			letter.SetExtension(short, text(values[len(values)-1]))
		}
	}
	letter.SetExtension(ExtErrorCode, strconv.Itoa(f.Status))
	if len(f.Body) > 0 {
		letter.SetExtension(ExtErrorData, base64.StdEncoding.EncodeToString(f.Body[:min(len(f.Body), errorDataBytes)]))
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
func text(s string) string { return Printable(strings.ToValidUTF8(s, "\uFFFD")) }

// Wrap makes an event of source from a message that is none, in the form that Knative's KafkaSource gives it
// (eventing-kafka-broker, InvalidCloudEventInterceptor), with the reason.
func (r Record) Wrap(source string) cloudevents.Event {
	e := cloudevents.NewEvent()
	e.SetID(fmt.Sprintf("partition:%d/offset:%d", r.Partition, r.Offset))
	e.SetType("dev.knative.kafka.event")
	e.SetSource(source + "#" + r.Topic)
	e.SetSubject(fmt.Sprintf("partition:%d#%d", r.Partition, r.Offset))
	e.SetTime(r.Time)
	if len(r.Key) > 0 {
		e.SetExtension(ExtPartitionKey, text(string(r.Key)))
		e.SetExtension("key", text(string(r.Key)))
	}
	contentType := "application/octet-stream"
	for _, h := range r.Headers {
		if strings.EqualFold(h.Key, "content-type") {
			// The type of a whole event would make the dead letter look like one, and with what is no type it would be none.
			value := strings.ToLower(text(string(h.Value)))
			if _, _, err := mime.ParseMediaType(value); err == nil && !strings.HasPrefix(value, "application/cloudevents") {
				contentType = value
			}
			continue
		}
		if name := alphanumeric(h.Key); name != "" {
			e.SetExtension("kafkaheader"+name, text(string(h.Value)))
		}
	}
	e.SetExtension(ExtReason, text(r.Err.Error()))
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
