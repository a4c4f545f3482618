package reactor

import "github.com/valyala/bytebufferpool"

const (
	sealPiece = 64 << 10      // plaintext that is sealed for one write
	maxSealed = 2 * sealPiece // what a writer has sealed at most, overhead included
)

// sealedBuffers are the buffers of ciphertext.
var sealedBuffers bytebufferpool.Pool

// unsent is how much ciphertext the kernel has not taken. The lock is held.
func (s *secure) unsent() int {
	if s.sealed == nil {
		return 0
	}
	return len(s.sealed.B) - s.sent
}

// seal appends ciphertext. The lock is held.
func (s *secure) seal(p []byte) {
	if s.sealed == nil {
		s.sealed, s.sent = sealedBuffers.Get(), 0
	}
	s.sealed.B = append(s.sealed.B, p...)
}

// drop forgets ciphertext, except an alert that is to be sent last. The lock is
// held.
func (s *secure) drop() {
	if s.dying && !s.c.out.doomed {
		return
	}
	s.dying = false
	if s.sealed != nil && !s.c.out.writing { // else it is in write(2)
		s.giveBack()
	}
	s.sealed, s.sent = nil, 0
}

func (s *secure) giveBack() {
	if cap(s.sealed.B) <= largestKept {
		sealedBuffers.Put(s.sealed)
	}
	s.sealed, s.sent = nil, 0
}

// flushSealed is flush for a connection that speaks TLS. What is pending is
// sealed by the goroutine that writes it, when it is about to be written, so
// that frames that were combined share a record. tls.Conn is called without the
// lock: its own is taken first wherever both are.
func (c *Conn) flushSealed(big, tail []byte, onLoop bool) {
	o, s := &c.out, c.out.secure
	if len(big)+len(tail) > 0 && o.err == nil {
		b := c.Buffer()
		*b = append(append(*b, big...), tail...)
	}
	for !o.writing && !o.blocked && s.due() {
		c.writeSealed()
	}
	if o.fin && !o.writing && !o.blocked && !s.due() && (o.err == nil || s.dying) {
		o.fin = false
		if o.err == nil {
			o.err = ErrClosed
		}
		o.news |= newsFlushed
	}
	c.tell(onLoop)
}

// due reports whether there is something to seal or to write.
func (s *secure) due() bool {
	o := &s.c.out
	if o.doomed || o.err != nil && !s.dying {
		return false
	}
	return s.unsent() > 0 || s.ready && !s.dying && (o.pool != nil || o.fin && !s.bid)
}

// writeSealed seals a piece and makes one write(2), without the lock.
func (c *Conn) writeSealed() {
	o, s := &c.out, c.out.secure
	o.writing, o.edge = true, false
	c.output.Store(true)
	fault := s.sealPending()
	var out []byte
	if s.sealed != nil {
		out = s.sealed.B[s.sent:]
	}
	var n int
	var err error
	if len(out) > 0 && !o.doomed {
		o.mu.Unlock()
		n, err = c.loop.sys.Write(c.fd, out)
		o.mu.Lock()
	}
	o.writing = false
	if s.sent += max(n, 0); s.sealed != nil && s.unsent() == 0 {
		s.giveBack()
	}
	if err != nil && err != ErrAgain {
		s.dying = false
	}
	c.wrote(n, err)
	if fault != nil && o.err == nil {
		o.drop(&TLSError{fault})
		o.news |= newsFailed
	}
}

// sealPending seals the front of what is pending, unless what was sealed before
// still waits for the kernel, and close_notify behind the last byte. The lock
// is held, and released meanwhile.
func (s *secure) sealPending() (fault error) {
	o := &s.c.out
	if s.unsent() > 0 || !s.ready || s.dying {
		return nil
	}
	plain, from := o.pool, o.sent
	o.pool, o.sent = nil, 0
	to := from
	if plain != nil {
		o.flying = len(plain.B) - from
		to = min(from+sealPiece, len(plain.B))
	}
	bid := o.fin && !s.bid && (plain == nil || to == len(plain.B))
	o.mu.Unlock()
	if to > from {
		_, fault = s.tls.Write(plain.B[from:to])
	}
	if bid && fault == nil {
		fault = s.tls.CloseWrite()
	}
	o.mu.Lock()
	o.flying = 0
	s.bid = s.bid || bid
	if plain != nil {
		o.putBack(plain, to)
	}
	return fault
}
