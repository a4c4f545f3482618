package client_test

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"syscall"
	"testing"

	"weir/client"
	"weir/reactor"
)

// realDesk is a desk on the system's kernel. Its probes cannot be looked at
// before their end is told.
func realDesk(t *testing.T, addr string) *desk {
	t.Helper()
	d := &desk{TB: t}
	var err error
	if d.r, err = reactor.New(reactor.Config{Loops: 1, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.r.Close)
	d.pool = client.NewPool(d.loop(), client.Config{Addr: addr})
	return d
}

// on runs f on the loop and waits for it.
func (d *desk) on(f func()) {
	done := make(chan struct{})
	d.loop().Post(reactor.TaskFunc(func() {
		defer close(done)
		f()
	}))
	<-done
}

// fetch makes a call and waits for its end.
func (d *desk) fetch(req client.RawRequest) (p *probe, err error) {
	p = &probe{d: d}
	over := make(chan struct{})
	p.onDone = func(error) { close(over) }
	d.on(func() {
		if p.call, err = d.pool.Do(req, p); err != nil {
			close(over)
		}
	})
	<-over
	if err == nil {
		err = p.done[0]
	}
	return p, err
}

// listen returns a listener for the time of the test, and where to dial it.
func listen(t testing.TB, network string) (ln net.Listener, addr string) {
	t.Helper()
	at, prefix := "127.0.0.1:0", ""
	if network == "unix" {
		at, prefix = filepath.Join(t.TempDir(), "s"), "unix:"
	}
	ln, err := net.Listen(network, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() }) // perhaps closed by the test
	return ln, prefix + ln.Addr().String()
}

// answerEach answers n requests on one connection, then closes it.
func answerEach(t testing.TB, ln net.Listener, n int) {
	c, err := ln.Accept()
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	in := bufio.NewReader(c)
	for range n {
		r, err := http.ReadRequest(in)
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		if _, err := io.WriteString(c, answer); err != nil {
			t.Error(err)
		}
	}
}

// On real sockets: a connection is used again, and when the upstream has
// closed it, another takes its place.
func TestSockets(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			ln, addr := listen(t, network)
			over := make(chan struct{})
			go func() {
				defer close(over)
				answerEach(t, ln, 2)
				answerEach(t, ln, 1)
			}()
			d := realDesk(t, addr)
			for i, reused := range []bool{false, true, false} {
				p, err := d.fetch(get)
				if err != nil || p.answer() != "200 hello" || p.call.Reused() != reused {
					t.Errorf("call %d: got %q, %v, reused %v, want 200 hello, reused %v", i, p.answer(), err, p.call.Reused(), reused)
				}
			}
			<-over
		})
	}
}

// An upload that the upstream does not want: it answers and closes, without
// having read all.
func TestRefusedUpload(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			ln, addr := listen(t, network)
			go func() {
				c, err := ln.Accept()
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
					t.Error(err)
				}
				_, _ = io.WriteString(c, refusal) // then a reset
			}()
			d := realDesk(t, addr)
			p, err := d.fetch(client.RawRequest{Method: "POST", Head: []byte(postHead), Body: make([]byte, 8<<20)})
			if err != nil || p.answer() != "413 no" {
				t.Errorf("got %q, %v, want 413 no", p.answer(), err)
			}
		})
	}
}

func TestConnectFails(t *testing.T) {
	gone, goneAddr := listen(t, "tcp")
	gone.Close()
	stale, staleAddr := listen(t, "unix")
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()
	for _, test := range []struct {
		name, addr string
		want       error // nil = any
	}{
		{"nobody listens", goneAddr, syscall.ECONNREFUSED},
		{"a socket that was left behind", staleAddr, syscall.ECONNREFUSED},
		{"no such socket", "unix:" + filepath.Join(t.TempDir(), "nobody"), syscall.ENOENT},
		{"a name, which is not looked up", "localhost:80", nil},
		{"no address", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := realDesk(t, test.addr)
			_, err := d.fetch(get)
			if !errors.Is(err, client.ErrConnect) || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v, want ErrConnect and %v", err, test.want)
			}
			if n := d.r.Connections(); n != 0 {
				t.Errorf("got %d connections, want none", n)
			}
		})
	}
}

// A retry that fails at once is told as what it is.
func TestRetryFailsAtOnce(t *testing.T) {
	ln, addr := listen(t, "unix")
	closing := make(chan struct{})
	over := make(chan struct{})
	go func() {
		defer close(over)
		c, err := ln.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		in := bufio.NewReader(c)
		for range 2 { // the second is not answered
			if _, err := http.ReadRequest(in); err != nil {
				t.Error(err)
			}
			select {
			case <-closing:
				_ = ln.Close()
				_ = c.Close() // all that was written was read
				return
			default:
				_, _ = io.WriteString(c, answer) // the client will say
			}
		}
	}()
	d := realDesk(t, addr)
	if _, err := d.fetch(get); err != nil {
		t.Fatal(err)
	}
	close(closing)
	if _, err := d.fetch(get); !errors.Is(err, client.ErrConnect) || !errors.Is(err, syscall.ENOENT) {
		t.Errorf("got %v, want ErrConnect and ENOENT", err)
	}
	<-over
}
