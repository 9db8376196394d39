package orderapi

import (
	"math"
	"net/http"

	"orderbell/internal/order"
	"orderbell/internal/problem"
)

// NewUndo is the body of POST /api/orders/{id}/undo.
type NewUndo struct {
	Version *order.Integer `json:"version"` // version of the change to undo, which must be the latest
}

func (a api) undo(w http.ResponseWriter, r *http.Request) error {
	body, err := problem.ReadBody(w, r)
	if err != nil {
		return err
	}
	var asked NewUndo
	if err := problem.Decode(body, &asked); err != nil {
		return err
	}
	switch {
	case asked.Version == nil:
		return problem.Field("version", "is missing")
	case *asked.Version < 1 || *asked.Version > math.MaxInt32:
		return problem.Field("version", "must be an integer from 1 to %d", math.MaxInt32)
	}
	principal, id, err := named(r)
	if err != nil {
		return err
	}
	request, err := newRequest(r, body)
	if err != nil {
		return err
	}
	var states []order.Status // the roles that may bring an order into a state may bring it back
	for _, s := range order.Undoable() {
		if principal.Has(Movers(s)...) {
			states = append(states, s)
		}
	}
	answer, err := a.store.Undo(r.Context(), id, int64(*asked.Version), states, request)
	if err != nil {
		return refusal(err)
	}
	return write(w, http.StatusOK, answer)
}
