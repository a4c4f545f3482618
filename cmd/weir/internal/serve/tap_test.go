package serve

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// tap stands between the gateway and an upstream, and keeps what the upstream
// says.
type tap struct {
	addr string

	mu   sync.Mutex
	said *bytes.Buffer
	cond sync.Cond
}

// listenIn starts a tap for the time of the test.
func listenIn(t *testing.T, upstream string) *tap {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{addr: ln.Addr().String(), said: new(bytes.Buffer)}
	p.cond.L = &p.mu
	var all sync.WaitGroup
	all.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { p.carry(in, upstream) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		all.Wait()
	})
	return p
}

// carry ends with either side.
func (p *tap) carry(in net.Conn, upstream string) {
	out, err := net.Dial("tcp", upstream)
	if err != nil {
		in.Close()
		return
	}
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(out, in) // its end is the connection's
		out.Close()
	})
	_, _ = io.Copy(io.MultiWriter(in, p), out) // likewise
	in.Close()
	both.Wait()
}

// Write keeps what the upstream has said.
func (p *tap) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said.Write(b)
	p.cond.Broadcast()
	return len(b), nil
}

// Read waits for what the upstream says.
func (p *tap) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.said.Len() == 0 {
		p.cond.Wait()
	}
	return p.said.Read(b)
}

// body takes the upstream's next answer out and returns its body.
func (p *tap) body(t *testing.T) string {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReaderSize(p, 16), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
