package h1_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/http1"
	"weir/internal/budget"
	"weir/internal/h1"
	"weir/internal/memloop"
	"weir/reactor"
)

// world is a group of connections on the kernel in memory, in a bubble with a
// fake clock. What is above them is a few lines: see handler.
type world struct {
	*testing.T
	kernel *memloop.Kernel
	r      *reactor.Reactor
	group  *h1.Group
	calls  []string // of handlers, in their order
	open   *handler // the one that has left the loop
}

func inWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, kernel: memloop.New()}
		limits := &h1.Limits{
			Pipelined: 1 << 10, BodyRate: 100, Bodies: budget.New(1 << 20),
			HeadTime: 10 * time.Second, BodyGrace: 5 * time.Second, Idle: time.Minute,
		}
		var err error
		w.r, err = reactor.New(reactor.Config{
			Loops: 1, System: w.kernel, Logger: slog.New(slog.DiscardHandler),
			Setup:  func(l *reactor.Loop) { w.group = h1.NewGroup(l, (*host)(w), limits) },
			Accept: func(rc *reactor.Conn) reactor.Handler { return w.group.Accept(rc) },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer w.r.Close()
		f(w)
	})
}

// send opens a connection on which text arrives.
func (w *world) send(text string) *memloop.Client {
	w.Helper()
	c := w.kernel.Dial(w.r, 0)
	w.more(c, text)
	return c
}

func (w *world) more(c *memloop.Client, text string) {
	w.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		w.Error(err)
	}
}

// seen is what has come to the client once nothing moves any more; a FIN behind
// it is "FIN", a reset "RST".
func (w *world) seen(c *memloop.Client) string {
	var all []byte
	buf := make([]byte, 1<<10)
	for {
		synctest.Wait()
		_ = c.SetReadDeadline(time.Now().Add(time.Nanosecond))
		n, err := c.Read(buf)
		all = append(all, buf[:n]...)
		switch {
		case err == io.EOF:
			return string(all) + "FIN"
		case isTimeout(err):
			return string(all)
		case err != nil:
			return string(all) + "RST"
		}
	}
}

func isTimeout(err error) bool {
	var late interface{ Timeout() bool }
	return errors.As(err, &late) && late.Timeout()
}

// onLoop runs f there.
func (w *world) onLoop(f func()) {
	w.r.Loops()[0].Post(reactor.TaskFunc(f))
	synctest.Wait()
}

// called checks and forgets what handlers were called with.
func (w *world) called(want ...string) {
	w.Helper()
	synctest.Wait()
	if got := strings.Join(w.calls, "; "); got != strings.Join(want, "; ") {
		w.Errorf("got calls %q, want %q", got, strings.Join(want, "; "))
	}
	w.calls = nil
}

// host is the world as a Host.
type host world

func (h *host) Exchange(c *h1.Conn) *h1.Exchange {
	x := &handler{w: (*world)(h), conn: c}
	x.Init(x, &x.head)
	return &x.Exchange
}

func (h *host) Secured(*reactor.Conn) bool { return false }
func (h *host) Idle(*reactor.Conn) bool    { return false }
func (h *host) Closed()                    {}

// handler responds with the path: to /later when the test says so, to others at
// once, to /early before the body has arrived.
type handler struct {
	h1.Exchange
	w    *world
	conn *h1.Conn
	head http1.Request
	got  int // bytes of body
}

func (x *handler) note(format string, args ...any) {
	x.w.calls = append(x.w.calls, fmt.Sprintf(format, args...))
}

// respond writes a whole response. The output is locked.
func (x *handler) respond(status int, body string) {
	b := x.conn.Wire().Buffer()
	dst := http1.AppendStatusLine(*b, status)
	x.Become(h1.Committed)
	dst, _ = x.AppendFraming(dst, &h1.Framing{Status: status, Length: int64(len(body))})
	*b = append(dst, body...)
	x.Ended = time.Now()
	x.Become(h1.Whole)
}

func (x *handler) Begin(raw []byte, hasBody bool) (bool, error) {
	x.note("Begin %s", x.head.Path())
	if string(x.head.Path()) == "/refused" {
		return false, h1.ErrServerClosed
	}
	return true, nil
}

func (x *handler) Plan(whole, ask bool) (h1.Plan, error) {
	x.note("Plan whole=%v ask=%v", whole, ask)
	if string(x.head.Path()) == "/early" {
		return h1.Plan{}, nil
	}
	return h1.Plan{Body: (*body)(x), Limit: 100}, nil
}

func (x *handler) Serve() (left bool, err error) {
	x.note("Serve")
	if string(x.head.Path()) == "/later" {
		x.w.open = x
		return true, nil
	}
	x.conn.Wire().Lock()
	x.respond(200, string(x.head.Path()))
	x.conn.Leave(&x.Exchange)
	return false, nil
}

func (x *handler) Refuse(err error) bool {
	x.note("Refuse: %v", err)
	x.conn.Wire().Lock()
	x.respond(503, "no")
	x.conn.Wire().Defer()
	return true
}

func (x *handler) Cut(cause error) {
	x.note("Cut: %v", cause)
	x.conn.Wire().Lock()
	x.Become(h1.Lost)
	x.conn.Wire().Unlock()
}

func (x *handler) Drained()           {}
func (x *handler) Draining()          {}
func (x *handler) Streaming() bool    { return false }
func (x *handler) Depart()            { x.note("Depart") }
func (x *handler) Shows(error) bool   { return true }
func (x *handler) Report()            {}
func (x *handler) Closed(cause error) { x.note("Closed") }
func (x *handler) Done()              { x.note("Done") }

// body is a handler's.
type body handler

func (b *body) Take(p []byte) bool { b.got += len(p); return true }
func (b *body) Drop()              { (*handler)(b).note("Drop") }

func (b *body) End() {
	(*handler)(b).note("End %d", b.got)
	b.conn.Serve(&b.Exchange)
}
