package reactor_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"weir/internal/memloop"
	"weir/reactor"
)

// TestMain fails when a loop outlives its test.
func TestMain(m *testing.M) {
	if ln, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		ln.Close() // now package net has the descriptors that it keeps, and tests can count
	}
	code := m.Run()
	for range 1000 { // the last loops may have said that they are done, and not be gone
		if code != 0 || !bytes.Contains(allStacks(), []byte("reactor.(*Loop).run")) {
			os.Exit(code)
		}
		runtime.Gosched()
	}
	fmt.Fprintf(os.Stderr, "a loop is still running:\n%s\n", allStacks())
	os.Exit(1)
}

func allStacks() []byte {
	stacks := make([]byte, 1<<20)
	return stacks[:runtime.Stack(stacks, true)]
}

// world is what a test runs on: sockets of the real kernel, or memory in a
// bubble with a fake clock.
type world struct {
	*testing.T
	kernel *memloop.Kernel // nil on sockets
	r      *reactor.Reactor
	addr   string
	setup  func(p *probe) // before the handler sees anything
	came   chan *probe    // accepted
	log    journal
}

// client is the test's end of a connection, on either kernel.
type client interface {
	net.Conn
	CloseWrite() error
	Reset()
}

type tcpClient struct{ *net.TCPConn }

func (c tcpClient) Reset() {
	c.SetLinger(0)
	c.Close()
}

// stillborn was reset before connect(2) was over.
type stillborn struct {
	client
	err error
}

func (s stillborn) Read([]byte) (int, error) { return 0, s.err }
func (s stillborn) Close() error             { return nil }

// everywhere runs a test on sockets and on memory.
func everywhere(t *testing.T, test func(w *world)) {
	t.Run("sockets", func(t *testing.T) { onSockets(t, test) })
	t.Run("memory", func(t *testing.T) { onMemory(t, test) })
}

func onSockets(t *testing.T, test func(w *world)) {
	t.Helper()
	test(&world{T: t, came: make(chan *probe, 64)})
}

func onMemory(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(&world{T: t, came: make(chan *probe, 64), kernel: memloop.New()})
	})
}

// start runs a reactor, of one loop unless cfg says otherwise, until the test ends.
func (w *world) start(cfg reactor.Config) {
	w.Helper()
	if cfg.Loops == 0 {
		cfg.Loops = 1
	}
	if cfg.MaxConns == 0 {
		cfg.MaxConns = 100
	}
	if cfg.Accept == nil {
		cfg.Accept = w.accept
	}
	cfg.Logger = slog.New(&w.log)
	if w.kernel != nil {
		cfg.System = w.kernel
	}
	var err error
	if w.r, err = reactor.New(cfg); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(w.r.Close)
	if w.kernel == nil {
		addr, err := w.r.Listen("127.0.0.1:0")
		if err != nil {
			w.Fatal(err)
		}
		w.addr = addr.String()
	}
}

// logged is the reactor's log so far.
func (w *world) logged() string {
	w.r.AwaitLog()
	return w.log.String()
}

func (w *world) accept(c *reactor.Conn) reactor.Handler {
	p := newProbe(c)
	if w.setup != nil {
		w.setup(p)
	}
	w.came <- p
	return p
}

// dial connects a client and returns its end and the reactor's.
func (w *world) dial() (client, *probe) {
	w.Helper()
	c := w.connect()
	return c, <-w.came
}

func (w *world) connect() client {
	w.Helper()
	if w.kernel != nil {
		return w.kernel.Dial(w.r, 0)
	}
	c, err := net.Dial("tcp", w.addr)
	if errors.Is(err, syscall.ECONNRESET) {
		return stillborn{err: err}
	}
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { c.Close() })
	return tcpClient{c.(*net.TCPConn)}
}

// memory is dial for tests that need the in-memory client's tricks.
func (w *world) memory() (*memloop.Client, *probe) {
	w.Helper()
	c, p := w.dial()
	return c.(*memloop.Client), p
}

