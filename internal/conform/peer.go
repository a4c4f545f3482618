package conform

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// peer is the client's end of one connection: raw writes, and a buffer of what
// has arrived and was not yet read as a response. It dials at its first use.
// One goroutine drives it; a large write continues in the background (see
// send).
type peer struct {
	target *Target
	conn   net.Conn
	buf    []byte        // arrived, not consumed
	end    error         // why nothing more will arrive; nil while open
	tape   *bytes.Buffer // copy of all consumed bytes, when recording
	last   *response     // the last response read

	writing chan struct{} // closed when the write in the background is done
	notes   []string      // the exchange, for a failing case's report
}

// Errors that end the reading side. Callers test for them.
var (
	errSilent = errors.New("no reaction in time")
	errReset  = errors.New("connection reset")
)

// inBackground is the size from which a write must not block the reading side.
const inBackground = 32 << 10

func (p *peer) open() error {
	if p.conn != nil {
		return nil
	}
	conn, err := p.target.Dial()
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	p.conn = conn
	return nil
}

// close resets the connection, so that thousands of cases leave no TIME_WAIT
// behind.
func (p *peer) close() {
	if p.conn == nil {
		return
	}
	p.linger(0)
	p.conn.Close()
	p.settleWrite()
}

func (p *peer) linger(sec int) {
	if tcp, ok := p.conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(sec) // a failure only leaves a TIME_WAIT
	}
}

// onUnix reports whether the connection is a unix socket, which has no RST.
func onUnix(p *peer) bool {
	_, ok := p.conn.(*net.UnixConn)
	return ok
}

// send writes data. Its errors are dropped: a server may refuse and close while
// we write, and the reading side checks its response. Writes that may fill the
// socket continue in the background until the next write or close.
func (p *peer) send(data string) error {
	if err := p.open(); err != nil {
		return err
	}
	p.note("> %s", shorten(data))
	p.settleWrite()
	_ = p.conn.SetWriteDeadline(time.Now().Add(4 * p.target.Patience))
	if len(data) < inBackground {
		_, _ = io.WriteString(p.conn, data)
		return nil
	}
	done, conn := make(chan struct{}), p.conn
	p.writing = done
	go func() {
		defer close(done)
		_, _ = io.WriteString(conn, data)
	}()
	return nil
}

// settleWrite waits for the write in the background.
func (p *peer) settleWrite() {
	if p.writing != nil {
		<-p.writing
		p.writing = nil
	}
}

// fill waits until something arrives, the stream ends, or the deadline passes.
func (p *peer) fill(deadline time.Time) error {
	if p.end != nil {
		return p.end
	}
	if err := p.open(); err != nil {
		return err
	}
	_ = p.conn.SetReadDeadline(deadline) // fails only on a closed connection, as Read will
	var block [16 << 10]byte
	n, err := p.conn.Read(block[:])
	p.buf = append(p.buf, block[:n]...)
	switch {
	case n > 0 || err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSilent
	case errors.Is(err, io.EOF):
		p.end = io.EOF
		p.note("< FIN")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		p.end = errReset
		p.note("< RST")
	default:
		p.end = err
	}
	return p.end
}

// take consumes n bytes of the buffer; they stay valid.
func (p *peer) take(n int) []byte {
	out := bytes.Clone(p.buf[:n])
	p.buf = p.buf[n:]
	if p.tape != nil {
		p.tape.Write(out)
	}
	return out
}

// until returns the deadline of a reaction that must come now.
func (p *peer) until() time.Time { return time.Now().Add(p.target.Patience) }

// nothingLeft reports bytes that arrived and do not belong to a response.
func (p *peer) nothingLeft() error {
	if len(p.buf) == 0 {
		return nil
	}
	return fmt.Errorf("stray bytes after the last response: %s%s", shorten(string(p.buf)), p.story())
}

// noteMax bounds the report of long cases: its end is what matters.
const noteMax = 12

func (p *peer) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
	if len(p.notes) > noteMax {
		p.notes = append(p.notes[:0:0], p.notes[len(p.notes)-noteMax:]...)
	}
}

func (p *peer) story() string {
	if len(p.notes) == 0 {
		return ""
	}
	return "\n\t" + strings.Join(p.notes, "\n\t")
}

func shorten(s string) string {
	const most = 160
	if len(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q … (%d bytes)", s[:most], len(s))
}
