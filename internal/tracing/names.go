package tracing

import "go.opentelemetry.io/otel/attribute"

// All names of spans and of their attributes are in this file. They follow OpenTelemetry's semantic conventions (HTTP and
// messaging, version 1.26) if these have one. The others begin with orderbell.

// The names of spans, in the order of an order's way. A server span is named METHOD ROUTE, such as POST /api/orders.
const (
	SpanSend    = "send orders.events"    // outbox-relay: from the order's change to Kafka's acknowledgement
	SpanProcess = "process event"         // a function: an event's delivery, from the request to its answer
	SpanApply   = "apply event"           // a function: the transaction in PostgreSQL
	SpanPublish = "publish to stream"     // a function: the script in Redis
	SpanMail    = "send mail"             // a function or delivery-sweeper: one attempt
	SpanSweep   = "sweep"                 // delivery-sweeper: the work of one sweep
	SpanWrite   = "write frames"          // sse-gateway: from a message's arrival to the frame in the sockets of its tenant
	SpanPaint   = "show order in browser" // the page, by its receipt: from the frame's arrival to the pixels
)

// The attributes of spans.
const (
	AttrHTTPMethod = attribute.Key("http.request.method")
	AttrHTTPRoute  = attribute.Key("http.route")
	AttrHTTPStatus = attribute.Key("http.response.status_code")

	AttrMessagingSystem      = attribute.Key("messaging.system") // kafka or redis
	AttrMessagingDestination = attribute.Key("messaging.destination.name")
	AttrMessagingOperation   = attribute.Key("messaging.operation.type") // publish or process
	AttrMessagingID          = attribute.Key("messaging.message.id")     // the event's

	AttrTenant    = attribute.Key("orderbell.tenant_id")
	AttrOrder     = attribute.Key("orderbell.order_id")
	AttrEventType = attribute.Key("orderbell.event_type")
	AttrOutcome   = attribute.Key("orderbell.outcome")
	AttrMailID    = attribute.Key("orderbell.mail_id")
	AttrCold      = attribute.Key("orderbell.cold_start") // the event waited for its function to start
)
