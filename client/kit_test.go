package client_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"weir/client"
	"weir/http1"
	"weir/internal/memloop"
	"weir/reactor"
)

// addr is where the upstream of a desk listens.
const addr = "127.0.0.1:8000"

// What most tests send, and are answered.
const (
	getHead  = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	postHead = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
	answer   = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
)

var (
	get  = client.RawRequest{Method: "GET", Head: []byte(getHead)}
	post = client.RawRequest{Method: "POST", Head: []byte(postHead), Body: []byte("01234"), More: true}
)

// desk is a pool on a loop of the kernel in memory, in a bubble with a fake
// clock. The test is the upstream.
type desk struct {
	testing.TB
	kernel *memloop.Kernel
	r      *reactor.Reactor
	pool   *client.Pool
	refuse func()               // stop listening
	came   chan *memloop.Client // the upstream's ends of what was dialled
	probes []*probe
}

// atDesk runs f with a pool. Afterwards nothing may be left of it, and every
// call must have been told its end.
func atDesk(t *testing.T, cfg client.Config, f func(d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := openDesk(t, cfg)
		defer d.leave()
		f(d)
	})
}

func openDesk(t testing.TB, cfg client.Config) *desk {
	t.Helper()
	return openDeskFor(t, 0, cfg)
}

