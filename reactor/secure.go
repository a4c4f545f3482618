package reactor

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"

	"github.com/valyala/bytebufferpool"
)

// secure is the TLS of one connection: crypto/tls between the connection and
// its Handler, over a net.Conn (shim) that never waits.
//
//	         ciphertext                plaintext
//	kernel ──> in ──shim.Read──> tls.Conn ──> Handler.Data        on the loop
//	kernel <── sealed <──shim.Write── tls.Conn <── output.pool    any flushing goroutine
//
// It has two modes. At first goroutines use the tls.Conn, and shim's methods
// wait for the loop (waiter): one for the handshake, and after Conn.Detach any.
// When the handshake is complete and the connection was not detached, the loop
// reads: Read returns os.ErrDeadlineExceeded when no record is complete, after
// which crypto/tls reads again later. Write only ever appends.
//
// The shim hands out whole records, and no byte beyond the one that tls.Conn is
// reading. So tls.Conn never has input that it has not decrypted, and is not
// called when there is nothing to decrypt.
type secure struct {
	c     *Conn
	cfg   *TLS
	tls   *tls.Conn
	state atomic.Pointer[tls.ConnectionState] // nil before it is needed

	// Input. What is not the loop's alone is guarded by mu.
	mu   sync.Mutex
	in   []byte  // ciphertext; in[from:] was not taken by tls.Conn
	from int     //
	left int     // of in[from:]: the rest of the record that tls.Conn is reading
	wait *waiter // while goroutines read; nil when the loop does

	borrowed bool // loop: in is the loop's read buffer
	more     bool // loop: tls.Conn may have plaintext of the last record
	early    bool // loop: the peer sent close_notify, and FIN was not seen
	detached bool // loop

	// Output, guarded by the connection's lock.
	sealed *bytebufferpool.ByteBuffer // ciphertext; nil while there is none
	sent   int                        // bytes of it that were written
	ready  bool                       // plaintext may be sealed
	bid    bool                       // close_notify is sealed
	dying  bool                       // err is set, and what is sealed, an alert, is still written
}

// shim is a secure as the net.Conn below its tls.Conn.
type shim secure

// newSecure makes the client's side for a connection that is dialled, and else
// the server's.
func newSecure(c *Conn, t *TLS) *secure {
	s := &secure{c: c, cfg: t}
	s.wait = newWaiter(s)
	if c.origin == dialled {
		s.tls = tls.Client((*shim)(s), t.Config)
	} else {
		s.tls = tls.Server((*shim)(s), t.Config)
	}
	return s
}

// waits reports whether goroutines use the connection instead of its handler.
func (s *secure) waits() bool { return s.wait != nil }

// shaking reports whether the handshake is not complete.
func (s *secure) shaking() bool { return s.wait != nil && !s.detached }

// holds reports whether something has arrived that was not shown.
func (s *secure) holds() bool {
	s.mu.Lock() // goroutines may be reading
	defer s.mu.Unlock()
	return s.more || s.from < len(s.in) || s.c.shakingHands()
}

func (s *secure) agreed() *tls.ConnectionState {
	if st := s.state.Load(); st != nil {
		return st
	}
	st := s.tls.ConnectionState()
	if !st.HandshakeComplete {
		return nil
	}
	s.state.Store(&st)
	return s.state.Load()
}

// received takes ciphertext from the loop's read buffer.
func (s *secure) received(p []byte) {
	if s.waits() {
		s.feed(p)
		return
	}
	if s.from == len(s.in) {
		s.in, s.from, s.borrowed = p, 0, true
	} else {
		s.in = append(s.in, p...)
	}
	s.decrypt()
}

// proceed continues after a pause.
func (s *secure) proceed() {
	if !s.waits() && s.c.phase == open {
		s.decrypt()
	}
}

// decrypt shows the plaintext of the records that are complete, and keeps the
// rest.
func (s *secure) decrypt() {
	c := s.c
	for c.phase == open && !c.paused && (s.more || s.whole()) {
		if c.loop.plain == nil {
			c.loop.plain = make([]byte, readSize)
		}
		n, err := s.read(c.loop.plain)
		s.answer()
		if n > 0 && c.phase == open {
			c.show(c.loop.plain[:n])
		}
		switch {
		case err == nil || c.phase != open:
		case err == io.EOF && c.paused: // the end is reported after the pause
			s.more = true // and read once more
		default:
			s.inputEnded(err)
		}
	}
	s.keep()
}

// read fills p from the records that are complete.
func (s *secure) read(p []byte) (n int, err error) {
	for n < len(p) && (s.more || s.whole()) && err == nil {
		var k int
		k, err = s.tls.Read(p[n:])
		n += k
		s.more = n == len(p) && k > 0
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
	}
	return n, err
}

// whole reports whether tls.Conn can be given something.
func (s *secure) whole() bool { return s.available() > 0 }

// answer writes what tls.Conn sends in response to what it has read: alerts and
// updates of keys. A peer that asks for them and reads nothing is not served.
func (s *secure) answer() {
	c := s.c
	o := c.lock()
	switch n := s.unsent(); {
	case n == 0:
		o.mu.Unlock()
	case o.blocked && n > maxSealed:
		o.mu.Unlock()
		c.destroy(ErrStalled, true)
	default:
		c.flush(nil, nil, true)
	}
}

func (s *secure) inputEnded(err error) {
	c := s.c
	if err == io.EOF { // close_notify
		c.ended, c.gone, s.early = true, true, true
		s.in, s.from = nil, 0 // what is behind it is ignored (RFC 8446 6.1)
		c.peerGone()
		return
	}
	s.fail(&TLSError{err})
}

// fail ends the connection for its Handler, at once. What tls.Conn has said, an
// alert, is still written; then the connection lingers, or the alert could be
// lost.
func (s *secure) fail(cause error) {
	c := s.c
	h := c.handler
	c.handler, c.phase, c.cause = refused{}, flushing, cause
	c.forgetInput()
	c.loop.resting.remove(c)
	o := c.lock()
	s.dying = true
	o.drop(cause)
	o.fin = true
	c.flush(nil, nil, true)
	if c.phase != closed {
		c.goOnLater()
	}
	h.Closed(cause)
}

// keep makes what is left of in the connection's own.
func (s *secure) keep() {
	rest := s.in[s.from:]
	switch {
	case len(rest) == 0:
		if !s.borrowed && s.in != nil {
			s.c.loop.keepBuffer(s.in)
		}
		s.in = nil
	case s.borrowed:
		s.in = append(s.c.loop.spareBuffer(), rest...)
	default:
		s.in = s.in[:copy(s.in, rest)]
	}
	s.from, s.borrowed = 0, false
}

// end is the end of the connection. Those who wait return with the cause.
func (s *secure) end(cause error) {
	if s.wait != nil {
		s.c.loop.StopTimer(&s.wait.timer)
		s.handshakes().leave(s)
		s.stop(cause)
	}
}

var _ net.Conn = (*shim)(nil)
