package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderbell/cmd/orderbell/internal/devstack"
	"orderbell/cmd/orderbell/internal/watch"
	"orderbell/internal/auth"
	"orderbell/internal/service"
	"orderbell/internal/user"
)

// streamOptions choose the tenant, the gateway and the user of a stream.
type streamOptions struct {
	url, tenant, tokenFile, data string
}

// streamWords are their help texts.
const streamWords = `--url is the address of the gateway. --token-file holds a token; it is read again whenever a stream opens. Without --url the
command uses the orderbell dev that runs on the data directory. Without --token-file it makes tokens with AUTH_DEV_SECRET or
with the secret of that orderbell dev.`

func (o *streamOptions) define(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.tenant, "tenant", "", "id of the tenant, such as demo")
	cmd.Flags().StringVar(&o.url, "url", "", "address of the gateway or of the proxy in front of it, such as https://orders.example")
	cmd.Flags().StringVar(&o.tokenFile, "token-file", "", "file with a token of the tenant")
	cmd.Flags().StringVar(&o.data, "data", defaultData, "data directory of orderbell dev")
}

// origin returns the address of the gateway.
func (o *streamOptions) origin() (string, error) {
	if o.url != "" {
		return strings.TrimRight(o.url, "/"), nil
	}
	state, err := devstack.ReadState(o.data)
	if err != nil {
		return "", fmt.Errorf("%w: start it, or give --url", err)
	}
	return state.Origin, nil
}

// tokens returns the function that creates a token for a user. With a token file it returns the token of the file.
func (o *streamOptions) tokens() (func(userID string) (string, error), error) {
	if o.tokenFile != "" {
		return func(string) (string, error) {
			content, err := os.ReadFile(o.tokenFile)
			if err != nil {
				return "", fileError("token-file", o.tokenFile, err)
			}
			token := strings.TrimSpace(string(content))
			if token == "" {
				return "", fmt.Errorf("--token-file: the file %q is empty: it must hold a token", o.tokenFile)
			}
			return token, nil
		}, nil
	}
	if err := adoptDevStack(o.data, "AUTH_DEV_SECRET"); err != nil {
		return nil, err
	}
	var cfg auth.Config
	if err := service.Load(&cfg); err != nil {
		return nil, err
	}
	if cfg.JWKSURL = ""; cfg.DevSecret == "" {
		return nil, errors.New("there is no secret to make a token with: give --token-file")
	}
	return func(userID string) (string, error) {
		now := time.Now()
		return cfg.Sign(auth.Principal{
			UserID: userID, TenantID: o.tenant, Roles: []user.Role{user.Cashier}, Expires: now.Add(devstack.TokenTTL),
		}, now)
	}, nil
}

// stream returns a stream for a user.
func (o *streamOptions) stream(origin string, tokens func(string) (string, error), user string) watch.Options {
	return watch.Options{Origin: origin, Renew: func() (string, error) { return tokens(user) }}
}
