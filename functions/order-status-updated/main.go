// Command order-status-updated tells watchers how orders move on.
package main

import (
	"orderbell/functions/internal/eventfunction"
	"orderbell/internal/event"
	"orderbell/internal/service"
)

func main() { service.Main("order-status-updated", eventfunction.For(event.OrderStatusUpdated)) }
