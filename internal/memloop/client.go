package memloop

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// Client is the test's end of a connection, a net.Conn. It is safe for
// concurrent use; Read, NextWrite and Write wait.
type Client struct {
	conn *conn
	addr netip.AddrPort
	cond sync.Cond // on Kernel.mu: something of the connection changed

	err     error // the server's RST
	closing bool  // Close or Reset was called

	readBy, writeBy deadline
}

var _ net.Conn = (*Client)(nil)

func newClient(c *conn, addr netip.AddrPort) *Client {
	cl := &Client{conn: c, addr: addr}
	cl.cond.L = &c.kernel.mu
	return cl
}

func (c *Client) lock() *conn { c.conn.kernel.mu.Lock(); return c.conn }
func (c *Client) unlock()     { c.conn.kernel.mu.Unlock() }

// Read waits for bytes of the server; io.EOF after its FIN.
func (c *Client) Read(p []byte) (int, error) {
	k := c.lock()
	defer c.unlock()
	if err := c.awaitOutput(); err != nil || len(p) == 0 {
		return 0, err
	}
	n := k.out.take(p)
	k.roomChanged()
	return n, nil
}

// NextWrite waits for bytes of the server and returns those of its oldest
// write call, or the part of them that Read has not read.
func (c *Client) NextWrite() ([]byte, error) {
	k := c.lock()
	defer c.unlock()
	if err := c.awaitOutput(); err != nil {
		return nil, err
	}
	p := k.out.takeWrite()
	k.roomChanged()
	return p, nil
}

// Pending returns the number of bytes that the server wrote and the client has
// not read.
func (c *Client) Pending() int {
	k := c.lock()
	defer c.unlock()
	return k.out.len()
}

// WriteCalls returns how often the server called write, whatever the result.
func (c *Client) WriteCalls() int {
	k := c.lock()
	defer c.unlock()
	return k.calls
}

// End returns how the server has ended its side of the connection: io.EOF or
// its RST, and nil while it has not, or while there is something to read
// before.
func (c *Client) End() error {
	c.lock()
	defer c.unlock()
	return c.end()
}

func (c *Client) end() error {
	switch out := &c.conn.out; {
	case c.closing:
		return net.ErrClosed
	case c.err != nil:
		return os.NewSyscallError("read", c.err)
	case out.fin && out.len() == 0:
		return io.EOF
	}
	return nil
}

func (c *Client) awaitOutput() error {
	for {
		switch err := c.end(); {
		case err != nil && err != io.EOF:
			return err
		case c.readBy.passed:
			return os.ErrDeadlineExceeded
		case err != nil || c.conn.out.len() > 0:
			return err
		}
		c.cond.Wait()
	}
}

// Write sends p; it waits while the server reads too little of it.
func (c *Client) Write(p []byte) (n int, err error) {
	k := c.lock()
	defer c.unlock()
	for n < len(p) {
		if err := c.awaitRoom(); err != nil {
			return n, err
		}
		part := p[n:min(len(p), n+inputRoom-k.in.len())]
		n += len(part)
		if k.closed { // the server has closed it: the reply is RST
			c.reset(syscall.ECONNRESET)
			return len(p), nil
		}
		k.in.put(len(part), part)
		k.edge()
	}
	return n, nil
}

func (c *Client) awaitRoom() error {
	for {
		switch k := c.conn; {
		case c.closing:
			return net.ErrClosed
		case c.err != nil, k.in.fin:
			return os.NewSyscallError("write", syscall.EPIPE)
		case c.writeBy.passed:
			return os.ErrDeadlineExceeded
		case k.in.len() < inputRoom || k.closed:
			return nil
		}
		c.cond.Wait()
	}
}

// CloseWrite sends FIN; the client can still read.
func (c *Client) CloseWrite() error {
	k := c.lock()
	defer c.unlock()
	if c.closing || c.err != nil {
		return os.NewSyscallError("shutdown", syscall.ENOTCONN)
	}
	if !k.in.fin {
		k.in.fin = true
		k.edge()
	}
	return nil
}

// Close sends FIN, or RST if the server wrote something that was not read. If
// the server writes afterwards, the reply is RST.
func (c *Client) Close() error {
	k := c.lock()
	defer c.unlock()
	if c.closing {
		return nil
	}
	c.closing, k.gone = true, true
	if k.out.len() > 0 && !k.broken {
		k.breakOff(syscall.ECONNRESET)
	} else if !k.in.fin {
		k.in.fin = true
		k.edge()
	}
	k.out.clear()
	c.cond.Broadcast()
	return nil
}

// Reset sends RST. The server may still read what was written before.
func (c *Client) Reset() {
	k := c.lock()
	defer c.unlock()
	if !c.closing {
		c.closing, k.gone = true, true
		k.breakOff(syscall.ECONNRESET)
		k.out.clear()
		c.cond.Broadcast()
	}
}

// reset is a RST from the server: what was not read is lost. The kernel's lock
// is held.
func (c *Client) reset(err error) {
	c.err = err
	c.conn.out.clear()
	c.cond.Broadcast()
}

// LocalAddr is the address that the server sees as the peer's.
func (c *Client) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.addr) }

// RemoteAddr is a made-up address of the server.
func (c *Client) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 80}
}

// deadline is the time from which an operation fails. Kernel.mu guards it.
type deadline struct {
	timer  *time.Timer
	passed bool
}

func (c *Client) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t) // never fails
	return c.SetWriteDeadline(t)
}

func (c *Client) SetReadDeadline(t time.Time) error  { return c.setDeadline(&c.readBy, t) }
func (c *Client) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.writeBy, t) }

func (c *Client) setDeadline(d *deadline, t time.Time) error {
	c.lock()
	defer c.unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.timer, d.passed = nil, false
	if t.IsZero() {
		return nil
	}
	var timer *time.Timer
	timer = time.AfterFunc(time.Until(t), func() {
		c.lock()
		defer c.unlock()
		if d.timer == timer { // else it was replaced while it expired
			d.passed = true
			c.cond.Broadcast()
		}
	})
	d.timer = timer
	return nil
}
