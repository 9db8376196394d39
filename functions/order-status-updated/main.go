// Command order-status-updated tells watchers how orders move on.
package main

import (
	"orderbell/functions/internal/eventfunction"
	"orderbell/internal/event"
)

func main() { eventfunction.Main("order-status-updated", event.OrderStatusUpdated) }
