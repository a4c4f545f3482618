package nethttp_test

import (
	"io"
	"net"
	"net/http"
	"testing"

	"weir"
	"weir/nethttp"
)

// small is the response that is measured.
func small(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "Hello, World!")
}

var smallRequest = []byte("GET /small HTTP/1.1\r\nHost: a.example\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")

// BenchmarkSmall is one request and its small response on a kept connection,
// loopback and the client's system calls included.
func BenchmarkSmall(b *testing.B) {
	plain := weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.WriteString("Hello, World!")
	})
	b.Run("FromHTTP", func(b *testing.B) { ping(b, serve(b, nethttp.FromHTTP(http.HandlerFunc(small)))) })
	b.Run("net/http", func(b *testing.B) { ping(b, onStd(b, http.HandlerFunc(small))) })
	b.Run("weir", func(b *testing.B) { ping(b, serve(b, plain)) })
}

func ping(b *testing.B, addr string) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 4<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(smallRequest); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}
