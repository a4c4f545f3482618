package conform

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// scripted starts a server whose whole behaviour is serve; it is called once a
// connection, which is closed after it. No time-out is stated.
func scripted(t *testing.T, serve func(*net.TCPConn)) Target {
	t.Helper()
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var (
		running sync.WaitGroup
		mu      sync.Mutex
		open    = map[net.Conn]bool{}
	)
	running.Go(func() {
		for {
			conn, err := listener.AcceptTCP()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			running.Go(func() {
				serve(conn)
				conn.Close()
				mu.Lock()
				delete(open, conn)
				mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		mu.Lock()
		for conn := range open {
			conn.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	addr := listener.Addr().String()
	return Target{Dial: func() (net.Conn, error) { return net.Dial("tcp", addr) }}
}

const okAnswer = "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 13\r\n\r\n" + hello

// refusal is a complete answer that ends the connection.
func refusal(status int) string {
	return fmt.Sprintf("HTTP/1.1 %d Refused\r\nDate: %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
		status, time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"))
}

// linger ends the connection as a server should: FIN, and input read until the peer's.
func linger(conn *net.TCPConn) {
	conn.CloseWrite()
	io.Copy(io.Discard, conn)
}

// refuser refuses the first byte of every connection with that status.
func refuser(status int) func(*net.TCPConn) {
	return func(conn *net.TCPConn) {
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			return
		}
		io.WriteString(conn, refusal(status))
		linger(conn)
	}
}

// slammer ends each connection at once.
func slammer(conn *net.TCPConn) { linger(conn) }

// yesMan answers whatever arrives, request or not, with one 200.
func yesMan(conn *net.TCPConn) {
	block := make([]byte, 64<<10)
	for {
		if _, err := conn.Read(block); err != nil {
			return
		}
		if _, err := io.WriteString(conn, okAnswer); err != nil {
			return
		}
	}
}

// onHeads calls answer with each head that is complete, and its number.
func onHeads(answer func(conn *net.TCPConn, i int) bool) func(*net.TCPConn) {
	return func(conn *net.TCPConn) {
		var got []byte
		block := make([]byte, 64<<10)
		for i := 0; ; {
			n, err := conn.Read(block)
			if err != nil {
				return
			}
			got = append(got, block[:n]...)
			for {
				_, rest, ok := bytes.Cut(got, []byte("\r\n\r\n"))
				if !ok {
					break
				}
				got = rest
				if !answer(conn, i) {
					return
				}
				i++
			}
		}
	}
}

// always writes the same bytes for each head.
func always(answer string) func(*net.TCPConn) {
	return onHeads(func(conn *net.TCPConn, _ int) bool {
		_, err := io.WriteString(conn, answer)
		return err == nil
	})
}

// headClock answers heads with 200 and gives one that is not complete refTimeout
// after its first byte 408: what net/http has no status for.
func headClock(conn *net.TCPConn) {
	var got []byte
	block := make([]byte, 4<<10)
	for {
		n, err := conn.Read(block)
		if err != nil {
			io.WriteString(conn, refusal(408))
			linger(conn)
			return
		}
		if len(got) == 0 {
			conn.SetReadDeadline(time.Now().Add(refTimeout))
		}
		got = append(got, block[:n]...)
		if bytes.HasSuffix(got, []byte("\r\n\r\n")) {
			got = got[:0]
			conn.SetReadDeadline(time.Time{})
			io.WriteString(conn, okAnswer)
		}
	}
}

// helloAt echoes "hello" to the i-th empty line, is silent before it and greets after
// it: a server for two cases in which net/http is laxer or stricter than the rules.
func helloAt(at int) func(*net.TCPConn) {
	return onHeads(func(conn *net.TCPConn, i int) bool {
		switch {
		case i == at:
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
		case i > at:
			io.WriteString(conn, okAnswer)
		}
		return true
	})
}

// asHTTP11 rewrites net/http's answers to HTTP/1.0 clients in the two things in which
// it and the rules differ: the version, and that a close is announced.
func asHTTP11(dial func() (net.Conn, error)) func() (net.Conn, error) {
	return func() (net.Conn, error) {
		conn, err := dial()
		if err != nil {
			return nil, err
		}
		return &http11Conn{TCPConn: conn.(*net.TCPConn)}, nil
	}
}

type http11Conn struct{ *net.TCPConn }

func (c *http11Conn) Read(p []byte) (int, error) {
	const room = 32
	n, err := c.TCPConn.Read(p[:len(p)-room])
	status, rest, ok := bytes.Cut(p[:n], []byte("\r\n"))
	if !ok || !bytes.HasPrefix(status, []byte("HTTP/1.0 ")) {
		return n, err
	}
	status[7] = '1'
	if !bytes.Contains(rest, []byte("Connection:")) {
		rest = append([]byte("Connection: close\r\n"), rest...)
	}
	return len(status) + 2 + copy(p[len(status)+2:], rest), err
}
