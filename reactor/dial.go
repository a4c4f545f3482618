package reactor

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// ErrDialLimit is returned by [Loop.Dial] if connections already hold
// [Config].MaxOpen descriptors.
var ErrDialLimit = errors.New("reactor: no descriptor left for outgoing connections; raise the limit on open files (ulimit -n) or lower MaxConns")

// Dial starts a connection to addr ("127.0.0.1:80", "[::1]:80" or "unix:/path";
// names are not looked up) and puts it on this loop. The loop calls
// h.Connected, or h.Closed with the error. An error that is known at once is
// returned instead, and then no method of h is called: [ErrStopped] while the
// loop ends its connections, whose handlers may want others, and
// [ErrDialLimit]. If there is no descriptor left, offered connections (see
// [Loop.Offer]) are closed.
func (l *Loop) Dial(addr string, h DialHandler) (*Conn, error) { return l.start(addr, nil, h) }

// DialTLS is [Loop.Dial] for a connection that speaks TLS. Connected is called
// when the handshake is complete. One that fails, a certificate that is not
// accepted included, is a connection that fails: Closed is the only call, with a
// *[TLSError] or [ErrHandshakeTimeout].
func (l *Loop) DialTLS(addr string, t *TLS, h DialHandler) (*Conn, error) {
	l.check()
	d, err := t.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("%w: cannot dial %s", err, addr)
	}
	return l.start(addr, d, h)
}

func (l *Loop) start(addr string, t *TLS, h DialHandler) (*Conn, error) {
	l.check()
	if l.ending {
		return nil, ErrStopped
	}
	for {
		c, err := l.dialHeld(addr, t, h)
		if err == nil || len(l.offers) == 0 || err != ErrDialLimit && !noDescriptors(err) {
			return c, err
		}
		l.offers[0].GiveUp()
	}
}

// Spares are unused connections of a loop. GiveUp is called on that loop.
type Spares interface {
	// GiveUp closes one of them. It calls Withdraw with the last one.
	GiveUp()
}

// Offer makes s close connections when [Loop.Dial] finds no descriptor, until
// [Loop.Withdraw].
func (l *Loop) Offer(s Spares) {
	l.check()
	l.offers = append(l.offers, s)
}

// Withdraw undoes [Loop.Offer].
func (l *Loop) Withdraw(s Spares) {
	l.check()
	if i := slices.Index(l.offers, s); i >= 0 {
		l.offers = slices.Delete(l.offers, i, i+1)
	}
}

func (l *Loop) dialHeld(addr string, t *TLS, h DialHandler) (*Conn, error) {
	if err := l.reactor.Hold(); err != nil {
		return nil, err
	}
	c, err := l.dial(addr, t, h)
	if err != nil {
		l.reactor.Release()
	}
	return c, err
}

// Hold counts a descriptor that is opened elsewhere, for a connection of
// package net for instance, among those of [Config].MaxOpen, so that it does
// not use the reserve. It returns [ErrDialLimit] if there is none left. Call
// [Reactor.Release] once for each successful Hold. Both are safe for concurrent
// use.
func (r *Reactor) Hold() error {
	if r.open.Add(1) > int64(r.cfg.MaxOpen) {
		r.open.Add(-1)
		return ErrDialLimit
	}
	return nil
}

// Release undoes one [Reactor.Hold].
func (r *Reactor) Release() { r.open.Add(-1) }

// dial is Dial for a connection that is counted.
func (l *Loop) dial(addr string, t *TLS, h DialHandler) (*Conn, error) {
	fd, err := l.sys.Connect(addr)
	if err != nil {
		return nil, err
	}
	c := &Conn{phase: connecting, handler: h, origin: dialled}
	if remote, err := netip.ParseAddrPort(addr); err == nil {
		c.remote = remote
	}
	if t != nil {
		c.out.secure = newSecure(c, t)
	}
	if err := l.adopt(c, fd); err != nil {
		_ = l.sys.Close(fd, false) // the cause is err
		return nil, err
	}
	return c, nil
}
