//go:build unix

package reactor_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"weir/internal/memloop"
	"weir/reactor"
)

// dialFrom dials on the loop.
func (w *world) dialFrom(addr string) (*probe, error) {
	w.Helper()
	p := newProbe(nil)
	var err error
	w.do(func() { p.conn, err = w.loop().Dial(addr, p) })
	return p, err
}

// echoServer answers what it reads until the end.
func (w *world) echoServer(network, addr string) string {
	w.Helper()
	ln, err := net.Listen(network, addr)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	return ln.Addr().String()
}

func TestDial(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			onSockets(t, func(w *world) {
				w.start(reactor.Config{})
				addr := ""
				if network == "tcp" {
					addr = w.echoServer("tcp", "127.0.0.1:0")
				} else {
					addr = "unix:" + w.echoServer("unix", filepath.Join(w.TempDir(), "s"))
				}
				p, err := w.dialFrom(addr)
				if err != nil {
					w.Fatal(err)
				}
				p.expect(w, "connected")
				p.send("hello")
				p.expect(w, "data hello")
				if got := p.conn.RemoteAddr(); network == "tcp" && got.String() != addr || network == "unix" && got.IsValid() {
					w.Errorf("got peer %v, want %s", got, addr)
				}
				if n := w.r.Connections(); n != 1 {
					w.Errorf("got %d connections, want 1", n)
				}
				w.do(p.conn.Close)
				p.expect(w, "closed")
				if p.cause != reactor.ErrClosed || w.r.Connections() != 0 {
					w.Errorf("got cause %v and %d connections, want ErrClosed and none", p.cause, w.r.Connections())
				}
			})
		})
	}
}

// nobody is an address at which connections are refused.
func nobody(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestDialRefused(t *testing.T) {
	everywhere(t, func(w *world) {
		w.start(reactor.Config{})
		addr := "127.0.0.1:1"
		if w.kernel == nil {
			addr = nobody(w)
		}
		p, err := w.dialFrom(addr)
		if err == nil {
			p.expect(w, "closed")
			err = p.cause
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			w.Errorf("got %v, want ECONNREFUSED", err)
		}
		w.settle()
		p.silent(w)
		if n := w.r.Connections(); n != 0 {
			w.Errorf("got %d connections, want none", n)
		}
	})
}

func TestDialErrorsKnownAtOnce(t *testing.T) {
	onSockets(t, func(w *world) {
		w.start(reactor.Config{})
		before := openDescriptors()
		for _, test := range []struct {
			addr string
			want error
		}{
			{"unix:" + filepath.Join(w.TempDir(), "nobody"), syscall.ENOENT},
			{"localhost:80", nil},
			{"127.0.0.1", nil},
			{"", nil},
		} {
			p, err := w.dialFrom(test.addr)
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				w.Errorf("%q: got %v, want an error (%v)", test.addr, err, test.want)
			}
			p.silent(w)
		}
		if got := openDescriptors(); got > before {
			w.Errorf("got %d descriptors, want the %d from before", got, before)
		}
	})
}

func TestCloseWhileConnecting(t *testing.T) {
	onMemory(t, func(w *world) {
		w.kernel.Hang("127.0.0.1:1")
		w.start(reactor.Config{})
		p, err := w.dialFrom("127.0.0.1:1")
		if err != nil {
			w.Fatal(err)
		}
		w.do(p.conn.Close)
		p.expect(w, "closed")
		if p.cause != reactor.ErrClosed || w.kernel.Open() != 0 {
			w.Errorf("got cause %v and %d descriptors, want ErrClosed and none", p.cause, w.kernel.Open())
		}
	})
}

// What a server said before it reset the connection is shown, though a write
// may fail before the loop hears of either; and it is not the end in good order.
func TestLastWords(t *testing.T) {
	onMemory(t, func(w *world) {
		came := make(chan *memloop.Client, 1)
		w.kernel.Listen("127.0.0.1:1", func(c *memloop.Client) { came <- c })
		w.start(reactor.Config{})
		p, err := w.dialFrom("127.0.0.1:1")
		if err != nil {
			w.Fatal(err)
		}
		p.expect(w, "connected")
		server := <-came
		w.do(func() {
			server.Write([]byte("enough"))
			server.Reset()
			p.conn.Lock()
			add(p.conn, "more")
			p.conn.Defer()
		})
		p.expect(w, "data enough", "closed")
		if !errors.Is(p.cause, syscall.ECONNRESET) {
			w.Errorf("got cause %v, want ECONNRESET", p.cause)
		}
	})
}

// Who dials again when a connection ends is not let to while the loop stops:
// Close would wait for that one.
func TestDialWhileStopping(t *testing.T) {
	onMemory(t, func(w *world) {
		w.kernel.Hang("127.0.0.1:1")
		w.start(reactor.Config{})
		p, err := w.dialFrom("127.0.0.1:1")
		if err != nil {
			w.Fatal(err)
		}
		p.onClosed = func() { _, err = w.loop().Dial("127.0.0.1:1", p) }
		w.r.Close()
		if err != reactor.ErrStopped || w.kernel.Open() != 0 {
			w.Errorf("got %v and %d descriptors, want ErrStopped and none", err, w.kernel.Open())
		}
	})
}

func TestPanicInConnected(t *testing.T) {
	onMemory(t, func(w *world) {
		lost := make(chan error, 1)
		w.kernel.Listen("127.0.0.1:1", func(c *memloop.Client) {
			_, err := c.Read(make([]byte, 1))
			lost <- err
		})
		w.start(reactor.Config{})
		p := &touchy{newProbe(nil)}
		w.do(func() { p.conn, _ = w.loop().Dial("127.0.0.1:1", p) })
		p.expect(w, "closed")
		if err := <-lost; !errors.Is(err, syscall.ECONNRESET) {
			w.Errorf("server: got %v, want ECONNRESET", err)
		}
	})
}

