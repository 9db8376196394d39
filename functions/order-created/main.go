// Command order-created publishes new orders to the streams.
package main

import (
	"orderbell/functions/internal/eventfunction"
	"orderbell/internal/event"
	"orderbell/internal/service"
)

func main() { service.Main("order-created", eventfunction.For(event.OrderCreated)) }
