package reactor

import (
	"net/netip"
)

// Dial starts a connection to addr ("127.0.0.1:80", "[::1]:80" or
// "unix:/path"; names are not looked up) and puts it on this loop. h is told
// Connected, or Closed with what went wrong. An error that is known at once is
// returned instead, and then h is told nothing: ErrStopped when the loop ends
// its connections, whose handlers may want others.
func (l *Loop) Dial(addr string, h DialHandler) (*Conn, error) {
	if l.ending {
		return nil, ErrStopped
	}
	fd, err := l.sys.Connect(addr)
	if err != nil {
		return nil, err
	}
	c := &Conn{phase: connecting, handler: h}
	if remote, err := netip.ParseAddrPort(addr); err == nil {
		c.remote = remote
	}
	l.reactor.open.Add(1)
	if err := l.adopt(c, fd); err != nil {
		l.reactor.open.Add(-1)
		_ = l.sys.Close(fd, false) // the cause is err
		return nil, err
	}
	return c, nil
}
