package reactor_test

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"weir/reactor"
)

func TestAddressInUse(t *testing.T) {
	for _, loops := range []int{1, 4} {
		onSockets(t, func(w *world) {
			w.start(reactor.Config{Loops: loops})
			second, err := reactor.New(reactor.Config{Loops: loops, MaxConns: 10, Accept: w.accept})
			if err != nil {
				w.Fatal(err)
			}
			defer second.Close()
			before := openDescriptors()
			_, err = second.Listen(w.addr)
			if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "another process") {
				w.Errorf("%d loops: got %v, want EADDRINUSE with an explanation", loops, err)
			}
			if got := openDescriptors(); got > before {
				w.Errorf("%d loops: got %d descriptors, want the %d from before", loops, got, before)
			}
		})
	}
}

func TestListenOnSeveralLoops(t *testing.T) {
	onSockets(t, func(w *world) {
		w.setup = func(p *probe) { p.onData = p.echo }
		w.start(reactor.Config{Loops: 3})
		if _, err := w.r.Listen("127.0.0.1:0"); err != nil {
			w.Fatal(err)
		}
		if got := w.r.Addrs(); len(got) != 2 || got[0].String() != w.addr {
			w.Errorf("got %v, want two addresses, the first %s", got, w.addr)
		}
		used := map[int]bool{}
		for i := 0; i < 200 && len(used) < 3; i++ { // the kernel distributes
			c, p := w.dial()
			c.Write([]byte("ping"))
			w.reads(c, "ping")
			used[p.conn.Loop().ID()] = true
			if got := p.conn.RemoteAddr().String(); got != c.LocalAddr().String() {
				w.Errorf("got peer %s, want %s", got, c.LocalAddr())
			}
			c.Close()
		}
		if len(used) != 3 {
			w.Errorf("got connections on %d loops, want 3", len(used))
		}
		w.r.StopListening()
		if c, err := net.Dial("tcp", w.addr); err == nil {
			c.Close()
			w.Error("got a connection after StopListening")
		}
		if got := w.r.Addrs(); len(got) != 0 {
			w.Errorf("got %v, want no addresses", got)
		}
	})
}

// Everything that the kernel had accepted when the listeners close is a
// connection, however much it is, and the address is free for another process
// while connections live on. // L12, K8.42
func TestStopListeningTakesTheBacklog(t *testing.T) {
	const clients = 300
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			onSockets(t, func(w *world) {
				w.came = make(chan *probe, clients)
				w.setup = func(p *probe) { p.onData = p.echo }
				w.start(reactor.Config{MaxConns: 2 * clients})
				addr, spec := w.addr, w.addr
				if network == "unix" {
					addr = filepath.Join(w.TempDir(), "s")
					spec = "unix:" + addr
					if _, err := w.r.Listen(spec); err != nil {
						w.Fatal(err)
					}
				}
				gate := make(chan struct{})
				w.loop().Post(reactor.TaskFunc(func() { <-gate }))
				var waiting []net.Conn
				for range clients {
					c, err := net.Dial(network, addr)
					if err != nil {
						w.Fatal(err)
					}
					defer c.Close()
					c.Write([]byte("ping"))
					waiting = append(waiting, c)
				}
				stopped := make(chan struct{})
				go func() {
					defer close(stopped)
					w.r.StopListening()
				}()
				close(gate)
				<-stopped
				for i, c := range waiting {
					got := make([]byte, 4)
					if _, err := io.ReadFull(c, got); err != nil || string(got) != "ping" {
						w.Fatalf("client %d: got %q, %v, want its echo", i, got, err)
					}
				}
				next, err := reactor.New(reactor.Config{Loops: 2, MaxConns: 10, Accept: w.accept})
				if err != nil {
					w.Fatal(err)
				}
				defer next.Close()
				if _, err := next.Listen(spec); err != nil {
					w.Errorf("got %v, want the address to be free", err)
				}
			})
		})
	}
}

// Unix sockets and others without a listener a loop are handed round.
func TestConnectionsAreHandedRound(t *testing.T) {
	onSockets(t, func(w *world) {
		w.start(reactor.Config{Loops: 3})
		path := w.TempDir() + "/s"
		if _, err := w.r.Listen("unix:" + path); err != nil {
			w.Fatal(err)
		}
		used := map[int]int{}
		for range 6 {
			c, err := net.Dial("unix", path)
			if err != nil {
				w.Fatal(err)
			}
			defer c.Close()
			used[(<-w.came).conn.Loop().ID()]++
		}
		if used[0] != 2 || used[1] != 2 || used[2] != 2 {
			w.Errorf("got %v, want two on each loop", used)
		}
	})
}

func TestMaxConns(t *testing.T) {
	onSockets(t, func(w *world) {
		w.start(reactor.Config{MaxConns: 2, Refusal: []byte("503 busy")})
		a, p := w.dial()
		b, q := w.dial()
		for range 3 {
			c := w.connect()
			c.Write([]byte("does not help"))
			w.reads(c, "503 busy$")
			c.Close()
		}
		a.Close()
		p.expect(w, "peer closed")
		w.do(p.conn.Close)
		p.expect(w, "closed")
		for w.r.Connections() > 1 { // those refused may still be leaving
			w.do(func() {})
		}
		c, r := w.dial()
		c.Write([]byte("x"))
		r.expect(w, "data x")
		q.silent(w)
		b.Close()
	})
}
