package natsbroker

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// patience is how long a test waits for what must come, on a machine that is busy.
const patience = 2 * time.Minute

// natsServer is a real server in this process, on a port of its own, with its files
// in a folder of the test. Its methods must be called on the test's goroutine.
type natsServer struct {
	t    testing.TB
	opts server.Options
	s    *server.Server
}

func startServer(t testing.TB) *natsServer {
	t.Helper()
	n := &natsServer{t: t, opts: server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: filepath.Join(t.TempDir(), "js"),
		NoLog: true, NoSigs: true,
	}}
	n.start()
	t.Cleanup(n.stop)
	return n
}

// start starts it, at the address that it had before.
func (n *natsServer) start() {
	n.t.Helper()
	opts := n.opts
	s, err := server.NewServer(&opts)
	if err != nil {
		n.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		n.t.Fatal("nats-server is not ready")
	}
	n.s, n.opts.Port = s, opts.Port
}

func (n *natsServer) stop() {
	if n.s != nil {
		n.s.Shutdown()
		n.s.WaitForShutdown()
		n.s = nil
	}
}

// backup saves its files, and returns what brings it back as it was then, as after a
// power failure that came before its disk had the rest.
func (n *natsServer) backup() (restore func()) {
	n.t.Helper()
	n.stop()
	saved := filepath.Join(n.t.TempDir(), "saved")
	if err := os.CopyFS(saved, os.DirFS(n.opts.StoreDir)); err != nil {
		n.t.Fatal(err)
	}
	n.start()
	return func() {
		n.t.Helper()
		n.stop()
		if err := os.RemoveAll(n.opts.StoreDir); err != nil {
			n.t.Fatal(err)
		}
		if err := os.CopyFS(n.opts.StoreDir, os.DirFS(saved)); err != nil {
			n.t.Fatal(err)
		}
		n.start()
	}
}

func (n *natsServer) url() string { return n.s.ClientURL() }

// connect returns a connection that comes back soon, until the test ends.
func connect(t testing.TB, url string, options ...nats.Option) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect(url, append([]nats.Option{
		nats.MaxReconnects(-1), nats.ReconnectWait(20 * time.Millisecond), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), nats.ReconnectJitter(time.Millisecond, time.Millisecond),
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
