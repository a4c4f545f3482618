package client

import (
	"context"
	"net"
	"sync"
	"time"
)

// DialContext connects to addr as net/http does for the Origin's calls: an
// address of net.Dialer's, or anything for an Endpoint that is a unix socket.
// It blocks. The connection is counted by Hold until it is closed.
func (o *Origin) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if o.Hold == nil {
		return o.dialAny(ctx, network, addr)
	}
	release, err := o.Hold()
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	c, err := o.dialAny(ctx, network, addr)
	if err != nil {
		release()
		return nil, err
	}
	return &heldConn{Conn: c, release: sync.OnceFunc(release)}, nil
}

// dialAny connects to the socket, or to one of the addresses of a name.
func (o *Origin) dialAny(ctx context.Context, network, addr string) (c net.Conn, err error) {
	d := net.Dialer{KeepAlive: 15 * time.Second}
	if o.Endpoint.Network == "unix" {
		return d.DialContext(ctx, "unix", o.Endpoint.Address)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || o.Lookup == nil {
		return d.DialContext(ctx, network, addr)
	}
	ips, err := o.Lookup(ctx, host)
	if err == nil && len(ips) == 0 {
		err = notFound(host)
	}
	for _, ip := range ips {
		if c, err = d.DialContext(ctx, network, net.JoinHostPort(ip, port)); err == nil {
			return c, nil
		}
	}
	return nil, &net.OpError{Op: "dial", Net: network, Err: err}
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
