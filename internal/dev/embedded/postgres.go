package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// PostgresOptions configures [StartPostgres].
type PostgresOptions struct {
	// DataDir keeps the data between starts; it is created if necessary. Empty: a temporary directory, in memory if
	// there is room and NoSync is set.
	DataDir string
	// Port on 127.0.0.1; 0 takes a free one.
	Port int
	// Log receives the server's output; nil drops it.
	Log io.Writer
	// NoSync turns fsync off: several times faster, but a power failure loses data. For tests.
	NoSync bool
	// Settings are further server settings, as in postgresql.conf. They override ours.
	Settings map[string]string
	// CacheDir holds the unpacked programs; empty: /var/cache/orderbell for root, else the user's cache directory.
	CacheDir string
}

// Postgres is a running server.
type Postgres struct {
	dir     postgresDir
	account account
	url     string
	cmd     *exec.Cmd
	guard   *guard
	tail    *tailWriter
	done    chan struct{} // closed once the server is gone and cleaned up after
	exit    error         // the server's exit error; valid after done
	stop    sync.Once
}

// Limits of a start and a stop on slow machines. Usually both take a fraction of a second.
const (
	startTimeout = time.Minute
	stopTimeout  = 30 * time.Second // a fast shutdown writes a checkpoint; then it is killed
	pollEvery    = 10 * time.Millisecond
)

// startTries bounds the starts on ports that another program takes meanwhile.
const startTries = 5

// StartPostgres starts a PostgreSQL server on 127.0.0.1 and returns once it takes connections. The first call on a
// machine downloads the programs; later ones need no network. ctx only bounds the start.
//
// The server ends with [Postgres.Stop], or when this process ends for any reason, SIGKILL included. As root it runs
// under the account postgres or nobody, since PostgreSQL refuses root. A data directory has one server at a time:
// a second start waits a moment for the first to go, then fails.
func StartPostgres(ctx context.Context, opts PostgresOptions) (*Postgres, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	programs, err := postgresPrograms(ctx, opts.CacheDir)
	if err != nil {
		return nil, fmt.Errorf("embedded PostgreSQL: %w", err)
	}
	dir, who, err := openPostgresDir(ctx, opts.DataDir, opts.NoSync)
	if err != nil {
		return nil, fmt.Errorf("embedded PostgreSQL: %w", err)
	}
	p, err := startPostgresIn(ctx, opts, programs, dir, who)
	if err != nil {
		return nil, fmt.Errorf("embedded PostgreSQL: %w", errors.Join(err, dir.close()))
	}
	return p, nil
}

func startPostgresIn(ctx context.Context, opts PostgresOptions, programs string, dir postgresDir, who account) (*Postgres, error) {
	if err := dir.initialise(ctx, programs, who, opts.NoSync); err != nil {
		return nil, err
	}
	password, err := dir.password()
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		port := opts.Port
		if port == 0 {
			if port, err = FreePort(); err != nil {
				return nil, err
			}
		}
		p := &Postgres{dir: dir, account: who, tail: &tailWriter{next: opts.Log}, done: make(chan struct{})}
		p.url = (&url.URL{
			Scheme: "postgres", User: url.UserPassword(superuser, password), Host: loopback(port),
			Path: "/postgres", RawQuery: "sslmode=disable",
		}).String()
		err = p.start(ctx, programs, serverArgs(opts, port))
		if err == nil {
			return p, nil
		}
		if opts.Port != 0 || try == startTries || !strings.Contains(p.tail.String(), "Address already in use") {
			return nil, err
		}
	}
}

// serverArgs returns the server's settings as command line arguments: nothing is written into the data directory, so a
// later version's settings hold for old data too.
func serverArgs(opts PostgresOptions, port int) []string {
	settings := map[string]string{
		"port":                    strconv.Itoa(port),
		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": "",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"max_connections":         "200",
		"shared_buffers":          "64MB",
		"jit":                     "off", // short statements only: compiling them costs more than it saves
	}
	if opts.NoSync {
		settings["fsync"] = "off"
		settings["synchronous_commit"] = "off"
		settings["full_page_writes"] = "off"
	}
	for name, value := range opts.Settings {
		settings[name] = value
	}
	var args []string
	for name, value := range settings {
		args = append(args, "-c", name+"="+value)
	}
	return args
}

