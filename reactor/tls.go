package reactor

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// The defaults of the fields of TLS.
const (
	DefaultHandshakes       = 256
	DefaultHandshakeTimeout = 10 * time.Second
)

var (
	// ErrHandshakeTimeout is the cause of a connection whose TLS handshake was
	// not complete in time.
	ErrHandshakeTimeout = errors.New("reactor: TLS handshake not complete in time")
	// ErrHandshakes is the cause of a connection whose TLS handshake came while
	// its loop had TLS.Handshakes others.
	ErrHandshakes = errors.New("reactor: too many TLS handshakes at once")
)

// TLSError is the cause of a connection that TLS has ended: the handshake
// failed, a certificate was not accepted, a record was not valid, or the peer
// sent a fatal alert.
type TLSError struct{ Err error }

func (e *TLSError) Error() string { return "reactor: TLS failed: " + e.Err.Error() }
func (e *TLSError) Unwrap() error { return e.Err }

// TLS configures TLS for the connections of a listener, as their server, or for
// one that is dialled, as its client. It must not be changed after it was passed
// to [Reactor.ListenTLS], [Reactor.AttachTLS] or [Loop.DialTLS].
//
// Handlers see only plaintext: Data, Pause, the marks of pending output, Close,
// Abort and the peer's end work as without TLS. A close_notify of the peer is
// the end of its input, as is FIN (see [Conn.InputCut]); Close sends one before
// FIN.
//
// The Handler of an accepted connection is made before the handshake. Neither
// it nor a [DialHandler] is called until the handshake is complete. That runs on
// a goroutine; nothing after it does.
type TLS struct {
	// Config is that of crypto/tls. A client's needs ServerName, or
	// InsecureSkipVerify.
	Config *tls.Config
	// Handshakes is the number of goroutines that each loop may have in
	// handshakes as a server, and as a client: 256. An accepted connection that
	// begins one beyond it is closed, a dialled one waits for its turn. Negative
	// means no limit.
	Handshakes int
	// Timeout is how long a connection may take until its handshake is
	// complete, from when it was accepted or is connected: 10 s. Negative means
	// no limit.
	Timeout time.Duration
	// Misdirected, if it is set, returns what is sent in the clear to a peer
	// whose first five bytes are not a TLS record, before the connection is
	// closed. It is called on the connection's loop. Servers only.
	Misdirected func(first [5]byte) []byte
}

// A Securer is the [Handler] of an accepted connection that is notified when
// the TLS handshake is complete. Secured is called on the connection's loop.
type Securer interface {
	Handler
	// Secured is called once, before the first Data, PeerClosed or Drained.
	// [Conn.TLS] has the outcome of the handshake. [Conn.Detach] may be called
	// here. A connection that is in its handshake does not count as one that
	// rests.
	Secured()
}

func (t *TLS) withDefaults() (*TLS, error) {
	if t == nil || t.Config == nil {
		return nil, errors.New("reactor: TLS.Config is nil")
	}
	d := *t
	setDefault(&d.Handshakes, DefaultHandshakes)
	setDefault(&d.Timeout, DefaultHandshakeTimeout)
	if d.Timeout < 0 {
		d.Timeout = Never
	}
	return &d, nil
}

// ListenTLS is [Reactor.Listen] for connections that speak TLS.
func (r *Reactor) ListenTLS(addr string, t *TLS) (net.Addr, error) {
	d, err := t.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("%w: cannot listen on %s", err, addr)
	}
	return r.listen(addr, d)
}

// AttachTLS is [Reactor.Attach] for a connection that speaks TLS.
func (r *Reactor) AttachTLS(l *Loop, fd int, remote netip.AddrPort, t *TLS) error {
	d, err := t.withDefaults()
	if err == nil {
		r.attach(arrival{l, fd, ends{remote, &listener{tls: d}}})
	}
	return err
}

// TLS returns what the handshake has agreed on: the version, the server's name,
// the peer's certificates. It is nil in the clear and before the handshake is
// complete. It must not be changed. TLS is safe for concurrent use.
func (c *Conn) TLS() *tls.ConnectionState {
	s := c.out.secure
	if s == nil {
		return nil
	}
	return s.agreed()
}

// InputCut reports whether the input has ended without the peer's word: by FIN
// alone, where TLS has close_notify. Somebody on the way could have sent that,
// and what came may be a part of what was sent (RFC 9112 9.8). In the clear it
// is always false.
func (c *Conn) InputCut() bool {
	c.loop.check()
	s := c.out.secure
	return s != nil && c.ended && !s.early
}

// Unshown is the number of bytes that have arrived and that Data cannot be
// called with yet: those of a TLS record that is not whole.
func (c *Conn) Unshown() int {
	c.loop.check()
	if s := c.out.secure; s != nil && !s.waits() {
		return len(s.in) - s.from
	}
	return 0
}

// shakingHands reports whether the connection is in a TLS handshake.
func (c *Conn) shakingHands() bool {
	s := c.out.secure
	return s != nil && s.shaking() && s.wait.started
}

// Detach returns the connection as a [net.Conn] for goroutines, until one of
// them closes it. Detach must be called by the Secured method of its Handler,
// of which only Closed is called after it. The limits of a connection's output
// apply to Write, which waits for room.
func (c *Conn) Detach() *tls.Conn {
	c.loop.check()
	s := c.out.secure
	s.detached = true
	return s.tls
}
