package feedtest

import (
	"bytes"
	"context"
	"net"
	"os/exec"
	"strings"
	"testing"

	"orderbell/internal/dev/programtest"
	"orderbell/internal/dev/waittest"
)

// Server is a real redis-server process.
type Server struct {
	Addr string
	cmd  *exec.Cmd
	log  *bytes.Buffer
}

// Start starts a redis-server of its own for the test, with further arguments as in redis.conf. It fails the test if
// there is no redis-server on the PATH.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	port, bus := programtest.Port(tb), programtest.Port(tb)
	args = append([]string{
		"--port", port, "--cluster-port", bus, "--bind", "127.0.0.1", "--dir", tb.TempDir(), "--save", "", "--daemonize", "no",
	}, args...)
	s := &Server{Addr: net.JoinHostPort("127.0.0.1", port), log: &bytes.Buffer{}}
	s.cmd = exec.CommandContext(context.WithoutCancel(tb.Context()), "redis-server", args...) //nolint:gosec // our own arguments
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		tb.Fatalf("start redis-server (tests with the tag real need it): %v", err)
	}
	tb.Cleanup(s.Kill)
	waittest.Until(tb, "redis-server answers", func() bool {
		var d net.Dialer
		conn, err := d.DialContext(tb.Context(), "tcp", s.Addr)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
	return s
}

// Kill ends the process as a crash does.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may be gone
	_ = s.cmd.Wait()
}

// URL returns the server's address for REDIS_URL.
func (s *Server) URL() string { return "redis://" + s.Addr }

// CLI runs a command of redis-cli and returns its output.
func (s *Server) CLI(tb testing.TB, args ...string) string {
	tb.Helper()
	host, port, _ := net.SplitHostPort(s.Addr)
	cmd := exec.CommandContext(tb.Context(), "redis-cli", append([]string{"-h", host, "-p", port}, args...)...) //nolint:gosec // our own arguments
	out, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("redis-cli %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// Cluster is a Redis Cluster of three masters and three replicas.
type Cluster struct{ Servers []*Server }

// StartCluster starts a cluster for the test. A dead master is replaced within some two seconds.
func StartCluster(tb testing.TB) *Cluster {
	tb.Helper()
	c := &Cluster{}
	create := []string{"--cluster", "create"}
	for range 6 {
		s := Start(tb, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-replica-validity-factor", "0")
		c.Servers = append(c.Servers, s)
		create = append(create, s.Addr)
	}
	c.Servers[0].CLI(tb, append(create, "--cluster-replicas", "1", "--cluster-yes")...)
	for _, s := range c.Servers {
		waittest.Until(tb, "the cluster is whole", func() bool {
			return strings.Contains(s.CLI(tb, "cluster", "info"), "cluster_state:ok") &&
				strings.Count(s.CLI(tb, "cluster", "nodes"), "slave") == 3
		})
	}
	for _, s := range c.Servers {
		if strings.Contains(s.CLI(tb, "role"), "slave") {
			waittest.Until(tb, "the replica is in step", func() bool { return strings.Contains(s.CLI(tb, "role"), "connected") })
		}
	}
	return c
}

// URL returns the cluster's addresses for REDIS_URL.
func (c *Cluster) URL() string {
	return "redis://" + c.Servers[0].Addr + "?addr=" + c.Servers[1].Addr + "&addr=" + c.Servers[2].Addr + "&addr=" + c.Servers[3].Addr
}

// MasterOf returns the living master that holds a tenant.
func (c *Cluster) MasterOf(tb testing.TB, tenantID string) *Server {
	tb.Helper()
	key := "orders:{" + tenantID + "}"
	for _, s := range c.Servers {
		if s.cmd.ProcessState == nil && strings.HasPrefix(s.CLI(tb, "role"), "master") &&
			!strings.Contains(s.CLI(tb, "get", key), "MOVED") {
			return s
		}
	}
	tb.Fatalf("no master holds tenant %s", tenantID)
	return nil
}