func (w *world) loop() *reactor.Loop { return w.r.Loops()[0] }

// do runs f on the loop and waits for it.
func (w *world) do(f func()) {
	done := make(chan struct{})
	w.loop().Post(reactor.TaskFunc(func() {
		defer close(done)
		f()
	}))
	<-done
}

// settle waits until nothing moves any more; without a bubble, until the loop
// has run what was posted before.
func (w *world) settle() {
	if w.kernel != nil {
		synctest.Wait()
		return
	}
	w.do(func() {})
}

// reads expects exactly want, then EOF when it ends with "$".
func (w *world) reads(c client, want string) {
	w.Helper()
	text, end := strings.CutSuffix(want, "$")
	got := make([]byte, len(text))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != text {
		w.Fatalf("client: got %.80q, %v, want %.80q", got[:n], err, text)
	}
	if !end {
		return
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		w.Fatalf("client: got %d bytes, %v, want the end", n, err)
	}
}

// probe is a handler that tells what it is told. What is set of its functions
// runs in addition.
type probe struct {
	conn  *reactor.Conn
	said  chan string
	cause error // valid once "closed" was said

	onData    func(p []byte) int // instead of telling
	onGone    func()
	onDrained func()
	onClosed  func()
}

func newProbe(c *reactor.Conn) *probe { return &probe{conn: c, said: make(chan string, 1024)} }

func (p *probe) Data(b []byte) int {
	if p.onData != nil {
		return p.onData(b)
	}
	p.said <- "data " + string(b)
	return len(b)
}

func (p *probe) Connected() { p.said <- "connected" }

func (p *probe) PeerClosed() {
	p.said <- "peer closed"
	if p.onGone != nil {
		p.onGone()
	}
}

func (p *probe) Drained() {
	p.said <- "drained"
	if p.onDrained != nil {
		p.onDrained()
	}
}

func (p *probe) Closed(cause error) {
	p.cause = cause
	p.said <- "closed"
	if p.onClosed != nil {
		p.onClosed()
	}
}

func (p *probe) expect(t testing.TB, want ...string) {
	t.Helper()
	for _, want := range want {
		if got := <-p.said; got != want {
			t.Fatalf("handler: got %.80q, want %q", got, want)
		}
	}
}

func (p *probe) silent(t testing.TB) {
	t.Helper()
	select {
	case got := <-p.said:
		t.Errorf("handler: got %.80q, want nothing", got)
	default:
	}
}

// send writes on the calling goroutine.
func (p *probe) send(text string) {
	p.conn.Lock()
	add(p.conn, text)
	p.conn.Flush()
}

func (p *probe) pending() int {
	p.conn.Lock()
	defer p.conn.Unlock()
	return p.conn.Pending()
}

func (p *probe) err() error {
	p.conn.Lock()
	defer p.conn.Unlock()
	return p.conn.Err()
}

// echo answers on the loop.
func (p *probe) echo(b []byte) int {
	p.conn.Lock()
	add(p.conn, b)
	p.conn.Defer()
	return len(b)
}

// journal is a log that a test can look into.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Enabled(context.Context, slog.Level) bool { return true }
func (j *journal) WithAttrs([]slog.Attr) slog.Handler       { return j }
func (j *journal) WithGroup(string) slog.Handler            { return j }

func (j *journal) Handle(_ context.Context, r slog.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&j.text, " %v", a)
		return true
	})
	j.text.WriteByte('\n')
	return nil
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// add appends to what is pending. The caller holds the lock.
func add[T string | []byte](c *reactor.Conn, text T) {
	b := c.Buffer()
	*b = append(*b, text...)
}

func timerOf(task reactor.Task) *reactor.Timer {
	t := new(reactor.Timer)
	t.Init(task)
	return t
}

var noAddr netip.AddrPort
