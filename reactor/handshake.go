package reactor

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"slices"
)

// handshakes are those of a loop's accepted connections, or of its dialled ones.
type handshakes struct {
	running int       // goroutines
	waiting []*secure // dialled connections that are to have one, in order
}

func (h *handshakes) leave(s *secure) {
	if i := slices.Index(h.waiting, s); i >= 0 {
		h.waiting = slices.Delete(h.waiting, i, i+1)
	}
}

// ended is the end of a goroutine: the next connection gets one.
func (h *handshakes) ended() {
	if h.running--; len(h.waiting) > 0 {
		s := h.waiting[0]
		h.leave(s)
		s.start()
	}
}

func (s *secure) handshakes() *handshakes {
	if s.c.origin == dialled {
		return &s.c.loop.shakes[dialled]
	}
	return &s.c.loop.shakes[accepted]
}

// startClock limits the time until the handshake is complete.
func (s *secure) startClock() {
	l := s.c.loop
	s.wait.timer.Init((*handshakeOverdue)(s))
	if s.cfg.Timeout != Never {
		l.StartTimer(&s.wait.timer, l.Now().Add(s.cfg.Timeout))
	}
}

type handshakeOverdue secure

func (t *handshakeOverdue) Run() { t.c.destroy(ErrHandshakeTimeout, false) }

// greet begins the handshake of a dialled connection, which is connected.
func (s *secure) greet() {
	s.startClock()
	s.start()
}

// start begins the handshake, if the loop may have one more. A client of ours
// waits for that, one of somebody else is closed.
func (s *secure) start() {
	h, most := s.handshakes(), s.cfg.Handshakes
	s.wait.started = true
	switch {
	case most < 0 || h.running < most:
		h.running++
		go s.shakeHands()
	case s.c.origin == dialled:
		h.waiting = append(h.waiting, s)
	default:
		s.c.loop.reactor.complain("connections closed; raise TLS.Handshakes if this is no flood", ErrHandshakes)
		s.c.destroy(ErrHandshakes, false)
	}
}

// shakeHands runs on its own goroutine.
func (s *secure) shakeHands() {
	done := &shaken{s: s, err: errors.New("the goroutine of the handshake has ended")}
	defer s.c.loop.Post(done)
	defer func() {
		if p := recover(); p != nil { // of a callback in the tls.Config
			done.err = fmt.Errorf("panic in the handshake: %v", p)
			s.c.loop.reactor.log("panic in a TLS handshake", done.err)
		}
	}()
	done.err = s.tls.Handshake()
}

// shaken is the task that ends a handshake.
type shaken struct {
	s   *secure
	err error
}

func (t *shaken) Run() {
	c := t.s.c
	t.s.handshakes().ended()
	if c.phase == open {
		c.loop.guard(c, t.settle)
	}
}

func (t *shaken) settle() {
	s, c := t.s, t.s.c
	c.loop.StopTimer(&s.wait.timer)
	if t.err != nil {
		s.refuse(t.err)
		return
	}
	if h, ok := c.handler.(Securer); ok && c.origin != dialled {
		h.Secured()
	}
	if s.detached || c.phase != open {
		return
	}
	s.takeOver()
	if c.origin == dialled {
		c.handler.(DialHandler).Connected()
	}
	c.lock()
	c.flush(nil, nil, true)
	s.decrypt()
	c.readOn()
}

// takeOver ends the waiting mode: from now on the loop reads, and what is
// pending may be sealed.
func (s *secure) takeOver() {
	c := s.c
	s.mu.Lock()
	s.wait = nil
	s.mu.Unlock()
	c.choked, c.ended, c.readable = false, false, true // FIN, if it has come, is read once more
	c.lock()
	s.ready = true
	c.Unlock()
}

// refuse ends a connection whose handshake has failed.
func (s *secure) refuse(err error) {
	c := s.c
	c.loop.reactor.Logger().Debug("reactor: TLS handshake failed", "remote", c.remote, "err", err)
	var header tls.RecordHeaderError
	inClear := errors.As(err, &header) && header.Conn != nil
	switch {
	case c.origin == dialled && inClear:
		err = errors.New("the server does not speak TLS on this port")
	case c.origin == dialled && errors.Is(err, io.EOF):
		err = errors.New("the server closed the connection in the handshake")
	case s.cfg.Misdirected != nil && inClear:
		p := s.cfg.Misdirected(header.RecordHeader)
		c.lock()
		s.seal(p)
		c.Unlock()
	}
	s.fail(&TLSError{err})
}
