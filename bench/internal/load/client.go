// Package load is the client side of the measurements: one epoll loop on one
// thread that holds thousands of connections for a few microseconds each, so
// that the load costs less than what it loads.
//
// Nothing here is safe for more than one goroutine: the goroutine that calls
// Poll runs every callback.
package load

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// perSource keeps clear of the 28,232 ephemeral ports that Linux gives
	// one source address by default.
	perSource = 10_000
	readSize  = 64 << 10
)

// A Handler handles the events of connections.
type Handler interface {
	// Data is called with what came, valid until it returns, and the time of
	// its arrival in Unix nanoseconds.
	Data(c *Conn, p []byte, now int64)
	// Closed reports that the server closed (io.EOF) or the connection failed.
	// It is not called after Conn.Close.
	Closed(c *Conn, err error)
}

// Client holds connections to one server. Make it with New.
type Client struct {
	epoll   int
	server  unix.SockaddrInet4
	handler Handler
	conns   map[int32]*Conn // by descriptor
	dialed  int
	events  []unix.EpollEvent
	buf     []byte
}

// Conn is one connection.
type Conn struct {
	Index int // as given to Dial

	client *Client
	fd     int
	unsent []byte // waits for the handshake; nil after it
}

// New returns a client of the server at addr, an IPv4 loopback address.
func New(addr string, h Handler) (*Client, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	if !to.Addr().Is4() || !to.Addr().IsLoopback() {
		return nil, fmt.Errorf("load: %s is not an IPv4 loopback address", addr)
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("load: epoll_create1: %w", err)
	}
	return &Client{
		epoll:   epoll,
		server:  unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())},
		handler: h,
		conns:   map[int32]*Conn{},
		events:  make([]unix.EpollEvent, 512),
		buf:     make([]byte, readSize),
	}, nil
}

// Dial begins a connection that sends request as soon as it is established.
// Every 10,000 connections take another source address, 127.0.0.1 first.
func (cl *Client) Dial(index int, request []byte) (*Conn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("load: socket: %w (ulimit -n?)", err)
	}
	source := unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + cl.dialed/perSource%250)}}
	cl.dialed++
	if err := cl.connect(fd, &source); err != nil {
		_ = unix.Close(fd) // the first error is more useful
		return nil, err
	}
	c := &Conn{Index: index, client: cl, fd: fd, unsent: request}
	cl.conns[int32(fd)] = c
	return c, nil
}

func (cl *Client) connect(fd int, source *unix.SockaddrInet4) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fmt.Errorf("load: TCP_NODELAY: %w", err)
	}
	// The port is chosen at connect, where only the four-tuple must be free.
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return fmt.Errorf("load: IP_BIND_ADDRESS_NO_PORT: %w", err)
	}
	if err := unix.Bind(fd, source); err != nil {
		return fmt.Errorf("load: bind: %w", err)
	}
	if err := unix.Connect(fd, &cl.server); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("load: connect: %w", err)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLOUT, Fd: int32(fd)}
	if err := unix.EpollCtl(cl.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("load: epoll_ctl: %w", err)
	}
	return nil
}

// Poll runs callbacks until the given time. Less than a millisecond before
// it, Poll spins, since epoll_wait counts in milliseconds.
func (cl *Client) Poll(until time.Time) error {
	for {
		left := time.Until(until)
		if left <= 0 {
			return nil
		}
		if err := cl.step(int(left / time.Millisecond)); err != nil {
			return err
		}
	}
}

// PollWhile runs callbacks while more returns true and the time has not come.
func (cl *Client) PollWhile(more func() bool, until time.Time) error {
	for more() && time.Now().Before(until) {
		if err := cl.step(10); err != nil {
			return err
		}
	}
	return nil
}

func (cl *Client) step(timeoutMillis int) error {
	n, err := unix.EpollWait(cl.epoll, cl.events, timeoutMillis)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("load: epoll_wait: %w", err)
	}
	for _, ev := range cl.events[:max(n, 0)] {
		c := cl.conns[ev.Fd]
		switch {
		case c == nil: // closed by a callback of this turn
		case c.unsent != nil:
			c.connected()
		default:
			c.read()
		}
	}
	return nil
}

func (c *Conn) connected() {
	request := c.unsent
	c.unsent = nil
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(c.fd)}
	if err := unix.EpollCtl(c.client.epoll, unix.EPOLL_CTL_MOD, c.fd, &ev); err != nil {
		c.fail(fmt.Errorf("load: epoll_ctl: %w", err))
		return
	}
	c.Send(request)
}

// Send writes p, which must fit the socket buffer; a failure is reported to
// Closed.
func (c *Conn) Send(p []byte) {
	n, err := unix.Write(c.fd, p)
	if err == nil && n != len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		c.fail(fmt.Errorf("load: write: %w", err))
	}
}

func (c *Conn) read() {
	n, err := unix.Read(c.fd, c.client.buf)
	switch {
	case n > 0:
		c.client.handler.Data(c, c.client.buf[:n], time.Now().UnixNano())
	case n == 0 && err == nil:
		c.fail(io.EOF)
	case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR):
		c.fail(fmt.Errorf("load: read: %w", err))
	}
}

func (c *Conn) fail(err error) {
	c.Close()
	c.client.handler.Closed(c, err)
}

// Close closes the connection; no callback follows. Closing twice is allowed.
func (c *Conn) Close() {
	if c.fd < 0 {
		return
	}
	delete(c.client.conns, int32(c.fd))
	_ = unix.Close(c.fd) // nothing remains to flush, so nothing can be lost
	c.fd = -1
}

// Close closes every connection and the loop.
func (cl *Client) Close() {
	for _, c := range cl.conns {
		c.Close()
	}
	_ = unix.Close(cl.epoll) // only the process's end could care
}