// openDeskFor is openDesk with a limit for connections; 0 is the default.
func openDeskFor(t testing.TB, conns int, cfg client.Config) *desk {
	t.Helper()
	d := &desk{TB: t, kernel: memloop.New(), came: make(chan *memloop.Client, 100)}
	var err error
	d.r, err = reactor.New(reactor.Config{Loops: 1, MaxConns: 1000, MaxOpen: conns, System: d.kernel, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	d.listen()
	if cfg.Addr == "" {
		cfg.Addr = addr
	}
	d.pool = client.NewPool(d.loop(), cfg)
	return d
}

func (d *desk) listen() {
	d.refuse = d.kernel.Listen(addr, func(c *memloop.Client) { d.came <- c })
}

func (d *desk) leave() {
	d.Helper()
	d.r.Close()
	synctest.Wait()
	if n := d.kernel.Open(); n != 0 {
		d.Errorf("got %d open descriptors at the end, want none", n)
	}
	for _, p := range d.probes {
		if len(p.done) != 1 || p.late != "" {
			d.Errorf("got Done %d times (%v) and %q behind it, want it once and last", len(p.done), p.done, p.late)
		}
	}
}

func (d *desk) loop() *reactor.Loop { return d.r.Loops()[0] }

// do runs f on the loop and waits until nothing moves any more.
func (d *desk) do(f func()) {
	d.loop().Post(reactor.TaskFunc(f))
	synctest.Wait()
}

// ask starts a call; what the upstream does is up to the test.
func (d *desk) ask(req client.RawRequest) *probe {
	d.Helper()
	p := d.probe()
	d.do(func() { p.ask(req) })
	return p
}

func (d *desk) probe() *probe {
	p := &probe{d: d}
	d.probes = append(d.probes, p)
	return p
}

// server returns the upstream's end of the connection that was dialled next.
func (d *desk) server() *memloop.Client {
	d.Helper()
	synctest.Wait()
	select {
	case c := <-d.came:
		return c
	default:
		d.Fatal("got no connection, want one")
		return nil
	}
}

// alone checks that nothing was dialled that the test does not know of.
func (d *desk) alone() {
	d.Helper()
	synctest.Wait()
	if n := len(d.came); n != 0 {
		d.Errorf("got %d more connections, want none", n)
	}
}

// idle checks how many connections are kept.
func (d *desk) idle(want int) {
	d.Helper()
	synctest.Wait()
	got := 0
	d.do(func() { got = d.pool.IdleConns() })
	if got != want {
		d.Errorf("got %d kept connections, want %d", got, want)
	}
}

// says is the upstream's.
func (d *desk) says(s *memloop.Client, text string) {
	d.Helper()
	if _, err := io.WriteString(s, text); err != nil {
		d.Fatal(err)
	}
	synctest.Wait()
}

// hears returns what has come to the upstream once nothing moves any more.
func (d *desk) hears(s *memloop.Client) string {
	var b strings.Builder
	buf := make([]byte, 64<<10)
	for {
		synctest.Wait()
		if s.Pending() == 0 {
			return b.String()
		}
		n, _ := s.Read(buf) // there is something
		b.Write(buf[:n])
	}
}

// expects checks what has come to the upstream.
func (d *desk) expects(s *memloop.Client, want string) {
	d.Helper()
	if got := d.hears(s); got != want {
		d.Errorf("the upstream got %.200q, want %.200q", got, want)
	}
}

// hungUp checks that the client has ended the connection, and has sent nothing
// more.
func (d *desk) hungUp(s *memloop.Client) {
	d.Helper()
	d.expects(s, "")
	switch n, err := s.Read(make([]byte, 1)); {
	case n != 0:
		d.Error("the upstream got a byte, want the end")
	case err == nil:
		d.Error("the upstream got nothing, want the end")
	}
}

// exchange is a whole call with the usual answer, on a fresh connection.
func (d *desk) exchange() *memloop.Client {
	d.Helper()
	p := d.ask(get)
	s := d.server()
	d.serve(s, p)
	return s
}

// serve answers p's request, which has come to s.
func (d *desk) serve(s *memloop.Client, p *probe) {
	d.Helper()
	d.expects(s, getHead)
	d.says(s, answer)
	p.ended("200 hello", nil)
}

// probe is a Receiver that notes what it is told, on the loop; the test looks
// when nothing moves. What is set of its functions runs in addition.
type probe struct {
	d    *desk
	call *client.Call

	status  int
	kind    http1.BodyKind
	heads   int
	body    strings.Builder
	pieces  int
	drained int
	done    []error
	late    string // what was told after Done

	onHead    func()
	onBody    func(p []byte)
	onDrained func()
	onDone    func(err error)
}

// ask is for the loop.
func (p *probe) ask(req client.RawRequest) {
	call, err := p.d.pool.Do(req, p)
	if err != nil {
		p.d.Errorf("Do: got %v, want a call", err)
		return
	}
	p.call = call
}

func (p *probe) note(what string) {
	if len(p.done) > 0 {
		p.late += what + " "
	}
}

func (p *probe) Head(h *http1.Response) {
	p.note("Head")
	p.heads++
	p.status = h.Status()
	p.kind, _ = h.Body("GET")
	if p.onHead != nil {
		p.onHead()
	}
}

func (p *probe) Body(b []byte) {
	p.note("Body")
	p.pieces++
	p.body.Write(b)
	if p.onBody != nil {
		p.onBody(b)
	}
}

func (p *probe) Drained() {
	p.note("Drained")
	p.drained++
	if p.onDrained != nil {
		p.onDrained()
	}
}

func (p *probe) Done(err error) {
	p.note("Done")
	p.done = append(p.done, err)
	if p.onDone != nil {
		p.onDone(err)
	}
}

// answer is what was shown of the answer: its status and its body.
func (p *probe) answer() string {
	if p.heads == 0 {
		return ""
	}
	return fmt.Sprintf("%d %s", p.status, p.body.String())
}

// shown checks what has been shown of an answer that is not at its end.
func (p *probe) shown(want string) {
	p.d.Helper()
	synctest.Wait()
	if got := p.answer(); got != want || len(p.done) != 0 {
		p.d.Errorf("got %.200q and Done %v, want %.200q and no end", got, p.done, want)
	}
}

// ended checks what was shown of the answer, and how it ended.
func (p *probe) ended(want string, end error) {
	p.d.Helper()
	synctest.Wait()
	if got := p.answer(); got != want {
		p.d.Errorf("got %.200q, want %.200q", got, want)
	}
	if len(p.done) != 1 || !errors.Is(p.done[0], end) {
		p.d.Errorf("got Done %v, want once %v", p.done, end)
	}
}