// touchy panics when it is connected.
type touchy struct{ *probe }

func (touchy) Connected() { panic("boom") }

// Outgoing connections stop before they take the descriptors that are kept for
// accepting, files and other listeners, and they may be made again when one has
// closed.
func TestDialLimit(t *testing.T) {
	everywhere(t, func(w *world) {
		w.start(reactor.Config{MaxConns: 10, MaxOpen: 3})
		addr := "127.0.0.1:1"
		if w.kernel == nil {
			addr = w.echoServer("tcp", "127.0.0.1:0")
		} else {
			w.Cleanup(w.kernel.Listen(addr, func(*memloop.Client) {}))
		}
		w.dial()
		var dialled []*probe
		for range 2 {
			p, err := w.dialFrom(addr)
			if err != nil {
				w.Fatal(err)
			}
			p.expect(w, "connected")
			dialled = append(dialled, p)
		}
		p, err := w.dialFrom(addr)
		if !errors.Is(err, reactor.ErrDialLimit) {
			w.Fatalf("got %v, want ErrDialLimit", err)
		}
		p.silent(w)
		w.do(func() { dialled[0].conn.Abort(reactor.ErrClosed) })
		dialled[0].expect(w, "closed")
		if p, err = w.dialFrom(addr); err != nil {
			w.Fatal(err)
		}
		p.expect(w, "connected")
		if n := w.r.Connections(); n != 3 {
			w.Errorf("got %d connections, want 3", n)
		}
	})
}

// Outgoing connections do not count towards the limit of accepted ones.
func TestDialsAreNotAccepted(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{MaxConns: 1, MaxOpen: 10})
		w.Cleanup(w.kernel.Listen("127.0.0.1:1", func(*memloop.Client) {}))
		for range 5 {
			if _, err := w.dialFrom("127.0.0.1:1"); err != nil {
				w.Fatal(err)
			}
		}
		_, p := w.dial()
		p.silent(w)
	})
}

// A descriptor that somebody else opens counts like a connection.
func TestHold(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{MaxOpen: 2})
		w.Cleanup(w.kernel.Listen("127.0.0.1:1", func(*memloop.Client) {}))
		for range 2 {
			if err := w.r.Hold(); err != nil {
				w.Fatal(err)
			}
		}
		if err := w.r.Hold(); !errors.Is(err, reactor.ErrDialLimit) {
			w.Errorf("got %v, want ErrDialLimit", err)
		}
		if _, err := w.dialFrom("127.0.0.1:1"); !errors.Is(err, reactor.ErrDialLimit) {
			w.Errorf("got %v, want ErrDialLimit", err)
		}
		w.r.Release()
		if _, err := w.dialFrom("127.0.0.1:1"); err != nil {
			w.Errorf("got %v after Release, want a connection", err)
		}
	})
}

// Connections that are being refused leave those that were let in the room for
// connections of their own.
func TestRefusalsTakeNoDials(t *testing.T) {
	onSockets(t, func(w *world) {
		w.start(reactor.Config{MaxConns: 2, MaxOpen: 4, Refusal: []byte("busy")})
		addr := w.echoServer("tcp", "127.0.0.1:0")
		for range 2 {
			_, p := w.dial()
			p.silent(w)
		}
		for range 10 { // they do not close, so that the refusals linger
			if got, err := io.ReadAll(w.connect()); err != nil || string(got) != "busy" {
				w.Fatalf("got %q, %v, want a refusal", got, err)
			}
		}
		for range 2 {
			if _, err := w.dialFrom(addr); err != nil {
				w.Errorf("got %v, want a connection for each client", err)
			}
		}
		if n := w.r.Connections(); n != 4 {
			w.Errorf("got %d connections, want 4", n)
		}
	})
}

func TestLocalShortage(t *testing.T) {
	dialling := func(code error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", code)}
	}
	for _, test := range []struct {
		err  error
		want bool
	}{
		{dialling(syscall.EMFILE), true},
		{dialling(syscall.ENFILE), true},
		{dialling(syscall.EADDRNOTAVAIL), true},
		{dialling(syscall.ENOBUFS), true},
		{dialling(syscall.ENOMEM), true},
		{fmt.Errorf("client: connecting: %w", reactor.ErrDialLimit), true},
		{dialling(syscall.ECONNREFUSED), false},
		{dialling(syscall.ECONNRESET), false},
		{dialling(syscall.EHOSTUNREACH), false},
		{dialling(syscall.ETIMEDOUT), false},
		{dialling(syscall.EAGAIN), false},
		{io.EOF, false},
		{reactor.ErrStopped, false},
		{nil, false},
	} {
		if got := reactor.LocalShortage(test.err); got != test.want {
			t.Errorf("%v: got %v, want %v", test.err, got, test.want)
		}
	}
}

// A dial that fails for want of descriptors takes none.
func TestDialShortage(t *testing.T) {
	onMemory(t, func(w *world) {
		w.start(reactor.Config{})
		w.kernel.FailDials(os.NewSyscallError("socket", syscall.EMFILE))
		if _, err := w.dialFrom("127.0.0.1:1"); !reactor.LocalShortage(err) {
			w.Errorf("got %v, want a local shortage", err)
		}
		if n := w.r.Connections(); n != 0 {
			w.Errorf("got %d connections, want none", n)
		}
	})
}
