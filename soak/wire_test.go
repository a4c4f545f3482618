//go:build soak

package soak

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"weir/internal/patience"
)

// segment is what the clients let the server send at once. Loopback's own
// size would have the kernel buffer megabytes for each client that does not
// read, and none would ever be behind.
const segment = 1400

// wire is a client's side of a connection.
type wire struct {
	*net.TCPConn
	r *bufio.Reader
}

// connect dials; receive is the size of the receive buffer, 0 the kernel's own.
func connect(addr string, receive int) (*wire, error) {
	d := net.Dialer{Timeout: patience.Limit, KeepAlive: -1, Control: func(_, _ string, rc syscall.RawConn) (err error) {
		set := func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, segment)
			if receive > 0 && err == nil {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receive)
			}
		}
		return errors.Join(rc.Control(set), err)
	}}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	w := &wire{TCPConn: c.(*net.TCPConn)}
	w.r = bufio.NewReader(w.TCPConn)
	return w, w.SetDeadline(time.Now().Add(patience.Limit))
}

// head is the head of the request that a record is about.
func (r *record) head() []byte {
	switch {
	case r.feed != "upload" && r.feed != "buffered":
		return fmt.Appendf(nil, "GET /%s/%d HTTP/1.1\r\nHost: soak\r\n\r\n", r.feed, r.id)
	case r.id%2 == 0:
		return fmt.Appendf(nil, "PUT /%s/%d HTTP/1.1\r\nHost: soak\r\nContent-Length: %d\r\n\r\n", r.feed, r.id, r.upload)
	}
	return fmt.Appendf(nil, "PUT /%s/%d HTTP/1.1\r\nHost: soak\r\nTransfer-Encoding: chunked\r\n\r\n", r.feed, r.id)
}

// piece is a part of the request's body, framed.
func (r *record) piece(off, end int64) []byte {
	p := make([]byte, 0, end-off+32)
	chunked := r.id%2 == 1
	if chunked {
		p = fmt.Appendf(p, "%x\r\n", end-off)
	}
	for ; off < end; off++ {
		p = append(p, content(r.id, off))
	}
	if chunked {
		p = append(p, "\r\n"...)
	}
	if chunked && end == r.upload {
		p = append(p, "0\r\n\r\n"...)
	}
	return p
}

// say writes; that the server has hung up shows in what it has answered.
func (w *wire) say(text []byte) { _, _ = w.Write(text) }

// answer reads a head.
func (w *wire) answer() (*http.Response, error) {
	return http.ReadResponse(w.r, nil)
}

// begin reads the head of a record's answer, which must be a good one.
func (w *wire) begin(r *record) (io.Reader, error) {
	res, err := w.answer()
	if err != nil {
		return nil, fmt.Errorf("%v: reading the head: %w", r, err)
	}
	if res.StatusCode != 200 {
		return nil, fmt.Errorf("%v: got status %d, want 200", r, res.StatusCode)
	}
	return res.Body, nil
}

const bufferSize = 4 << 10

// buffers are for reading: what the clients leave to be collected would hold
// up the server that is in the same process.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// take reads up to n bytes of a body and compares them with what they should
// be. The error is io.EOF at the proper end of the answer.
func (b *body) take(from io.Reader, n int64) error {
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	for n > 0 {
		got, err := from.Read(buf[:min(n, bufferSize)])
		n -= int64(got)
		if bad := b.check(buf[:got]); bad != nil {
			return bad
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// all reads an answer to its end, which must be where it was ordered.
func (w *wire) all(r *record) (n int64, err error) {
	from, err := w.begin(r)
	if err != nil {
		return 0, err
	}
	b := body{r: r}
	switch err := b.take(from, 1<<62); {
	case err != io.EOF:
		return b.off, fmt.Errorf("%v: after %d of %d bytes: %w", r, b.off, r.size, err)
	case b.off != r.size:
		return b.off, fmt.Errorf("%v: got %d bytes, want %d", r, b.off, r.size)
	}
	return b.off, nil
}

// ended reads on to where the server has closed; there must be nothing left.
func (w *wire) ended() error {
	switch n, err := io.Copy(io.Discard, w.r); {
	case n > 0:
		return fmt.Errorf("got %d bytes behind the last answer", n)
	case errors.Is(err, syscall.ECONNRESET):
		return nil
	default:
		return err
	}
}

func drain(from io.Reader) error {
	_, err := io.Copy(io.Discard, from)
	return err
}

// leaving is how a client goes.
type leaving int

const (
	byFIN leaving = iota // close, which is RST when there is unread input
	byRST
	byHalfClose      // shuts its sending side and reads on
	byHalfCloseReset // shuts its sending side, and a moment later resets
	ways
)

func (l leaving) String() string { return [...]string{"FIN", "RST", "half-close", "half-close+RST"}[l] }

// leave begins to go. After a half-close the connection can be read from.
func (w *wire) leave(how leaving, records ...*record) (err error) {
	if how == byRST {
		err = w.SetLinger(0)
	}
	for _, r := range records {
		r.leaves()
	}
	if how == byHalfClose || how == byHalfCloseReset {
		return errors.Join(err, w.CloseWrite())
	}
	return errors.Join(err, w.Close())
}

// reset closes with RST.
func (w *wire) reset() {
	_ = w.SetLinger(0) // it may have been closed
	_ = w.Close()
}
