package main

import (
	"fmt"
	"os"
	"strings"

	"orderbell/cmd/orderbell/internal/devstack"
)

// adoptDevStack sets missing variables to the values of the running orderbell dev on the data directory.
func adoptDevStack(dir string, names ...string) error {
	missing := false
	for _, name := range names {
		missing = missing || os.Getenv(name) == ""
	}
	if !missing {
		return nil
	}
	state, err := devstack.ReadState(dir)
	if err != nil {
		return fmt.Errorf("%w: start it, or set %s", err, strings.Join(names, " and "))
	}
	for name, value := range map[string]string{
		"DATABASE_URL": state.DatabaseURL, "REDIS_URL": state.RedisURL, "KAFKA_BROKERS": state.Brokers, "SMTP_URL": state.SMTPURL,
		"MAILPIT_URL": state.MailpitURL, "AUTH_DEV_SECRET": state.Secret,
	} {
		if os.Getenv(name) != "" {
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}
