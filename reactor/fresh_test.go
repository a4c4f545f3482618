//go:build unix

package reactor_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"weir/internal/memloop"
	"weir/reactor"
)

// Everything that a connection will ever bring may be there before the loop
// looks for the first time.
func TestFirstEventBringsAll(t *testing.T) {
	for _, paused := range []bool{false, true} {
		everywhere(t, func(w *world) {
			w.setup = func(p *probe) {
				if paused {
					p.conn.Pause()
				}
			}
			w.start(reactor.Config{})
			w.r.Attach(w.loop(), w.full(), noAddr)
			p := <-w.came
			if paused {
				p.expect(w, "peer closed")
				w.do(p.conn.Resume)
			}
			p.expect(w, "data all of it", "peer closed")
		})
	}
}

// full is a connection with input and FIN.
func (w *world) full() (fd int) {
	w.Helper()
	if w.kernel != nil {
		fd, c := w.kernel.Pipe()
		c.Write([]byte("all of it"))
		c.CloseWrite()
		return fd
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		_, err = unix.Write(fds[1], []byte("all of it"))
	}
	if err == nil {
		err = unix.Shutdown(fds[1], unix.SHUT_WR)
	}
	if err == nil {
		err = unix.SetNonblock(fds[0], true)
	}
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { unix.Close(fds[1]) })
	return fds[0]
}

// gated holds the loop until all that f does is in one round of events, after
// a wake in the middle.
func (w *world) gated(before, after func()) {
	gate := make(chan struct{})
	w.loop().Post(reactor.TaskFunc(func() { <-gate }))
	w.settle()
	before()
	w.loop().Post(reactor.TaskFunc(func() {}))
	after()
	close(gate)
}

// An event of a connection that is closed in the same round must not meet the
// one that has its descriptor next.
func TestStaleEventsMeetNobody(t *testing.T) {
	t.Run("accepted", func(t *testing.T) {
		onMemory(t, func(w *world) {
			w.start(reactor.Config{})
			a, pa := w.memory()
			b, pb := w.memory()
			var born *memloop.Client
			pa.onData = func(p []byte) int {
				pb.conn.Abort(reactor.ErrClosed)
				fd, c := w.kernel.Pipe()
				w.r.Attach(w.loop(), fd, noAddr) // in this round's wake
				born = c
				return len(p)
			}
			w.gated(func() { a.Write([]byte("x")) }, func() { b.Reset() })
			pb.expect(w, "closed")
			p := <-w.came
			w.settle()
			p.silent(w)
			w.do(func() {
				if p.conn.PeerGone() {
					w.Error("got another's departure")
				}
			})
			born.Write([]byte("alive"))
			p.expect(w, "data alive")
			born.CloseWrite()
			p.expect(w, "peer closed")
		})
	})
	t.Run("dialled", func(t *testing.T) {
		onMemory(t, func(w *world) {
			w.kernel.Hang("127.0.0.1:1")
			w.start(reactor.Config{})
			a, pa := w.memory()
			b, pb := w.memory()
			dialled := newProbe(nil)
			pa.onData = func(p []byte) int {
				pb.conn.Abort(reactor.ErrClosed)
				dialled.conn, _ = w.loop().Dial("127.0.0.1:1", dialled)
				return len(p)
			}
			w.gated(func() { a.Write([]byte("x")) }, func() { b.Write([]byte("y")) })
			pb.expect(w, "closed")
			w.settle()
			dialled.silent(w)
		})
	})
}
