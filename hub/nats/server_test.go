package natsbroker

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// patience is how long a test waits for what must come, on a machine that is busy.
const patience = 2 * time.Minute

// natsd is the server's program, which is built once for all tests.
var natsd = sync.OnceValues(func() (program string, err error) {
	if natsdFolder, err = os.MkdirTemp("", "natsd"); err != nil {
		return "", err
	}
	program = filepath.Join(natsdFolder, "natsd")
	build := exec.Command("go", "build", "-o", program, "./internal/natsd")
	build.Stderr = os.Stderr
	return program, build.Run()
})

var natsdFolder string // "": it was not built

// withServer are tests after which natsd's program is removed.
type withServer struct{ *testing.M }

func (m withServer) Run() int {
	status := m.M.Run()
	if natsdFolder != "" {
		_ = os.RemoveAll(natsdFolder) // below a folder for what may stay behind
	}
	return status
}

// natsServer is a real server, a process on a port of its own, with its files in
// a folder of the test. Its methods must be called on the test's goroutine.
type natsServer struct {
	t      testing.TB
	folder string
	port   int
	config []string // a file, or none
	cmd    *exec.Cmd
	stdin  io.Closer
}

func startServer(t testing.TB) *natsServer {
	t.Helper()
	return startServerWith(t, "")
}

// startServerWith starts one with a text of its configuration.
func startServerWith(t testing.TB, config string) *natsServer {
	t.Helper()
	n := &natsServer{t: t, folder: filepath.Join(t.TempDir(), "js"), port: -1}
	if config != "" {
		n.config = []string{filepath.Join(t.TempDir(), "nats.conf")}
		if err := os.WriteFile(n.config[0], []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n.start()
	t.Cleanup(n.stop)
	return n
}

// start starts it, at the address that it had before.
func (n *natsServer) start() {
	n.t.Helper()
	program, err := natsd()
	if err != nil {
		n.t.Fatal(err)
	}
	n.cmd = exec.Command(program, append([]string{n.folder, strconv.Itoa(n.port)}, n.config...)...)
	n.cmd.Stderr = os.Stderr
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if n.stdin, err = n.cmd.StdinPipe(); err != nil {
		n.t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err == nil {
		n.port, err = strconv.Atoi(strings.TrimSpace(line))
	}
	if err != nil {
		n.t.Fatalf("the server says %q, %v", line, err)
	}
}

// stop stops it in an orderly way.
func (n *natsServer) stop() {
	if n.cmd != nil {
		_ = n.stdin.Close()
		_ = n.cmd.Wait() // how it ended does not matter
		n.cmd = nil
	}
}

// kill stops it in the midst of what it does.
func (n *natsServer) kill() {
	if n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Kill() // it may have ended
	_ = n.cmd.Wait()         // killed
	n.cmd = nil
}

// freeze stops it as a partition of the network does, until thaw: connections to it
// stay open.
func (n *natsServer) freeze() { n.signal(syscall.SIGSTOP) }
func (n *natsServer) thaw()   { n.signal(syscall.SIGCONT) }

func (n *natsServer) signal(s os.Signal) {
	n.t.Helper()
	if err := n.cmd.Process.Signal(s); err != nil {
		n.t.Fatal(err)
	}
}

// backup saves its files, and returns what brings it back as it was then, as after a
// power failure that came before its disk had the rest.
func (n *natsServer) backup() (restore func()) {
	n.t.Helper()
	n.stop()
	saved := filepath.Join(n.t.TempDir(), "saved")
	if err := os.CopyFS(saved, os.DirFS(n.folder)); err != nil {
		n.t.Fatal(err)
	}
	n.start()
	return func() {
		n.t.Helper()
		n.kill()
		if err := os.RemoveAll(n.folder); err != nil {
			n.t.Fatal(err)
		}
		if err := os.CopyFS(n.folder, os.DirFS(saved)); err != nil {
			n.t.Fatal(err)
		}
		n.start()
	}
}

func (n *natsServer) url() string { return "nats://127.0.0.1:" + strconv.Itoa(n.port) }

// connect returns a connection that comes back soon, until the test ends.
func connect(t testing.TB, url string, options ...nats.Option) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect(url, append([]nats.Option{
		nats.MaxReconnects(-1), nats.ReconnectWait(20 * time.Millisecond), nats.ReconnectJitter(time.Millisecond, time.Millisecond),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // some tests fall behind
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// open returns a broker, until the test ends.
func open(t testing.TB, js jetstream.JetStream, config Config) *Broker {
	t.Helper()
	b, err := New(t.Context(), js, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() }) // it returns nil
	return b
}
