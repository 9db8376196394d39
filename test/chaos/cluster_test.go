//go:build chaos

package chaos_test

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"orderbell/internal/dev/programtest"
)

// cluster is a Redis Cluster of three masters and three replicas. Clients and replicas reach each node through its proxy.
type cluster struct {
	nodes  map[string]*node // by the proxy's address, which is what the node announces
	first  []string         // some of those addresses
	client *redis.ClusterClient
}

type node struct {
	*server

	proxy  *proxy
	direct *redis.Client // without the proxy
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{nodes: map[string]*node{}}
	create := []string{"--cluster", "create"}
	for i := range 6 {
		port, busPort, disk := programtest.Port(t), programtest.Port(t), newDisk(t)
		p := newProxy(t, net.JoinHostPort("127.0.0.1", port))
		_, announced, _ := strings.Cut(p.address, ":")
		n := &node{proxy: p, direct: redis.NewClient(&redis.Options{Addr: p.target, Protocol: 2, MaxRetries: -1}), server: &server{
			name: fmt.Sprintf("cluster-%d", i+1), dir: disk.dir, disk: disk, command: []string{
				"redis-server", "--port", port, "--cluster-port", busPort, "--bind", "127.0.0.1", "--dir", ".", "--appendonly", "yes", "--save", "",
				"--repl-diskless-sync-delay", "0", "--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-replica-validity-factor", "0",
				"--cluster-announce-ip", "127.0.0.1", "--cluster-announce-port", announced, "--cluster-announce-bus-port", busPort,
			},
		}}
		n.start(t)
		t.Cleanup(func() { _ = n.direct.Close(); n.kill() })
		c.nodes[p.address] = n
		c.first = append(c.first, p.address)
		create = append(create, p.address+"@"+busPort)
		eventually(t, patience, n.name+" to answer", func() error { return n.direct.Ping(t.Context()).Err() })
	}
	create = append(create, "--cluster-replicas", "1", "--cluster-yes")
	if out, err := exec.CommandContext(t.Context(), "redis-cli", create...).CombinedOutput(); err != nil {
		t.Fatalf("create the cluster: %v\n%s", err, out)
	}
	c.client = redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.first, Protocol: 2})
	c.awaitWhole(t)
	return c
}

// redisURL is REDIS_URL of the cluster.
func (c *cluster) redisURL() string {
	return "redis://" + c.first[0] + "?addr=" + c.first[1] + "&addr=" + c.first[2] + "&addr=" + c.first[3]
}

// awaitWhole returns when every node sees a whole cluster, with three masters that have a replica each.
func (c *cluster) awaitWhole(t *testing.T) {
	t.Helper()
	eventually(t, patience, "the Redis Cluster to be whole", func() error {
		masters := 0
		for _, n := range c.nodes {
			state, err := n.direct.ClusterInfo(t.Context()).Result()
			if err != nil {
				return err
			}
			if !strings.Contains(state, "cluster_state:ok") {
				return fmt.Errorf("%s says %s", n.name, state)
			}
			info, err := n.direct.Info(t.Context(), "replication").Result()
			if err != nil {
				return err
			}
			switch {
			case field(info, "role") == "master" && strings.Contains(info, "state=online"):
				masters++
			case field(info, "role") == "master" || field(info, "master_link_status") != "up":
				return fmt.Errorf("%s is %s, its link is %s", n.name, field(info, "role"), field(info, "master_link_status"))
			}
		}
		if masters != 3 {
			return fmt.Errorf("it has %d masters with a replica", masters)
		}
		return nil
	})
}

// masterOf returns the address of the master that has the tenant's keys, once it is another than old.
func (c *cluster) masterOf(t *testing.T, id, old string) (master string) {
	t.Helper()
	eventually(t, patience, "a master of "+id+" other than "+old, func() error {
		c.client.ReloadState(t.Context())
		m, err := c.client.MasterForKey(t.Context(), "orders:{"+id+"}")
		if err != nil {
			return err
		}
		if master = m.Options().Addr; master == old {
			return errors.New("it is still " + old)
		}
		return nil
	})
	return master
}

// killClusterMaster kills a master of the cluster. Its replica takes over, and it comes back as a replica.
func killClusterMaster(e *episode) {
	c := e.w.cluster
	old := c.masterOf(e.t, e.tenants[0].id, "")
	c.nodes[old].kill()
	e.hits++
	c.masterOf(e.t, e.tenants[0].id, old)
	e.wait(3 * time.Second)
	c.nodes[old].start(e.w.t)
	c.awaitWhole(e.t)
	e.w.redisLost = time.Now()
}

// demoteClusterMaster swaps a master and its replica. The subscribers of the old master stay connected to it.
func demoteClusterMaster(e *episode) {
	c := e.w.cluster
	old := c.masterOf(e.t, e.tenants[0].id, "")
	_, port, _ := strings.Cut(old, ":")
	for _, n := range c.nodes {
		info, err := n.direct.Info(e.t.Context(), "replication").Result()
		if err != nil {
			e.t.Fatal(err)
		}
		if field(info, "master_port") != port {
			continue
		}
		if err := n.direct.ClusterFailover(e.t.Context()).Err(); err != nil {
			e.t.Fatal(err)
		}
		e.hits++
	}
	c.masterOf(e.t, e.tenants[0].id, old)
	e.wait(3 * time.Second)
	c.awaitWhole(e.t)
	e.w.redisLost = time.Now()
}

// fillClusterMaster fills the disk of a master. It refuses writes until it has room again: the cluster does not replace it.
func fillClusterMaster(e *episode) {
	c := e.w.cluster
	e.fullFor(c.nodes[c.masterOf(e.t, e.tenants[0].id, "")].server, 8*time.Second)
	c.awaitWhole(e.t)
}
