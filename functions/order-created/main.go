// Command order-created tells watchers of new orders.
package main

import (
	"orderbell/functions/internal/eventfunction"
	"orderbell/internal/event"
)

func main() { eventfunction.Main("order-created", event.OrderCreated) }
