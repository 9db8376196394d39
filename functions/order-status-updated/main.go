// Command order-status-updated publishes changes of an order's state to the streams.
package main

import (
	"orderbell/functions/internal/eventfunction"
	"orderbell/internal/event"
	"orderbell/internal/service"
)

func main() { service.Main("order-status-updated", eventfunction.For(event.OrderStatusUpdated)) }
