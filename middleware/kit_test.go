package middleware_test

import (
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"weir"
	"weir/internal/leak"
	"weir/weirtest"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m)) }

// at runs f with a server that has the routes, on the kernel in memory. All of
// its clients have addresses of 192.0.2.0/24.
func at(t *testing.T, srv *weir.Server, f func(s *weirtest.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(weirtest.Start(t, srv)) })
}

// around is a server whose only handler, on a goroutine and inline, is behind mw.
func around(h func(*weir.Response, *weir.Request), mw ...weir.Middleware) *weir.Server {
	m := new(weir.Mux)
	m.Use(mw...)
	m.HandleFunc("GET /{$}", h)
	m.HandleFunc("POST /{$}", h)
	m.HandleFunc("GET /inline", h).Inline()
	return &weir.Server{Handler: m}
}

// ask sends a request line and fields, separated by "|", on a connection of its
// own.
func ask(s *weirtest.Server, request string) *weirtest.Response {
	line, fields, _ := strings.Cut(request, "|")
	c := s.Dial()
	defer c.Close()
	head := line + " HTTP/1.1\r\nHost: test\r\n"
	if fields != "" {
		head += strings.ReplaceAll(fields, "|", "\r\n") + "\r\n"
	}
	c.Send(head + "\r\n")
	return c.Response()
}

func hello(w *weir.Response, _ *weir.Request) { _, _ = io.WriteString(w, "hello") }

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.text.Reset()
	return b.text.String()
}

// panics reports whether f panics.
func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}
