package main

import (
	"orderbell/functions/delivery-sweeper/internal/sweep"
	"orderbell/functions/internal/eventfunction"
	"orderbell/internal/pipeline"
	"orderbell/internal/store/database"
)

type config struct {
	Database database.Config
	Sweep    sweep.Config
	Events   pipeline.Config
	Mail     eventfunction.MailConfig
}
