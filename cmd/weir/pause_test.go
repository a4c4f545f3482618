package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Requests whose rest comes while the process is stopped are answered, although
// all their deadlines pass during the pause.
func TestPause(t *testing.T) {
	const (
		paused   = 8 * time.Second
		limit    = 6 * time.Second // more than the preparations take
		requests = 480
	)
	p := launch(t, "tour", "--listen", "127.0.0.1:0", "--head-timeout", limit.String(), "--idle", limit.String())
	addr := p.ready(`weir tour: ready on http://(127\.0\.0\.1:\d+)`)[1]
	all := begin(t, addr, requests)
	p.signal(syscall.SIGSTOP)
	for _, h := range all {
		h.send(t)
	}
	<-time.After(paused)
	p.signal(syscall.SIGCONT)
	var checks sync.WaitGroup
	for _, h := range all {
		checks.Go(func() { h.check(t) })
	}
	checks.Wait()
}

// half is a request of which a part is sent.
type half struct {
	conn net.Conn
	in   *bufio.Reader
	rest string
}

// begin begins n requests: some within their head, some within their body,
// some with nothing yet on a connection that has been used.
func begin(t *testing.T, addr string, n int) (all []*half) {
	t.Helper()
	const (
		get  = "GET /plaintext HTTP/1.1\r\nHost: weir\r\n\r\n"
		post = "POST /echo HTTP/1.1\r\nHost: weir\r\nContent-Length: 20\r\n\r\n01234567890123456789"
	)
	for i := range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		h := &half{conn: c, in: bufio.NewReader(c)}
		switch i % 3 {
		case 0:
			io.WriteString(c, get[:20])
			h.rest = get[20:]
		case 1:
			io.WriteString(c, post[:len(post)-10])
			h.rest = post[len(post)-10:]
		default:
			io.WriteString(c, get)
			h.check(t)
			h.rest = get
		}
		all = append(all, h)
	}
	return all
}

func (h *half) send(t *testing.T) {
	if _, err := io.WriteString(h.conn, h.rest); err != nil {
		t.Error(err)
	}
}

// check wants the response.
func (h *half) check(t *testing.T) {
	res, err := http.ReadResponse(h.in, nil)
	if err != nil {
		t.Errorf("a request was lost: %v", err)
		return
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 {
		t.Errorf("got %d, %q, %v, want 200", res.StatusCode, text, err)
	}
}
