package nethttp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/internal/leak"
	"weir/internal/patience"
	"weir/nethttp"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // of mistakes that handlers make on purpose
	os.Exit(leak.Check(m))
}

// onWeir serves h on weir's loops, with bodies that arrive while it runs, and
// returns the address.
func onWeir(t testing.TB, h http.Handler, set ...func(*weir.Server)) string {
	t.Helper()
	mux := new(weir.Mux)
	mux.Handle("/", nethttp.FromHTTP(h)).StreamBody()
	return serve(t, mux, set...)
}

// serve starts a server for h until the test ends.
func serve(t testing.TB, h weir.Handler, set ...func(*weir.Server)) string {
	t.Helper()
	srv := &weir.Server{Handler: h, Loops: 1, Logger: slog.New(slog.DiscardHandler)}
	srv.Timeouts.Drain, srv.Timeouts.Mercy = 5*time.Second, -1
	for _, f := range set {
		f(srv)
	}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience.Limit)
		defer cancel()
		if _, err := srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return srv.Addrs()[0].String()
}

// onStd serves h with net/http.
func onStd(t testing.TB, h http.Handler) string {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

// client is a connection on which a test writes HTTP itself.
type client struct {
	net.Conn
	r *bufio.Reader
	t testing.TB
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience.Limit)); err != nil {
		t.Fatal(err)
	}
	return &client{c, bufio.NewReader(c), t}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// response renders one response: the head in the order of its fields, without
// Date, and the body as it came, framing and all.
func (c *client) response(method string) string {
	head, err := c.head()
	if err != nil {
		return "no response"
	}
	var b strings.Builder
	slices.Sort(head[1:])
	for _, line := range head {
		if !strings.HasPrefix(line, "Date: ") {
			b.WriteString(line + "\n")
		}
	}
	b.WriteString("\n")
	if method != "HEAD" && !strings.Contains(head[0], " 204 ") && !strings.Contains(head[0], " 304 ") {
		if err := c.body(&b, head); err != nil {
			b.WriteString("[cut]")
		}
	}
	return b.String()
}

func (c *client) head() (lines []string, err error) {
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if line == "\r\n" {
			return lines, nil
		}
		lines = append(lines, strings.TrimSuffix(line, "\r\n"))
	}
}

// body copies the body by the framing that the head has.
func (c *client) body(w io.Writer, head []string) error {
	for _, line := range head {
		if n, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			length, err := strconv.ParseInt(n, 10, 64)
			if err != nil {
				return err
			}
			_, err = io.CopyN(w, c.r, length)
			return err
		}
		if line == "Transfer-Encoding: chunked" {
			return c.chunks(w)
		}
	}
	_, err := io.Copy(w, c.r)
	return err
}

func (c *client) chunks(w io.Writer) error {
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(strings.TrimSuffix(line, "\r\n"), 16, 64)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "<%d>", size)
		if size == 0 {
			trailers, err := c.head()
			for _, line := range trailers {
				fmt.Fprintf(w, "\n%s", line)
			}
			return err
		}
		if _, err := io.CopyN(w, c.r, size); err != nil {
			return err
		}
		if _, err := c.r.Discard(2); err != nil {
			return err
		}
	}
}

// next is whether the connection serves another request.
func (c *client) next() string {
	if _, err := io.WriteString(c, "GET /probe HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		return "closed"
	}
	line, err := c.r.ReadString('\n')
	if err != nil {
		return "closed"
	}
	return "open: " + strings.TrimSpace(line)
}

// want fails the test if got is not want.
func want[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// wantIs fails the test if err is not target.
func wantIs(t testing.TB, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: got %v, want %v", what, err, target)
	}
}

// soon receives from c, or fails the test.
func soon[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience.Limit):
		t.Fatalf("%s: nothing after %v", what, patience.Limit)
		panic("unreachable")
	}
}
