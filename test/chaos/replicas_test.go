//go:build chaos

package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/redis/go-redis/v9"

	"orderbell/internal/bus"
	"orderbell/internal/dev/programtest"
)

// server is a process of the replicated stores. It writes to .report/chaos-NAME.log.
type server struct {
	name    string
	command []string
	dir     string
	disk    *disk // its data; nil for a sentinel
	cmd     *exec.Cmd
	ended   chan struct{}
}

func (s *server) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(root, ".report", "chaos-"+s.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()                                   //nolint:errcheck // the process has its own
	cmd := exec.Command(s.command[0], s.command[1:]...) //nolint:noctx // ended by signals
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	s.cmd, s.ended = cmd, ended
}

// hasEnded says whether the process has ended by itself.
func (s *server) hasEnded() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// kill ends the process with SIGKILL and waits for it.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// stop ends the process with SIGTERM and waits for it.
func (s *server) stop(t *testing.T) {
	t.Helper()
	s.signal(t, syscall.SIGTERM)
	<-s.ended
}

// signal sends sig to the process. A process stopped by SIGSTOP answers nothing, but its connections stay open.
func (s *server) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// replicas are stores that fail over: three Kafka brokers, two of which must have an event before it is acknowledged, and a
// Redis master with one replica and three sentinels. PostgreSQL gets its standby in the case that fails it over.
type replicas struct {
	brokers   [3]*server
	addresses []string // of the brokers: each is that of its proxy
	proxies   [3]*proxy

	redis     map[string]*server // by address
	sentinels []string           // addresses
}

// slow is long enough for three JVMs that start at the same time on a busy machine.
const slow = 5 * time.Minute

// masterName is what the sentinels call the Redis master.
const masterName = "orders"

// startReplicas starts Kafka and Redis, and creates the topics.
func startReplicas(t *testing.T, dir string) *replicas {
	t.Helper()
	r := &replicas{redis: map[string]*server{}}
	r.startKafka(t, dir)
	r.startRedis(t, dir)
	admin, err := bus.NewAdmin(bus.Config{Brokers: r.addresses, Topic: topic, DeadLetterTopic: deadLetters})
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	eventually(t, slow, "the topics", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		return admin.EnsureTopics(ctx, 6, 3)
	})
	r.awaitInSync(t)
	return r
}

func (r *replicas) startKafka(t *testing.T, dir string) {
	t.Helper()
	var ports, controllers, voters []string
	for i := range r.brokers {
		ports, controllers = append(ports, programtest.Port(t)), append(controllers, programtest.Port(t))
		voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%s", i+1, controllers[i]))
		r.proxies[i] = newProxy(t, "127.0.0.1:"+ports[i])
		r.addresses = append(r.addresses, r.proxies[i].address)
	}
	java := []string{"java", "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", filepath.Join(root, ".cache", "kafka") + "/*"}
	const cluster = "b3JkZXJiZWxsLWNoYW9zCg" // any base64 of 16 bytes
	for i := range r.brokers {
		name := fmt.Sprintf("kafka-%d", i+1)
		config, disk := filepath.Join(dir, name+".properties"), newDisk(t)
		content := fmt.Sprintf(`process.roles=broker,controller
node.id=%d
controller.quorum.voters=%s
listeners=PLAINTEXT://127.0.0.1:%s,CONTROLLER://127.0.0.1:%s
advertised.listeners=PLAINTEXT://%s
controller.listener.names=CONTROLLER
log.dirs=%s
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=8
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
broker.session.timeout.ms=6000
controller.quorum.fetch.timeout.ms=5000
initial.broker.registration.timeout.ms=300000
replica.lag.time.max.ms=5000
`, i+1, strings.Join(voters, ","), ports[i], controllers[i], r.addresses[i], disk.dir)
		if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		format := append(append([]string{}, java[1:]...), "kafka.tools.StorageTool", "format", "--config", config, "--cluster-id", cluster)
		if out, err := exec.CommandContext(t.Context(), java[0], format...).CombinedOutput(); err != nil {
			t.Fatalf("format the storage of %s: %v\n%s", name, err, out)
		}
		r.brokers[i] = &server{name: name, dir: ".", disk: disk, command: append(append([]string{}, java...), "kafka.Kafka", config)}
		r.brokers[i].start(t)
		t.Cleanup(func() { r.brokers[i].kill() })
	}
}

