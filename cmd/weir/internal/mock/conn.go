package mock

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// lingering is how long after its own end the mock waits for the client's.
const lingering = 10 * time.Second

// How a side ended a connection.
const (
	byFIN   = "fin"
	byReset = "reset"
)

// conn is one connection. Two goroutines use it: one reads, the other responds
// and is the only one that writes.
type conn struct {
	srv          *Server
	tcp          net.Conn // *net.TCPConn or *net.UnixConn, or one of a test's network
	rw           net.Conn // tcp, or TLS over it
	seen         *connection
	in           *inbox
	disconnected chan struct{} // closed when the client ended the connection, or Close did

	keep keepKind // what happens to it at the next request, by the last one's plan
	idle time.Duration

	mu      sync.Mutex
	current *request // whose response is being sent; nil between two
	gone    string   // how the client disconnected; "" = it did not
}

func (s *Server) newConn(tcp net.Conn) *conn {
	c := &conn{srv: s, tcp: tcp, rw: tcp, seen: s.seen.opened(), in: newInbox(), disconnected: make(chan struct{})}
	if s.tls != nil {
		c.rw = tls.Server(tcp, s.tls)
	}
	return c
}

// serve has the connection from its first to its last byte.
func (c *conn) serve() {
	read := make(chan struct{})
	go func() {
		defer close(read)
		c.read()
	}()
	for c.serveOne() {
	}
	c.in.drop()
	select {
	case <-read:
	case <-time.After(lingering):
	}
	_ = c.tcp.Close() // it has ended whatever this returns
	<-read
	c.srv.seen.ended(c.seen, func(*Conn) {})
}

// read reads until the client or the mock closes the connection, and records
// which of them did as soon as it happens.
func (c *conn) read() {
	buf := make([]byte, 8<<10)
	for {
		n, err := c.rw.Read(buf)
		c.in.put(buf[:n])
		if err != nil {
			c.readFailed(err)
			return
		}
	}
}

func (c *conn) readFailed(err error) {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // the second: TLS without close_notify
		c.clientDisconnected(byFIN)
	case errors.Is(err, syscall.ECONNRESET):
		c.clientDisconnected(byReset)
	case !errors.Is(err, net.ErrClosed): // a failed handshake, for instance
		c.srv.seen.update(func(*Counts) { c.seen.Error = err.Error() })
	}
	close(c.disconnected)
	_ = c.tcp.SetWriteDeadline(time.Unix(1, 0)) // frees a writer that the client kept waiting
	c.in.fail(err)
}

// clientDisconnected notes how the client disconnected, once.
func (c *conn) clientDisconnected(how string) {
	c.mu.Lock()
	if c.gone == "" {
		c.gone = how
	}
	how, q := c.gone, c.current
	c.mu.Unlock()
	c.srv.seen.ended(c.seen, func(r *Conn) { r.Client = how })
	if q != nil {
		c.leave(q, how, false)
	}
}

// leave notes that the client disconnected before the response was complete.
// While its last bytes are being sent only a failed write shows that: then
// insist is true.
func (c *conn) leave(q *request, how string, insist bool) {
	c.srv.seen.update(func(n *Counts) {
		if q.Left == "" && (insist || !q.last) {
			q.Left, q.LeftAt = how, time.Now()
			n.Left++
		}
	})
}

// begin makes q the current request.
func (c *conn) begin(q *request) {
	c.srv.seen.begun(c.seen, q)
	c.mu.Lock()
	c.current = q
	how := c.gone
	c.mu.Unlock()
	if how != "" { // it did not wait for the response
		c.leave(q, how, false)
	}
}

// end notes how the response ended. fate is one of the results of a play.
func (c *conn) end(q *request, f fate) {
	if f == fateDisconnected {
		<-c.disconnected
		if how := c.clear(); how != "" { // else Close was called
			c.leave(q, how, true)
		}
	}
	c.clear()
	c.srv.seen.update(func(n *Counts) {
		q.Ended, q.Whole = time.Now(), f == fateWhole
		n.Ended++
	})
}

// clear ends the current request, and returns how the client disconnected.
func (c *conn) clear() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = nil
	return c.gone
}

// write writes p and reports whether the client still took it.
func (c *conn) write(p []byte) bool {
	_, err := c.rw.Write(p)
	if errors.Is(err, syscall.ECONNRESET) {
		c.clientDisconnected(byReset) // the kernel reports it once, so the reader will not see it
	}
	return err == nil
}

// pause waits, and reports whether the client is still connected afterwards.
func (c *conn) pause(d time.Duration) bool {
	if d <= 0 {
		select {
		case <-c.disconnected:
			return false
		default:
			return true
		}
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.disconnected:
		return false
	}
}

// hold waits for Release, and reports whether the client is still connected
// then.
func (c *conn) hold() bool {
	select {
	case <-c.srv.released:
		return c.pause(0)
	case <-c.disconnected:
		return false
	}
}

// reset ends the connection with RST. What the client has not received by then
// may be lost to it.
func (c *conn) reset() {
	c.srv.seen.ended(c.seen, func(r *Conn) { r.Mock = byReset })
	switch conn := c.tcp.(type) {
	case *net.TCPConn:
		_ = conn.SetLinger(0) // without it the end is a FIN, which the test sees
	case interface{ Reset() }:
		conn.Reset()
	}
	_ = c.tcp.Close() // it has ended whatever this returns
}

// finish ends the connection with FIN, for TLS after a close_notify if the
// client is to take what was sent for complete. It waits for the client's own
// end.
func (c *conn) finish(whole bool) {
	c.srv.seen.ended(c.seen, func(r *Conn) { r.Mock = byFIN })
	if t, ok := c.rw.(*tls.Conn); ok && whole {
		_ = t.CloseWrite() // an error means that the client has disconnected
	}
	if tcp, ok := c.tcp.(interface{ CloseWrite() error }); ok {
		_ = tcp.CloseWrite() // as above
	}
}
