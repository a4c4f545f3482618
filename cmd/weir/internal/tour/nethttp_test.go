package tour

import "testing"

// Each line that a net/http handler flushes is a chunk of its own.
func TestHTTPStreamFlushes(t *testing.T) {
	c := start(t).raw("GET /http/stream?n=2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	head := c.head()
	if want := "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"; head != want {
		t.Errorf("got %q, want %q", head, want)
	}
	if got, want := c.rest(), "7\r\nline 1\n\r\n7\r\nline 2\n\r\n0\r\n\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A repeated field is one list, under its canonical name.
func TestHTTPHeaders(t *testing.T) {
	c := start(t).raw("GET /http/headers HTTP/1.1\r\nHost: a\r\nx-two: 1\r\nX-Two: 2\r\nConnection: close\r\n\r\n")
	c.head()
	if got, want := c.rest(), `{"Connection":["close"],"X-Two":["1","2"]}`+"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
