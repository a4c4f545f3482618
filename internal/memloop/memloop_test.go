package memloop

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir/reactor"
)

const (
	readable = reactor.Readable
	writable = reactor.Writable
	half     = reactor.HalfClosed
	dead     = reactor.Dead
)

// watched is a connection registered with a poller that no loop runs.
func watched(t *testing.T) (*Kernel, *poller, int, *Client) {
	t.Helper()
	k := New()
	p, perr := k.NewPoller()
	if perr != nil {
		t.Fatal(perr)
	}
	fd, c := k.Pipe()
	if err := p.Add(fd); err != nil {
		t.Fatal(err)
	}
	return k, p.(*poller), fd, c
}

// events is one round.
func (p *poller) events() []event {
	p.round = p.round[:0]
	p.collect()
	return slices.Clone(p.round)
}

// What Linux reports edge-triggered, nothing being read (REACTOR-FACTS).
func TestEdges(t *testing.T) {
	type step struct {
		name string
		do   func(k *Kernel, fd int, c *Client)
		want reactor.Event // 0: no event
	}
	var (
		send  = step{"send", func(_ *Kernel, _ int, c *Client) { c.Write([]byte("x")) }, readable | writable}
		fin   = step{"fin", func(_ *Kernel, _ int, c *Client) { c.CloseWrite() }, readable | writable | half}
		close = step{"close", func(_ *Kernel, _ int, c *Client) { c.Close() }, readable | writable | half}
		rst   = step{"rst", func(_ *Kernel, _ int, c *Client) { c.Reset() }, readable | writable | half | dead}
		write = step{"write", func(k *Kernel, fd int, _ *Client) { k.Write(fd, []byte("y")) }, 0}
		shut  = step{"shutdown", func(k *Kernel, fd int, _ *Client) { k.ShutdownWrite(fd) }, writable}
		quiet = step{"nothing", func(*Kernel, int, *Client) {}, 0}
	)
	answered := write
	answered.want = readable | writable | half | dead
	both := fin
	both.want = readable | writable | half | dead
	for _, steps := range [][]step{
		{send, quiet, send},
		{send, fin, quiet},
		{send, rst, quiet},
		{fin, write, quiet},
		{close, answered},
		{shut, both},
		{write, quiet},
	} {
		k, p, fd, c := watched(t)
		if got := p.events(); len(got) != 1 || got[0] != (event{fd, writable}) {
			t.Fatalf("after Add: got %v, want writable", got)
		}
		var path []string
		for _, s := range steps {
			path = append(path, s.name)
			s.do(k, fd, c)
			var got reactor.Event
			if evs := p.events(); len(evs) > 0 {
				got = evs[0].ev
			}
			if got != s.want {
				t.Errorf("%s: got %04b, want %04b", strings.Join(path, ", "), got, s.want)
			}
		}
	}
}

func TestEventsOfARoundOutliveTheirDescriptor(t *testing.T) {
	k, p, fd, c := watched(t)
	c.Reset()
	stale := p.events()
	k.Close(fd, false)
	if again, _ := k.Pipe(); again != fd {
		t.Fatalf("got descriptor %d, want %d, the lowest free", again, fd)
	}
	if len(stale) != 1 || stale[0].ev&dead == 0 {
		t.Errorf("got %v, want the event of the round", stale)
	}
	if got := p.events(); len(got) != 0 {
		t.Errorf("got %v, want no event of an unregistered descriptor", got)
	}
}

func TestWindow(t *testing.T) {
	k, p, fd, c := watched(t)
	p.events()
	c.SetWindow(4)
	if n, err := k.Writev(fd, []byte("ab"), []byte("cd"), []byte("ef")); n != 4 || err != nil {
		t.Fatalf("got %d, %v, want a short write of 4", n, err)
	}
	if n, err := k.Write(fd, []byte("ef")); n != 0 || err != reactor.ErrAgain {
		t.Fatalf("got %d, %v, want ErrAgain", n, err)
	}
	if got := p.events(); len(got) != 0 {
		t.Fatalf("got %v, want no event without room", got)
	}
	c.Read(make([]byte, 1))
	if got := p.events(); len(got) != 1 || got[0].ev != writable {
		t.Fatalf("got %v, want writable", got)
	}
	if n, err := k.Write(fd, []byte("ef")); n != 1 || err != nil {
		t.Fatalf("got %d, %v, want a short write of 1", n, err)
	}
	c.SetWindow(0)
	c.Read(make([]byte, 4))
	if got := p.events(); len(got) != 0 {
		t.Fatalf("got %v, want no event: the client takes nothing", got)
	}
	c.SetWindow(1)
	if got := p.events(); len(got) != 1 || got[0].ev != writable {
		t.Fatalf("got %v, want writable", got)
	}
}

