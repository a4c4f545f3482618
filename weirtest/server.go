package weirtest

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/internal/memloop"
)

// A Server is a [weir.Server] that runs on a kernel in memory. Make it with
// [Start].
//
// Dial, DialContext, Get, Post and Source are safe for concurrent use. All
// other methods must be called on the test's goroutine.
type Server struct {
	t       testing.TB
	srv     *weir.Server
	kernel  *memloop.Kernel
	before  map[string]bool // goroutines that existed when it started
	dialled atomic.Int64

	mu      sync.Mutex
	sources []*source
}

// Start starts srv in the current bubble of testing/synctest; t's cleanup shuts
// it down: see the package's documentation for what fails the test then.
//
// srv is configured like any other: the test sets handler, limits, timeouts,
// Trace, OnError and HalfClose. Start sets System, and if they are not set,
// Loops to 1, so that all events have one order, and Logger to one that writes
// to t.
func Start(t testing.TB, srv *weir.Server) *Server {
	t.Helper()
	if !inBubble() {
		t.Fatal("weirtest: Start was called outside of a bubble; call it in the function given to synctest.Test")
	}
	if srv.System != nil {
		t.Fatal("weirtest: Server.System is set; leave it nil, Start sets it")
	}
	s := &Server{t: t, srv: srv, kernel: memloop.New(), before: bubble()}
	srv.System = s.kernel
	if srv.Loops == 0 {
		srv.Loops = 1
	}
	if srv.Logger == nil {
		srv.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.finish)
	return s
}

func inBubble() (in bool) {
	defer func() { in = recover() == nil }()
	synctest.Wait()
	return true
}

// Dial connects a new client. After the server was shut down it is a client
// that was reset. Several loops get clients in turn.
func (s *Server) Dial() *Client {
	loop := int(s.dialled.Add(1)-1) % s.srv.Loops
	return &Client{t: s.t, conn: s.kernel.Dial(s.srv.Reactor(), loop)}
}

// Get connects a new client and sends a GET request for path.
func (s *Server) Get(path string) *Client {
	s.t.Helper()
	c := s.Dial()
	c.Get(path)
	return c
}

// Post connects a new client and sends a POST request for path with a body.
func (s *Server) Post(path, body string) *Client {
	s.t.Helper()
	c := s.Dial()
	c.Post(path, body)
	return c
}

// DialContext connects a new client, whatever the address. Use it with clients
// that take such a function, for instance [http.Transport].
func (s *Server) DialContext(context.Context, string, string) (net.Conn, error) { return s.Dial(), nil }

// Settle waits until nothing moves any more: everything that clients have sent
// was read and processed, all that can be sent was sent, and every goroutine of
// the bubble waits for a client, a timer or the test.
func (s *Server) Settle() { synctest.Wait() }

// Tick lets d pass on the fake clock, and settles. Everything that is due in d
// happens in its order and at its time.
func (s *Server) Tick(d time.Duration) {
	synctest.Wait()
	time.Sleep(d)
	synctest.Wait()
}

// Drain begins a shutdown, as SIGTERM does in production, and settles. The
// report is sent when the shutdown is complete; use [Server.Tick] to get there.
func (s *Server) Drain() <-chan weir.DrainReport {
	done := make(chan weir.DrainReport, 1)
	go func() {
		report, err := s.srv.Shutdown(context.Background())
		if err != nil {
			s.t.Error(err)
		}
		done <- report
	}()
	synctest.Wait()
	return done
}

// patience is how long handlers may continue, on the fake clock, after all
// connections are closed.
const patience = time.Minute

// finish shuts the server down and reports what has leaked.
func (s *Server) finish() {
	s.t.Helper()
	if err := s.cut(); err != nil {
		s.t.Error(err)
	}
	for _, stack := range s.leaked() {
		s.t.Errorf("weirtest: a goroutine is still there %v after the server was shut down:\n%s", patience, stack)
	}
	if n := s.kernel.Open(); n > 0 {
		s.t.Errorf("weirtest: got %d open connections after the server was shut down, want none", n)
	}
	if n := s.srv.Stats().StreamsActive; n > 0 {
		s.t.Errorf("weirtest: got %d running streams after the server was shut down, want none", n)
	}
	for _, src := range s.sources {
		src.finish()
	}
}

// cut shuts the server down at once, whether or not that was begun before.
func (s *Server) cut() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := s.srv.Shutdown(ctx)
	return err
}

// leaked returns the stacks of the goroutines that have not ended in time. It
// lets time pass only as long as there are some.
func (s *Server) leaked() []string {
	for passed, step := time.Duration(0), time.Millisecond; ; step *= 2 {
		synctest.Wait()
		left := bubbleWithout(s.before)
		if len(left) == 0 || passed >= patience {
			return left
		}
		step = min(step, patience-passed)
		time.Sleep(step)
		passed += step
	}
}
