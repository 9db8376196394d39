package localbroker

import "net/http"

// Through has b call its subscribers through t, in place of the network.
func (b *Broker) Through(t http.RoundTripper) { b.client.Transport = t }
