package orderstore

// EventTime is the expression of an event's time.
const EventTime = eventTime
