package main

import (
	"orderbell/functions/internal/access"
	"orderbell/internal/feed"
	"orderbell/internal/store/database"
	"orderbell/internal/user"
)

type config struct {
	Database database.Config
	Redis    feed.Config
	Access   access.Config
	Limits   user.DefaultLimits
}
