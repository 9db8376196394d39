package orderapi

import (
	"net/http"

	"orderbell/functions/internal/route"
	"orderbell/internal/auth"
)

func (a api) get(w http.ResponseWriter, r *http.Request) error {
	principal, id, err := named(r)
	if err != nil {
		return err
	}
	o, err := a.store.Get(r.Context(), principal.TenantID, id)
	if err != nil {
		return refusal(err)
	}
	return route.Serve(w, r, route.VersionTag(o.Version), FromOrder(o))
}

func (a api) snapshot(w http.ResponseWriter, r *http.Request) error {
	principal, err := auth.Who(r)
	if err != nil {
		return err
	}
	page, more, err := a.page(r, principal.TenantID)
	if err != nil {
		return refusal(err)
	}
	answer := Snapshot{Orders: make([]Order, len(page))} // never null
	for i, o := range page {
		answer.Orders[i] = FromOrder(o)
	}
	if more {
		last := page[len(page)-1]
		answer.NextCursor = route.Position{At: last.CreatedAt, ID: last.ID}.Cursor()
	}
	return route.Serve(w, r, "", answer)
}
