package record

import (
	"fmt"
	"mime"
	"strings"

	"orderbell/internal/event"
	"orderbell/internal/event/cloudevent"
	"orderbell/internal/event/deadletter"
	"orderbell/internal/text"
)

// DeadLetter returns the dead letter of a record that no function takes: it is not a CloudEvent, or has an unknown type. Source
// writes the dead letter of a record that has no source. It returns false for any other record.
func (r Record) DeadLetter(source string) (cloudevent.Event, bool) {
	if r.Err != nil {
		return r.Wrap(source), true
	}
	if event.Type(r.Event.Type()).Valid() {
		return cloudevent.Event{}, false
	}
	letter := deadletter.AtRecord(r.Event, r.Partition, r.Offset)
	letter.SetExtension(deadletter.ExtReason, fmt.Sprintf("type %q is unknown: use one of %s", event.Clip(r.Event.Type()), text.List(event.Types())))
	return letter, true
}

// Wrap makes an event of source from a message that is not a CloudEvent, in the form that Knative's KafkaSource uses
// (eventing-kafka-broker, InvalidCloudEventInterceptor), with the reason.
func (r Record) Wrap(source string) cloudevent.Event {
	e := cloudevent.Empty()
	e.SetID(fmt.Sprintf("partition:%d/offset:%d", r.Partition, r.Offset))
	e.SetType("dev.knative.kafka.event")
	e.SetSource(source + "#" + r.Topic)
	e.SetSubject(fmt.Sprintf("partition:%d#%d", r.Partition, r.Offset))
	e.SetTime(r.Time)
	if len(r.Key) > 0 {
		e.SetExtension(cloudevent.ExtPartitionKey, deadletter.Text(string(r.Key)))
		e.SetExtension("key", deadletter.Text(string(r.Key)))
	}
	contentType := "application/octet-stream"
	for _, h := range r.Headers {
		if strings.EqualFold(h.Key, "content-type") {
			// With the type of a valid event, the dead letter would look like that event. With an invalid type, it would be
			// invalid itself.
			value := strings.ToLower(deadletter.Text(string(h.Value)))
			if _, _, err := mime.ParseMediaType(value); err == nil && !strings.HasPrefix(value, "application/cloudevents") {
				contentType = value
			}
			continue
		}
		if name := alphanumeric(h.Key); name != "" {
			e.SetExtension("kafkaheader"+name, deadletter.Text(string(h.Value)))
		}
	}
	e.SetExtension(deadletter.ExtReason, deadletter.Text(r.Err.Error()))
	e.SetDataContentType(contentType)
	e.DataEncoded = r.Value
	return deadletter.AtRecord(e, r.Partition, r.Offset)
}

func alphanumeric(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return -1
	}, strings.ToLower(s))
}
