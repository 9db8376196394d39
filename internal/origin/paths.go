package origin

// Paths returns the paths of the API that a program serves, as prefixes of whole segments. An origin routes them to the program. A
// test of functions/ compares them with the programs' routes and the OpenAPI document.
func Paths(program string) []string {
	switch program {
	case "order-api":
		return []string{"/api/orders"}
	case "user-api":
		return []string{"/api/users", "/api/tenant", "/api/me", "/api/notifications", "/api/unsubscribe", "/api/devices", "/api/pairings"}
	case "sse-gateway":
		return []string{"/api/sse"}
	}
	return nil
}
