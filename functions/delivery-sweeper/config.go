package main

import (
	"context"

	"orderbell/functions/delivery-sweeper/internal/sweep"
	"orderbell/functions/internal/eventfunction"
	"orderbell/internal/auth"
	"orderbell/internal/pipeline"
	"orderbell/internal/service"
	"orderbell/internal/store/database"
)

type config struct {
	Database database.Config
	Sweep    sweep.Config
	Events   pipeline.Config
	Mail     eventfunction.MailConfig
	Senders  auth.SenderConfig
}

// senders returns the check of the sender that triggers this program.
func (c config) senders(ctx context.Context, s *service.Service) (*auth.Senders, error) {
	c.Senders.Log = s.Log
	known, err := auth.NewSenders(ctx, c.Senders)
	if err != nil {
		return nil, err
	}
	return known, s.Observe(known)
}
