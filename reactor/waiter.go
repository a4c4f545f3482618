package reactor

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// waitingInput is how much ciphertext waits for a goroutine to read it before
// the loop reads no more.
const waitingInput = 64 << 10

// waiter is what a secure has while goroutines use its tls.Conn.
type waiter struct {
	timer   Timer // loop: of the handshake
	started bool  // loop: there is a goroutine in the handshake, or it is to have one

	arrived sync.Cond // on secure.mu: bytes, the end, or a deadline
	end     error     // of input; final
	choked  bool      // the loop is to be notified when input was taken
	closed  bool      // Close was called

	readBy, writeBy deadline
}

func newWaiter(s *secure) *waiter {
	w := new(waiter)
	w.arrived.L = &s.mu
	w.writeBy.passed = make(chan struct{})
	w.readBy.passed = make(chan struct{})
	return w
}

// feed passes ciphertext to the goroutines that wait for it, and begins the
// handshake with the first record. On the loop.
func (s *secure) feed(p []byte) {
	c, w := s.c, s.wait
	s.mu.Lock()
	if s.from == len(s.in) {
		s.in, s.from = s.in[:0], 0
	}
	s.in = append(s.in, p...)
	w.choked = len(s.in)-s.from >= waitingInput
	c.choked = w.choked
	begin := !w.started && s.whole()
	w.arrived.Broadcast()
	s.mu.Unlock()
	if begin {
		s.start()
	}
}

// peerGone is the end of the peer's input while goroutines use the connection.
func (s *secure) peerGone() {
	switch {
	case !s.c.ended: // more is to be read
	case s.shaking() && !s.wait.started:
		s.c.destroy(ErrPeerClosed, false)
	default:
		s.stop(io.EOF)
	}
}

// stop ends input for waiting goroutines.
func (s *secure) stop(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wait.end == nil {
		s.wait.end = cause
	}
	s.wait.arrived.Broadcast()
}

// Read implements net.Conn.
func (h *shim) Read(p []byte) (int, error) {
	s := (*secure)(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		n, w := s.take(p), s.wait
		switch {
		case n > 0 && w != nil && w.choked && len(s.in)-s.from < waitingInput/2:
			w.choked = false
			s.c.loop.Post((*unchoke)(s))
			return n, nil
		case n > 0 || len(p) == 0:
			return n, nil
		case w == nil:
			return 0, os.ErrDeadlineExceeded
		case w.closed:
			return 0, net.ErrClosed
		case w.readBy.isPassed():
			return 0, os.ErrDeadlineExceeded
		case w.end != nil:
			return 0, w.end
		}
		w.arrived.Wait()
	}
}

// unchoke is the task that reads on.
type unchoke secure

func (t *unchoke) Run() {
	c := t.c
	c.choked = false
	c.loop.guard(c, c.readOn)
}

// Write implements net.Conn: it appends to what is sealed. A goroutine that
// uses the connection also has it written and, once it was detached, waits for
// room behind it.
func (h *shim) Write(p []byte) (int, error) {
	s := (*secure)(h)
	c := s.c
	o := c.lock()
	if s.wait == nil {
		if o.err == nil {
			s.seal(p)
		} // else it will not be read
		o.mu.Unlock()
		return len(p), nil
	}
	if err := c.Err(); err != nil {
		o.mu.Unlock()
		return 0, err
	}
	s.seal(p)
	c.flush(nil, nil, false)
	if !s.detached { // what is pending may be plaintext that waits for the handshake
		return len(p), nil
	}
	return len(p), s.awaitRoom()
}

func (s *secure) awaitRoom() error {
	for {
		s.c.lock()
		room, err := s.c.Room(), s.c.Err()
		s.c.Unlock()
		if room == nil || err != nil {
			return err
		}
		s.mu.Lock()
		late := s.wait.writeBy.passed
		s.mu.Unlock()
		select {
		case <-room:
		case <-late:
			return os.ErrDeadlineExceeded
		}
	}
}

// Close implements net.Conn. What was written before is sent, then FIN.
func (h *shim) Close() error {
	s := (*secure)(h)
	s.mu.Lock()
	w := s.wait
	if w != nil {
		w.closed = true
		w.arrived.Broadcast()
	}
	s.mu.Unlock()
	if w != nil {
		s.c.loop.Post(TaskFunc(s.c.Close))
	}
	return nil
}

// LocalAddr implements net.Conn.
func (h *shim) LocalAddr() net.Addr {
	if a := h.c.ListenAddr(); a != nil {
		return a
	}
	return &net.TCPAddr{}
}

// RemoteAddr implements net.Conn.
func (h *shim) RemoteAddr() net.Addr {
	if a := h.c.remote; a.IsValid() {
		return net.TCPAddrFromAddrPort(a)
	}
	return &net.UnixAddr{Net: "unix"}
}

// SetDeadline implements net.Conn.
func (h *shim) SetDeadline(t time.Time) error {
	_ = h.SetReadDeadline(t) // never fails
	return h.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (h *shim) SetReadDeadline(t time.Time) error {
	return (*secure)(h).setDeadline(t, func(w *waiter) *deadline { return &w.readBy })
}

// SetWriteDeadline implements net.Conn.
func (h *shim) SetWriteDeadline(t time.Time) error {
	return (*secure)(h).setDeadline(t, func(w *waiter) *deadline { return &w.writeBy })
}

// setDeadline sets one of the deadlines. On the loop, where nothing waits, it
// has no effect.
func (s *secure) setDeadline(t time.Time, which func(*waiter) *deadline) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wait != nil {
		which(s.wait).set(t, s.wait.arrived.L, s.wait.arrived.Broadcast)
	}
	return nil
}

// deadline is a moment from which on an operation fails. secure.mu guards it.
type deadline struct {
	timer  *time.Timer
	passed chan struct{} // closed then
}

func (d *deadline) isPassed() bool {
	select {
	case <-d.passed:
		return true
	default:
		return false
	}
}

// set moves the deadline. The lock is held, and then is called with it held.
func (d *deadline) set(t time.Time, lock sync.Locker, then func()) {
	if d.timer != nil {
		d.timer.Stop()
	}
	if d.isPassed() {
		d.passed = make(chan struct{})
	}
	if t.IsZero() {
		d.timer = nil
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(time.Until(t), func() {
		lock.Lock()
		defer lock.Unlock()
		if d.timer == timer { // else it was moved while it ran out
			close(d.passed)
			then()
		}
	})
	d.timer = timer
}
