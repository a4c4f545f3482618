package upstream

import (
	"context"
	"net"
	"sync"
	"time"
)

// dialer connects for net/http, on goroutines. Its connections count among the
// descriptors that connections may hold, as those of the loops do.
type dialer struct {
	net.Dialer
	hold func() (release func(), err error) // Config.Hold
}

func newDialer(hold func() (func(), error)) *dialer {
	return &dialer{net.Dialer{KeepAlive: 15 * time.Second}, hold}
}

// DialContext is net.Dialer's.
func (d *dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.hold == nil {
		return d.Dialer.DialContext(ctx, network, addr)
	}
	release, err := d.hold()
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	c, err := d.Dialer.DialContext(ctx, network, addr)
	if err != nil {
		release()
		return nil, err
	}
	return &heldConn{Conn: c, release: sync.OnceFunc(release)}, nil
}

// heldConn is a connection that is counted until it is closed.
type heldConn struct {
	net.Conn
	release func()
}

func (c *heldConn) Close() error {
	err := c.Conn.Close()
	c.release()
	return err
}
