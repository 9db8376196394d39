package localbroker

import "net/http"

// Through makes b call its subscribers through t instead of the network.
func (b *Broker) Through(t http.RoundTripper) { b.client.Transport = t }