func (p *Postgres) start(ctx context.Context, programs string, args []string) error {
	//nolint:gosec,noctx // the program comes from our own cache; Stop ends it, not ctx, which bounds the start alone
	p.cmd = exec.Command(filepath.Join(programs, "bin", "postgres"), append([]string{"-D", p.dir.cluster()}, args...)...)
	p.account.run(p.cmd, p.dir)
	p.cmd.Stdout, p.cmd.Stderr = p.tail, p.tail
	p.cmd.WaitDelay = stopTimeout // a backend may hold the pipe a little longer than the server itself
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if p.dir.ready(p.cmd.Process.Pid) {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("the server stopped at once (%w):\n%s", p.exit, p.tail)
		case <-ctx.Done():
			p.kill(syscall.SIGQUIT)
			return fmt.Errorf("the server is not ready: %w:\n%s", ctx.Err(), p.tail)
		case <-tick.C:
		}
	}
}

// run is the server's goroutine from start to end. It keeps its thread, because the kernel ties the parent death
// signal to the thread that started the child, not to the process.
func (p *Postgres) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	if err == nil {
		if p.guard, err = startGuard(p.cmd.Process.Pid, p.dir); err != nil {
			err = errors.Join(err, p.cmd.Process.Kill(), p.cmd.Wait())
		}
	}
	started <- err
	if err != nil {
		return
	}
	p.exit = p.cmd.Wait()
	p.guard.dismiss()
	close(p.done)
}

// URL returns the server's address with user and password, as DATABASE_URL takes it.
func (p *Postgres) URL() string { return p.url }

// PID returns the server's process id.
func (p *Postgres) PID() int { return p.cmd.Process.Pid }

// Dir returns the data directory.
func (p *Postgres) Dir() string { return p.dir.path }

// Done is closed when the server has ended, whether stopped or not.
func (p *Postgres) Done() <-chan struct{} { return p.done }

// Stop ends the server: connections are cut, data is written. A directory that was made for it is removed. A second
// call does nothing.
func (p *Postgres) Stop() error {
	var err error
	p.stop.Do(func() {
		how := syscall.SIGINT // fast shutdown
		if p.dir.throwaway {
			how = syscall.SIGQUIT // immediate: the data goes anyway
		}
		p.kill(how)
		err = p.dir.close()
	})
	if err != nil {
		return fmt.Errorf("stop embedded PostgreSQL: %w", err)
	}
	return nil
}

// kill signals the server, waits for its end, and finally sends SIGKILL.
func (p *Postgres) kill(how syscall.Signal) {
	_ = p.cmd.Process.Signal(how) // an error means that it has ended already
	deadline := time.NewTimer(stopTimeout)
	defer deadline.Stop()
	select {
	case <-p.done:
	case <-deadline.C:
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// tailWriter copies everything and keeps the end for an error's text.
type tailWriter struct {
	mu   sync.Mutex
	next io.Writer
	tail []byte
}

// tailSize holds about twenty lines.
const tailSize = 4 << 10

func (w *tailWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tail = append(w.tail, b...)
	if over := len(w.tail) - tailSize; over > 0 {
		w.tail = w.tail[over:]
	}
	if w.next != nil {
		_, _ = w.next.Write(b) // a full disk under the log must not stop the server
	}
	return len(b), nil
}

func (w *tailWriter) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(bytes.TrimSpace(w.tail))
}

// guard is a small process that outlives ours by a moment: when its standard input closes because our process has
// ended, it stops the server and removes a temporary directory.
type guard struct {
	cmd   *exec.Cmd
	alive io.Closer
}

// guardScript waits at most ten seconds, because a container without an init process never reaps the server.
const guardScript = `read -r _
kill -"$1" "$2" 2>/dev/null
i=0
while [ $i -lt 100 ] && kill -0 "$2" 2>/dev/null; do sleep 0.1; i=$((i + 1)); done
[ -z "$3" ] || rm -rf -- "$3"`

func startGuard(pid int, dir postgresDir) (*guard, error) {
	how, remove := "INT", ""
	if dir.throwaway {
		how, remove = "QUIT", dir.path
	}
	//nolint:gosec,noctx // a fixed script, whose arguments are numbers and our own directory; it outlives every ctx
	cmd := exec.Command("/bin/sh", "-c", guardScript, "guard", how, strconv.Itoa(pid), remove)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // not stopped by Ctrl-C
	alive, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("guard the server: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("guard the server: %w", err)
	}
	return &guard{cmd: cmd, alive: alive}, nil
}

// dismiss ends the guard without an action, after the server has ended.
func (g *guard) dismiss() {
	_ = g.cmd.Process.Kill()
	_ = g.cmd.Wait()
	_ = g.alive.Close()
}

func exists(elem ...string) bool {
	_, err := os.Stat(filepath.Join(elem...))
	return err == nil
}
