package embedded

import (
	"fmt"

	"github.com/alicebob/miniredis/v2"
)

// Redis is a Redis inside this process. It keeps nothing: a restart is an empty server, which the gateway answers with
// resync. It has no sharded pub/sub.
type Redis struct {
	server *miniredis.Miniredis
}

// StartRedis starts an empty server on a free loopback port.
func StartRedis() (*Redis, error) {
	server := miniredis.NewMiniRedis()
	server.ClockTTL(true) // keys expire by the clock, as in a real server; miniredis alone never lets one go
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("start the embedded Redis: %w", err)
	}
	return &Redis{server: server}, nil
}

// URL is the address for REDIS_URL.
func (r *Redis) URL() string { return "redis://" + r.server.Addr() + "/0" }

// Stop closes the server and every connection to it.
func (r *Redis) Stop() { r.server.Close() }
