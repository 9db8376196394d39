// Command order-paid tells watchers of paid orders, and the users who sell by inbox and e-mail.
package main

import (
	"orderbell/functions/internal/eventfunction"
	"orderbell/internal/event"
	"orderbell/internal/service"
)

func main() { service.Main("order-paid", eventfunction.For(event.OrderPaid)) }
