package tour

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/internal/leak"
	"weir/internal/patience"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m)) }

// server is a tour that runs for a test.
type server struct {
	*weir.Server
	t      *testing.T
	url    string
	client *http.Client
}

func start(t *testing.T, configure ...func(*weir.Server)) *server {
	return startOn(t, "127.0.0.1:0", configure...)
}

func startOn(t *testing.T, addr string, configure ...func(*weir.Server)) *server {
	t.Helper()
	s := &server{Server: New(slog.New(slog.DiscardHandler)), t: t}
	s.Timeouts.Drain, s.Timeouts.Mercy = time.Second, 10*time.Millisecond
	for _, f := range configure {
		f(s.Server)
	}
	if err := s.Start(addr); err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + s.Addrs()[0].String()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return s.dial() }}
	s.client = &http.Client{Transport: transport, Timeout: patience.Limit}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if _, err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// dial opens a raw connection.
func (s *server) dial() (net.Conn, error) {
	addr := s.Addrs()[0]
	return net.Dial(addr.Network(), addr.String())
}

// reply is an answer, read to its end; an empty Response if there was none.
type reply struct {
	*http.Response
	body string
	err  error
}

// do makes a request; fields are "Name: value".
func (s *server) do(method, path string, body io.Reader, fields ...string) reply {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		req.Header.Set(name, value)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return reply{&http.Response{}, "", err}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return reply{res, string(text), err}
}

// get makes a GET that must be answered in full.
func (s *server) get(path string, fields ...string) reply {
	s.t.Helper()
	r := s.do("GET", path, nil, fields...)
	if r.err != nil {
		s.t.Errorf("GET %s: got %q, then %v", path, r.body, r.err)
	}
	return r
}

// raw sends a request as it stands and returns the connection.
func (s *server) raw(request string) *rawConn {
	s.t.Helper()
	c, err := s.dial()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience.Limit)); err != nil {
		s.t.Fatal(err)
	}
	r := &rawConn{c, bufio.NewReader(c), s.t}
	r.send(request)
	return r
}

// rawConn is a connection on which a test writes HTTP itself.
type rawConn struct {
	net.Conn
	r *bufio.Reader
	t *testing.T
}

func (c *rawConn) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// head reads a head and returns it without its Date.
func (c *rawConn) head() string {
	c.t.Helper()
	var head strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("got %q, then %v, want a head", head.String(), err)
		}
		if strings.HasPrefix(line, "Date: ") {
			continue
		}
		if head.WriteString(line); line == "\r\n" {
			return head.String()
		}
	}
}

// rest reads to the end of the connection.
func (c *rawConn) rest() string {
	c.t.Helper()
	text, err := io.ReadAll(c.r)
	if err != nil {
		c.t.Fatalf("got %q, then %v, want the end", text, err)
	}
	return string(text)
}
