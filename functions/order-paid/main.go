// Command order-paid publishes paid orders to the streams, and notifies owners, managers and cashiers in the inbox and by e-mail.
package main

import (
	"orderbell/functions/internal/eventfunction"
	"orderbell/internal/event"
	"orderbell/internal/service"
)

func main() { service.Main("order-paid", eventfunction.For(event.OrderPaid)) }
