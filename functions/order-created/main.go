// Command order-created tells watchers of new orders.
package main

import (
	"orderbell/functions/internal/eventfunction"
	"orderbell/internal/event"
	"orderbell/internal/service"
)

func main() { service.Main("order-created", eventfunction.For(event.OrderCreated)) }