func TestNextWrite(t *testing.T) {
	k, _, fd, c := watched(t)
	k.Write(fd, []byte("one"))
	k.Writev(fd, []byte("t"), []byte("w"), []byte("o"))
	k.Write(fd, []byte("three"))
	c.Read(make([]byte, 1))
	for _, want := range []string{"ne", "two", "three"} {
		if got, err := c.NextWrite(); string(got) != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if got := c.WriteCalls(); got != 3 {
		t.Errorf("got %d calls, want 3", got)
	}
	k.ShutdownWrite(fd)
	if _, err := c.NextWrite(); err != io.EOF {
		t.Errorf("got %v, want EOF", err)
	}
}

func TestShortWrite(t *testing.T) {
	k, p, fd, c := watched(t)
	p.events()
	c.ShortWrite(2, 3)
	c.ShortWrite(4, 0)
	for i, want := range []struct {
		n   int
		err error
		ev  int
	}{{5, nil, 0}, {3, nil, 0}, {0, reactor.ErrAgain, 1}, {0, reactor.ErrAgain, 1}, {5, nil, 0}} {
		n, err := k.Write(fd, []byte("12345"))
		if evs := p.events(); n != want.n || err != want.err || len(evs) != want.ev {
			t.Errorf("write %d: got %d, %v and events %v, want %v", i+1, n, err, evs, want)
		}
	}
}

func TestHoldWrite(t *testing.T) {
	k, _, fd, c := watched(t)
	entered, release := c.HoldWrite()
	done := make(chan int)
	go func() {
		n, _ := k.Write(fd, []byte("held"))
		done <- n
	}()
	<-entered
	if got := c.Pending(); got != 4 {
		t.Errorf("got %d bytes, want 4 before the release", got)
	}
	select {
	case n := <-done:
		t.Errorf("got a write of %d, want none before the release", n)
	default:
	}
	release()
	if n := <-done; n != 4 {
		t.Errorf("got a write of %d, want 4", n)
	}
}

func TestEnds(t *testing.T) {
	for _, test := range []struct {
		name    string
		do      func(k *Kernel, fd int, c *Client)
		read    error // of the client
		written error // of the server's second write after that
	}{
		{"close", func(k *Kernel, fd int, _ *Client) { k.Close(fd, false) }, io.EOF, syscall.EBADF},
		{"close with reset", func(k *Kernel, fd int, _ *Client) { k.Close(fd, true) }, syscall.ECONNRESET, syscall.EBADF},
		{"close with unread input", func(k *Kernel, fd int, c *Client) {
			c.Write([]byte("x"))
			k.Close(fd, false)
		}, syscall.ECONNRESET, syscall.EBADF},
		{"client writes after close", func(k *Kernel, fd int, c *Client) {
			k.Write(fd, []byte("lost"))
			k.Close(fd, false)
			c.Write([]byte("x"))
		}, syscall.ECONNRESET, syscall.EBADF},
		{"shutdown", func(k *Kernel, fd int, _ *Client) { k.ShutdownWrite(fd) }, io.EOF, syscall.EPIPE},
		{"client closes", func(_ *Kernel, _ int, c *Client) { c.Close() }, net.ErrClosed, syscall.EPIPE},
		{"client resets", func(_ *Kernel, _ int, c *Client) { c.Reset() }, net.ErrClosed, syscall.EPIPE},
	} {
		t.Run(test.name, func(t *testing.T) {
			k, _, fd, c := watched(t)
			test.do(k, fd, c)
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, test.read) {
				t.Errorf("client reads: got %v, want %v", err, test.read)
			}
			k.Write(fd, []byte("y")) // may succeed, or tell what happened once
			if _, err := k.Write(fd, []byte("z")); !errors.Is(err, test.written) {
				t.Errorf("server writes: got %v, want %v", err, test.written)
			}
		})
	}
}

func TestInputOutlivesReset(t *testing.T) {
	k, _, fd, c := watched(t)
	c.Write([]byte("last words"))
	c.Reset()
	p := make([]byte, 64)
	if n, err := k.Read(fd, p); string(p[:n]) != "last words" || err != nil {
		t.Errorf("got %q, %v, want what was sent before", p[:n], err)
	}
	if _, err := k.Read(fd, p); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want ECONNRESET", err)
	}
	if _, err := k.Read(fd, p); err != io.EOF {
		t.Errorf("got %v, want EOF: the error is told once", err)
	}
}

func TestInputIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, _, fd, c := watched(t)
		c.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := c.Write(make([]byte, inputRoom+1))
		if n != inputRoom || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %d, %v, want %d and a deadline", n, err, inputRoom)
		}
		c.SetWriteDeadline(time.Time{})
		done := make(chan error)
		go func() {
			_, err := c.Write([]byte("x"))
			done <- err
		}()
		synctest.Wait()
		k.Read(fd, make([]byte, 1))
		if err := <-done; err != nil {
			t.Errorf("got %v, want room after the server read", err)
		}
	})
}

func TestReadDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, _, c := watched(t)
		start := time.Now()
		c.SetDeadline(start.Add(time.Hour))
		c.SetDeadline(start.Add(time.Minute))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v, want a deadline", err)
		}
		if got := time.Since(start); got != time.Minute {
			t.Errorf("got %v, want a minute", got)
		}
	})
}

func TestQueueKeepsLittle(t *testing.T) {
	var q queue
	want := byte(0)
	for i := range 1 << 16 {
		q.put(100, bytes.Repeat([]byte{byte(i)}, 100))
		if i < 10 {
			continue
		}
		if p := q.takeWrite(); len(p) != 100 || p[0] != want || p[99] != want {
			t.Fatalf("got %d bytes of %d, want 100 of %d", len(p), p[0], want)
		}
		want++
	}
	if cap(q.buf) > 256<<10 {
		t.Errorf("got a buffer of %d for 1000 bytes", cap(q.buf))
	}
}

// peer is a connection of the reactor that tells what happens.
type peer struct {
	conn   *reactor.Conn
	said   chan string
	echoes bool
}

func (p *peer) Data(b []byte) int {
	p.said <- string(b)
	if p.echoes {
		p.conn.Lock()
		out := p.conn.Buffer()
		*out = append(*out, b...)
		p.conn.Defer()
	}
	return len(b)
}
func (p *peer) Connected()       { p.said <- "connected" }
func (p *peer) PeerClosed()      { p.said <- "peer closed"; p.conn.Close() }
func (p *peer) Drained()         { p.said <- "drained" }
func (p *peer) Closed(err error) { p.said <- "closed: " + err.Error() }

func started(t *testing.T, k *Kernel, said chan string) *reactor.Reactor {
	t.Helper()
	r, err := reactor.New(reactor.Config{Loops: 2, System: k, MaxConns: 10, Accept: func(c *reactor.Conn) reactor.Handler {
		return &peer{c, said, true}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func expect(t *testing.T, said chan string, want ...string) {
	t.Helper()
	for _, want := range want {
		if got := <-said; !strings.HasPrefix(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func TestReactorOnMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New()
		said := make(chan string, 16)
		c := k.Dial(started(t, k, said), 1)
		c.Write([]byte("hello"))
		if got, err := c.NextWrite(); string(got) != "hello" || err != nil {
			t.Fatalf("got %q, %v, want the echo", got, err)
		}
		c.CloseWrite()
		expect(t, said, "hello", "peer closed", "closed: "+reactor.ErrClosed.Error())
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("got %v, want EOF", err)
		}
		synctest.Wait()
		if n := k.Open(); n != 0 {
			t.Errorf("got %d open descriptors, want none", n)
		}
	})
}

func TestConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New()
		said := make(chan string, 16)
		r := started(t, k, said)
		dial := func(addr string) {
			r.Loops()[0].Post(reactor.TaskFunc(func() {
				p := &peer{said: said}
				p.conn, _ = r.Loops()[0].Dial(addr, p)
			}))
		}
		dial("127.0.0.1:1")
		expect(t, said, "closed: socket: connection refused")

		stop := k.Listen("127.0.0.1:1", func(c *Client) { c.Write([]byte("welcome")) })
		dial("127.0.0.1:1")
		expect(t, said, "connected", "welcome")

		stop()
		dial("127.0.0.1:1")
		expect(t, said, "closed: socket: connection refused")

		k.Hang("127.0.0.1:2")
		dial("127.0.0.1:2")
		synctest.Wait()
		if len(said) != 0 || k.Open() != 2 {
			t.Errorf("got %d calls and %d descriptors, want a connection that hangs", len(said), k.Open())
		}
	})
}

type timeout chan time.Time

func (c timeout) Run() { c <- time.Now() }

func TestReactorTimerOnFakeClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New()
		loop := started(t, k, nil).Loops()[0]
		fired := make(timeout, 2)
		var timers [2]reactor.Timer
		timers[0].Init(fired)
		timers[1].Init(fired)
		start := time.Now()
		loop.Post(reactor.TaskFunc(func() {
			loop.StartTimer(&timers[0], start.Add(24*time.Hour))
			loop.StartTimer(&timers[1], start.Add(30*time.Second))
		}))
		for _, want := range []time.Duration{30 * time.Second, 24 * time.Hour} {
			if got := (<-fired).Sub(start); got < want || got > want+time.Millisecond {
				t.Errorf("got %v, want %v", got, want)
			}
		}
	})
}
