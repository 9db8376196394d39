//go:build chaos

package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderbell/internal/dev/programtest"
)

// pooledFaults are the faults of a system with PgBouncer, a Redis Cluster and two mail servers.
func pooledFaults() []fault {
	return []fault{
		{"PgBouncer killed", killBouncer, true},
		{"PgBouncer with session pooling", poolSessions, true},
		{"PostgreSQL switched over, PgBouncer's connections left open", failOverPostgres, true},
		{"PostgreSQL's primary killed, its synchronous standby promoted, PgBouncer in between", promotePostgres, true},
		{"PostgreSQL's primary isolated, its synchronous standby promoted, PgBouncer's connections left open", isolatePostgres, true},
		{"a master of the Redis Cluster killed, its replica promoted", killClusterMaster, false},
		{"a master of the Redis Cluster demoted, its subscribers stay", demoteClusterMaster, false},
		{"the disk of a master of the Redis Cluster full", fillClusterMaster, false},
		{"every store cut off from the programs for twenty seconds", partition, true},
		{"every store 50 ms away", moveAway, true},
		{"one of two mail servers greylists, then it is gone", loseMailServer, true},
	}
}

// TestPooled does as TestFailover with PgBouncer between the programs and PostgreSQL, a Redis Cluster, and a mail server's name
// that has two addresses. `make chaos-failover` runs it.
func TestPooled(t *testing.T) {
	seed := setting(t, "CHAOS_SEED", uint64(time.Now().UnixNano())%1_000_000)
	rounds := setting(t, "CHAOS_ROUNDS", 3)
	t.Logf("CHAOS_SEED=%d CHAOS_ROUNDS=%d", seed, rounds)
	w := newPooledWorld(t, randomFor(seed, "mail"))
	r := &report{target: "chaos-failover", part: "-pooled", seed: seed, rounds: rounds, started: time.Now()}
	defer r.write(t)
	w.runFaults(t, r, pooledFaults)
}

func newPooledWorld(t *testing.T, random *rand.Rand) *world {
	t.Helper()
	ownMounts(t)
	w := prepareWorld(t, random)
	w.script(t, "down", "--kill")
	t.Cleanup(func() { w.script(t, "down", "--kill") })
	w.script(t, "up", "--empty", "postgres", "kafka", "mailpit")
	w.cluster = startCluster(t)
	w.twoMailServers(t, random)
	w.connect(t)
	for _, m := range []*smtpProxy{w.smtp, w.secondSMTP} {
		m.target = w.smtp.target
	}
	migrate := exec.CommandContext(t.Context(), filepath.Join(root, "bin", "orderbell"), "migrate", "up") // a pooler is not for this
	migrate.Env = append(os.Environ(), "DATABASE_URL="+w.databaseURL(w.own))
	if out, err := migrate.CombinedOutput(); err != nil {
		t.Fatalf("orderbell migrate up: %v\n%s", err, out)
	}
	w.startBouncer(t)
	w.run(t)
	return w
}

// bouncer is PgBouncer with the settings of production, without TLS and passwords.
type bouncer struct {
	*server

	settings string // the file
	address  string
	toServer *proxy // to PostgreSQL
}

// startBouncer starts PgBouncer and sends the programs to it.
func (w *world) startBouncer(t *testing.T) {
	t.Helper()
	dir, err := os.MkdirTemp("", "orderbell-pgbouncer") //nolint:usetesting // only root may enter t.TempDir's parent
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	port := programtest.Port(t)
	b := &bouncer{settings: filepath.Join(dir, "pgbouncer.ini"), address: "127.0.0.1:" + port, toServer: newProxy(t, w.postgres.currentTarget())}
	production, err := os.ReadFile(filepath.Join(root, "k8s", "overlays", "production", "pgbouncer", "pgbouncer.ini"))
	if err != nil {
		t.Fatal(err)
	}
	_, serverPort, _ := strings.Cut(b.toServer.address, ":")
	ini := fmt.Sprintf("[databases]\norderbell = host=127.0.0.1 port=%s dbname=orderbell user=orderbell\n", serverPort)
	for line := range strings.Lines(string(production)) {
		name, _, _ := strings.Cut(line, " ")
		if strings.HasPrefix(name, "auth_") || strings.HasPrefix(name, "listen_") || strings.Contains(name, "_tls_") || name == "%include" {
			continue
		}
		ini += line
	}
	ini += "auth_type = any\nlisten_addr = 127.0.0.1\nlisten_port = " + port + "\n"
	writeFile(t, b.settings, ini)
	command := []string{"pgbouncer", b.settings}
	if os.Geteuid() == 0 { // PgBouncer refuses to run as root
		command = append([]string{"setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"}, command...)
		chown(t, dir)
	}
	b.server = &server{name: "pgbouncer", dir: "/", command: command}
	w.bouncer = b
	b.start(t)
	t.Cleanup(func() { b.kill() })
	b.await(t)
	w.postgres.setTarget(b.address)
	w.toPrimary = []*proxy{b.toServer, w.own}
}