// awaitInSync returns when every replica of every partition has everything.
func (r *replicas) awaitInSync(t *testing.T) {
	t.Helper()
	eventually(t, slow, "Kafka's replicas to be in sync", func() error {
		settings := sarama.NewConfig()
		settings.Net.DialTimeout, settings.Net.ReadTimeout, settings.Metadata.Retry.Max = 2*time.Second, 2*time.Second, 0
		client, err := sarama.NewClient(r.addresses, settings)
		if err != nil {
			return err
		}
		defer client.Close() //nolint:errcheck // only read
		for _, name := range []string{topic, deadLetters, "__consumer_offsets"} {
			partitions, err := client.Partitions(name)
			if name == "__consumer_offsets" && errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
				continue // created by the first consumer group
			}
			if err != nil {
				return err
			}
			for _, p := range partitions {
				isr, err := client.InSyncReplicas(name, p)
				if err != nil {
					return err
				}
				if len(isr) != len(r.brokers) {
					return fmt.Errorf("partition %d of %s has the replicas %v in sync", p, name, isr)
				}
			}
		}
		return nil
	})
}

func (r *replicas) startRedis(t *testing.T, dir string) {
	t.Helper()
	var master string
	for i := range 2 {
		port := programtest.Port(t)
		address := net.JoinHostPort("127.0.0.1", port)
		disk := newDisk(t)
		s := &server{name: fmt.Sprintf("redis-%d", i+1), dir: disk.dir, disk: disk, command: []string{
			"redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", ".", "--appendonly", "yes", "--save", "", "--repl-diskless-sync-delay", "0",
		}}
		if master == "" {
			master = address
		} else {
			s.command = append(s.command, "--replicaof", "127.0.0.1", strings.TrimPrefix(master, "127.0.0.1:"))
		}
		r.redis[address] = s
		s.start(t)
		t.Cleanup(func() { s.kill() })
	}
	for i := range 3 {
		port := programtest.Port(t)
		config := filepath.Join(dir, fmt.Sprintf("sentinel-%d.conf", i+1))
		content := fmt.Sprintf("port %s\nbind 127.0.0.1\nsentinel monitor %s 127.0.0.1 %s 2\nsentinel down-after-milliseconds %s 2000\nsentinel failover-timeout %s 10000\n",
			port, masterName, strings.TrimPrefix(master, "127.0.0.1:"), masterName, masterName)
		if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		s := &server{name: fmt.Sprintf("sentinel-%d", i+1), dir: dir, command: []string{"redis-server", config, "--sentinel"}}
		s.start(t)
		t.Cleanup(func() { s.kill() })
		r.sentinels = append(r.sentinels, net.JoinHostPort("127.0.0.1", port))
	}
	r.awaitRedis(t, "")
}

// redisURL is REDIS_URL of a Redis that sentinels watch.
func (r *replicas) redisURL() string {
	return "redis://" + r.sentinels[0] + "/0?master_name=" + masterName + "&addr=" + r.sentinels[1] + "&addr=" + r.sentinels[2]
}

// awaitRedis waits until all sentinels name the same master, other than old, and its replica is online. It returns its address.
func (r *replicas) awaitRedis(t *testing.T, old string) (master string) {
	t.Helper()
	eventually(t, patience, "the sentinels to agree on a master with a replica", func() error {
		named := map[string]bool{}
		for _, address := range r.sentinels {
			s := redis.NewSentinelClient(&redis.Options{Addr: address, Protocol: 2, MaxRetries: -1})
			at, err := s.GetMasterAddrByName(t.Context(), masterName).Result()
			if err == nil && old == "" { // at the start: each sentinel must know the other two
				var others []map[string]string
				if others, err = s.Sentinels(t.Context(), masterName).Result(); err == nil && len(others) != 2 {
					err = fmt.Errorf("sentinel %s knows %d others", address, len(others))
				}
			}
			_ = s.Close()
			if err != nil {
				return err
			}
			master = net.JoinHostPort(at[0], at[1])
			named[master] = true
		}
		if len(named) != 1 || master == old {
			return fmt.Errorf("they name %v", named)
		}
		return hasReplica(t.Context(), master)
	})
	return master
}

func hasReplica(ctx context.Context, master string) error {
	c := redis.NewClient(&redis.Options{Addr: master, Protocol: 2, MaxRetries: -1})
	defer c.Close() //nolint:errcheck // only read
	info, err := c.Info(ctx, "replication").Result()
	if err != nil {
		return err
	}
	if field(info, "role") != "master" || !strings.Contains(info, "state=online") {
		return fmt.Errorf("%s is %s with %s replicas", master, field(info, "role"), field(info, "connected_slaves"))
	}
	return nil
}
