package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"orderbell/cmd/orderbell/internal/auditstore"
	"orderbell/cmd/orderbell/internal/deadletter"
	"orderbell/internal/bus"
	"orderbell/internal/feed"
	"orderbell/internal/service"
	"orderbell/internal/user"
)

// repair writes the dead letters of events that the broker has dropped, and records this in the audit trail. Without REDIS_URL it
// does not check which events were published.
func (o *deadLetterOptions) repair(ctx context.Context, cmd *cobra.Command, office *deadletter.Office, groups []string, dryRun bool) (dropped []deadletter.Dropped, err error) {
	if len(groups) == 0 {
		return nil, nil
	}
	if err := o.database.open(ctx); err != nil {
		return nil, err
	}
	var kafka bus.Config
	if err := service.Load(&kafka); err != nil {
		return nil, err
	}
	admin, err := bus.NewAdmin(kafka)
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	r := deadletter.Repair{Outbox: auditstore.New(o.database.pool), Groups: groups, Settle: deadletter.Settle, Oldest: admin.Oldest}
	if os.Getenv("REDIS_URL") != "" {
		var redis feed.Config
		if err := service.Load(&redis); err != nil {
			return nil, err
		}
		published, err := feed.Open(redis)
		if err != nil {
			return nil, err
		}
		defer published.Close() //nolint:errcheck // it was only read from
		r.Feed, r.Replay = published, redis.ReplayTTL.Duration()
	}
	dropped, err = office.Repair(ctx, r, dryRun)
	if !dryRun {
		letters := make([]deadletter.Letter, len(dropped))
		for i, d := range dropped {
			letters[i] = deadletter.Letter{ID: d.EventID, TenantID: d.TenantID}
		}
		err = errors.Join(err, o.database.record(ctx, cmd.ErrOrStderr(), "deadletter.repaired", user.Done, letters))
	}
	return dropped, err
}
