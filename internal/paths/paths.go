// Package paths has the paths of the APIs and of the health checks: programs serve them, the origin passes them on, and the command
// line calls them. Paths below one of these are in the table of routes of their API.
package paths

// The APIs, each with the paths below it.
const (
	Orders        = "/api/orders"
	Users         = "/api/users"
	Tenant        = "/api/tenant"
	Me            = "/api/me"
	Notifications = "/api/notifications"
	Unsubscribe   = "/api/unsubscribe"
	Devices       = "/api/devices"
	Pairings      = "/api/pairings"
	SSE           = "/api/sse"
)

// Paths that more than one program knows.
const (
	Snapshot = Orders + "/snapshot"
	Stream   = SSE + "/notifications"
	Live     = "/healthz/live"
	Ready    = "/healthz/ready"
)

// Pay returns the path that pays an order.
func Pay(orderID string) string { return Orders + "/" + orderID + "/pay" }

// Status returns the path that changes the status of an order.
func Status(orderID string) string { return Orders + "/" + orderID + "/status" }

// Of returns the paths of the API that a program serves, as prefixes of whole segments. An origin routes them to the program. A
// test of functions/ compares them with the programs' routes and the OpenAPI document.
func Of(program string) []string {
	switch program {
	case "order-api":
		return []string{Orders}
	case "user-api":
		return []string{Users, Tenant, Me, Notifications, Unsubscribe, Devices, Pairings}
	case "sse-gateway":
		return []string{SSE}
	}
	return nil
}
