package fanout

import (
	"hash/fnv"
	"time"

	"orderbell/internal/auth"
)

// mark is a hash of a token's id, to save memory. Two tokens of one tenant have the same mark with a probability of
// 2⁻⁶⁴.
type mark uint64

// tokenMark returns the mark of a token's id, 0 for a token without an id.
func tokenMark(id string) mark {
	if id == "" {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails (hash.Hash)
	return mark(max(h.Sum64(), 1))
}

func (p *Pool) revoke(r auth.Revocation) {
	for _, w := range p.workers {
		w.inbox.Lock()
		w.inbox.revoked = append(w.inbox.revoked, r)
		w.inbox.Unlock()
		w.ring()
	}
}

// revoke closes the clients that r covers.
func (w *worker) revoke(r auth.Revocation) {
	token := tokenMark(r.TokenID)
	for log, g := range w.groups {
		if log.TenantID != r.TenantID {
			continue
		}
		for i := len(g.clients) - 1; i >= 0; i-- { // from the end, because closing moves the last one
			c := g.clients[i]
			p := auth.Principal{TenantID: log.TenantID, UserID: c.user, Issued: time.Unix(c.issued, 0), Checked: time.UnixMilli(c.check)}
			if token != 0 && c.token == token || token == 0 && r.Covers(p) {
				w.close(c, Revoked)
			}
		}
	}
}
