package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"orderbell/cmd/orderbell/internal/auditstore"
	"orderbell/cmd/orderbell/internal/explain"
	"orderbell/internal/audit"
	"orderbell/internal/store/database"
)

type explainOptions struct {
	eventID, orderID, reference, mailID string // one of them
	tenantID, email, data               string
	asJSON                              bool
}

func (o explainOptions) check() error {
	const example = "0193b5a2-1c1e-7c3a-9d55-0a1b2c3d4e5f"
	given := 0
	for _, id := range []struct{ flag, value, of string }{
		{"event", o.eventID, "an event"}, {"order", o.orderID, "an order"}, {"mail", o.mailID, "a mail"},
	} {
		if id.value == "" {
			continue
		}
		given++
		if _, err := uuid.Parse(id.value); err != nil {
			return fmt.Errorf("--%s must be the id of %s, such as %s, not %q", id.flag, id.of, example, id.value)
		}
	}
	if o.reference != "" {
		given++
	}
	switch {
	case given != 1:
		return fmt.Errorf("give one of --event, --order, --reference and --mail, such as --event %s", example)
	case o.tenantID != "" && o.reference == "":
		return fmt.Errorf("--tenant %q needs --reference: leave it out", o.tenantID)
	}
	return nil
}

func accountsOf(cmd *cobra.Command, o explainOptions) (found []explain.Account, err error) {
	err = withDatabase(cmd.Context(), o.data, "orderbell-explain", func(pool *database.Pool) error {
		store := auditstore.New(pool)
		events, of, err := o.events(cmd.Context(), store)
		if err != nil {
			return err
		}
		for _, id := range events {
			accounts, err := explain.Event(cmd.Context(), store, id, of)
			if err != nil {
				return err
			}
			found = append(found, accounts...)
		}
		return nil
	})
	return found, err
}

// events returns the ids of the events that are asked about, and the address or id of the user who is asked about, or "".
func (o explainOptions) events(ctx context.Context, store *auditstore.Store) (ids []string, of string, err error) {
	switch {
	case o.eventID != "":
		return []string{o.eventID}, o.email, nil
	case o.mailID != "":
		id, userID, err := store.EventOfMail(ctx, o.mailID)
		if err == nil && id == "" {
			err = fmt.Errorf("there is no mail %s about an order: orderbell mail list shows the ids", o.mailID)
		}
		return []string{id}, cmp.Or(o.email, userID), err
	}
	events, err := eventsOf(ctx, store, o.tenantID, cmp.Or(o.orderID, o.reference))
	for _, e := range events {
		ids = append(ids, e.EventID)
	}
	return ids, o.email, err
}

// eventsOf returns the events of an order that is named by its id or its reference. Without one it is an error.
func eventsOf(ctx context.Context, store *auditstore.Store, tenantID, name string) ([]audit.Traced, error) {
	orderID, err := orderOf(ctx, store, tenantID, name)
	if err != nil {
		return nil, err
	}
	events, err := store.Events(ctx, orderID)
	if err == nil && len(events) == 0 {
		err = fmt.Errorf("there is no order %s: it never existed, or its events were deleted after the retention time", orderID)
	}
	return events, err
}

// orderOf returns the id of an order that is named by its id or its reference: of several, the newest.
func orderOf(ctx context.Context, store *auditstore.Store, tenantID, name string) (string, error) {
	if id, err := uuid.Parse(name); err == nil {
		return id.String(), nil
	}
	ids, err := store.Named(ctx, tenantID, name, 1)
	if err != nil {
		return "", err
	}
	if len(ids) == 0 {
		return "", fmt.Errorf("no order has the reference %s: check it, or give the id of an order, a UUID", name)
	}
	return ids[0], nil
}