func (b *bouncer) await(t *testing.T) {
	t.Helper()
	eventually(t, patience, "PgBouncer to answer", func() error {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", b.address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

func killBouncer(e *episode) {
	b := e.w.bouncer
	b.kill()
	e.hits++
	e.wait(e.between(300*time.Millisecond, 2*time.Second))
	b.start(e.w.t)
	b.await(e.t)
}

// poolSessions restarts PgBouncer with session pooling, and later with transaction pooling again.
func poolSessions(e *episode) {
	b := e.w.bouncer
	before, err := os.ReadFile(b.settings)
	if err != nil {
		e.t.Fatal(err)
	}
	change := strings.NewReplacer("pool_mode = transaction", "pool_mode = session")
	sessions := change.Replace(string(before))
	if sessions == string(before) {
		e.t.Fatal("pgbouncer.ini has no pool_mode = transaction")
	}
	for _, content := range []string{sessions, string(before)} {
		writeFile(e.t, b.settings, content)
		b.kill()
		e.hits++
		b.start(e.w.t)
		b.await(e.t)
		if content == sessions {
			e.awaitOwnRecovery()
		}
	}
}

// partition holds up everything between the programs and the stores, longer than every timeout but Kafka's. Then it arrives.
func partition(e *episode) {
	held := e.w.toStores()
	for _, p := range held {
		p.hold(up, down)
	}
	e.hits++
	e.wait(20 * time.Second)
	for _, p := range held {
		p.release()
	}
	e.w.redisLost = time.Now() // a replica may have taken over meanwhile
}

// toStores returns the proxies between the programs and the stores.
func (w *world) toStores() []*proxy {
	all := []*proxy{w.postgres, w.kafka}
	for _, address := range w.cluster.first {
		all = append(all, w.cluster.nodes[address].proxy)
	}
	return all
}

// moveAway makes each answer of a store take 50 ms longer, as in another zone.
func moveAway(e *episode) {
	const oneWay = 25 * time.Millisecond
	for _, p := range e.w.toStores() {
		near := p.currentTarget()
		p.setTarget(newDistance(e.t, near, oneWay))
		p.cut()
		defer func() { p.setTarget(near); p.cut() }()
	}
	e.hits++
	e.awaitOwnRecovery()
	e.wait(10 * time.Second)
}

// mailHost has two addresses, in this order.
const mailHost = "mail.orderbell.test"

// twoMailServers makes SMTP_URL a name with two addresses, each a proxy of Mailpit.
func (w *world) twoMailServers(t *testing.T, random *rand.Rand) {
	t.Helper()
	w.smtp = newSMTPProxy(t, random, "127.0.0.2:0")
	_, port, _ := strings.Cut(w.smtp.address, ":")
	w.secondSMTP = newSMTPProxy(t, random, "127.0.0.3:"+port)
	w.smtpURL = "smtp://" + mailHost + ":" + port
	hosts := filepath.Join(t.TempDir(), "hosts")
	writeFile(t, hosts, "127.0.0.1 localhost\n127.0.0.2 "+mailHost+"\n127.0.0.3 "+mailHost+"\n")
	if err := syscall.Mount(hosts, "/etc/hosts", "", syscall.MS_BIND, ""); err != nil {
		t.Fatalf("give the mail server two addresses: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount("/etc/hosts", syscall.MNT_DETACH) })
}

// loseMailServer has the first mail server greylist, and then takes it away: mails take the second address.
func loseMailServer(e *episode) {
	first, second := e.w.smtp, e.w.secondSMTP
	atFirst, atSecond := first.accepted(), second.accepted()
	first.set(mailGreylists)
	eventually(e.t, patience, "mails to be greylisted and accepted later", func() error {
		if accepted := first.accepted() - atFirst; first.affected() == 0 || accepted < 5 {
			return fmt.Errorf("%d were greylisted, %d accepted", first.affected(), accepted)
		}
		return nil
	})
	e.hits += first.set(mailHealthy)
	first.leave()
	e.hits++
	eventually(e.t, patience, "the second mail server to get the mails", func() error {
		if accepted := second.accepted() - atSecond; accepted < 5 {
			return fmt.Errorf("it has accepted %d", accepted)
		}
		return nil
	})
	first.comeBack(e.t)
}
