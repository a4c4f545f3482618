package conform

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"weir/internal/patience"
)

// readFrom reads one answer from a connection that carries text and then ends; pieces
// of one byte when slow.
func readFrom(t *testing.T, method, text string, slow bool) (*response, *peer, error) {
	t.Helper()
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		if !slow {
			io.WriteString(server, text)
			return
		}
		for i := range len(text) {
			io.WriteString(server, text[i:i+1])
		}
	}()
	p := &peer{target: &Target{Patience: patience.Limit}, conn: client}
	t.Cleanup(p.close)
	r, err := p.readResponse(method)
	return r, p, err
}

func TestResponseReaderAccepts(t *testing.T) {
	for _, c := range []struct {
		name, method, text string
		status             int
		body, left         string
	}{
		{"length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiX", 200, "hi", "X"},
		{"no reason", "GET", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", 200, "", ""},
		{"chunks", "GET", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\nA\r\n0123456789\r\n0\r\n\r\nX", 200, "hi0123456789", "X"},
		{"trailers", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-T: 1\r\n\r\n", 200, "", ""},
		{"until close", "GET", "HTTP/1.1 200 OK\r\nConnection: Close\r\n\r\nhello", 200, "hello", ""},
		{"HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nX", 200, "", "X"},
		{"304 with a length", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nX", 304, "", "X"},
		{"100", "GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1", 100, "", "HTTP/1.1"},
		{"high bytes and tab in a value", "GET", "HTTP/1.1 204 OK\r\nX: \x80\ta\r\n\r\n", 204, "", ""},
	} {
		for _, slow := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/slow=%v", c.name, slow), func(t *testing.T) {
				r, p, err := readFrom(t, c.method, c.text, slow)
				if err != nil {
					t.Fatal(err)
				}
				for p.fill(p.until()) == nil {
				}
				if r.status != c.status || string(r.body) != c.body || string(p.buf) != c.left {
					t.Errorf("got %d, body %q, left %q, want %d, %q, %q", r.status, r.body, p.buf, c.status, c.body, c.left)
				}
			})
		}
	}
}

func TestResponseReaderRefuses(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	const coded = ok + "Transfer-Encoding: chunked\r\n\r\n"
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "EOF"},
		{"half a status line", "HTTP/1.1 2", "truncated"},
		{"bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", "want one CR"},
		{"CR inside", "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", "want one CR"},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "status line"},
		{"no space after the status", "HTTP/1.1 200\r\n\r\n", "status line"},
		{"two digits", "HTTP/1.1 20 OK\r\n\r\n", "status line"},
		{"status 999", "HTTP/1.1 999 OK\r\n\r\n", "status line"},
		{"signed status", "HTTP/1.1 +20 OK\r\n\r\n", "status line"},
		{"control in the reason", "HTTP/1.1 200 \x01\r\n\r\n", "status line"},
		{"stray bytes first", "\r\nHTTP/1.1 200 OK\r\n\r\n", "status line"},
		{"no colon", ok + "nonsense\r\n\r\n", "field line"},
		{"space before the colon", ok + "X : 1\r\n\r\n", "field line"},
		{"obs-fold", ok + "X: 1\r\n 2\r\n\r\n", "field line"},
		{"control in a value", ok + "X: \x00\r\n\r\n", "field line"},
		{"end inside the head", ok + "X: 1\r\n", "truncated"},
		{"both framings", ok + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", "both"},
		{"two lengths", ok + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", "Content-Length"},
		{"signed length", ok + "Content-Length: +0\r\n\r\n", "Content-Length"},
		{"another coding", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n", "want chunked"},
		{"framed 204", "HTTP/1.1 204 OK\r\nContent-Length: 0\r\n\r\n", "204"},
		{"framed 100", "HTTP/1.1 100 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "100"},
		{"unframed", ok + "\r\nhello", "neither"},
		{"short body", ok + "Content-Length: 5\r\n\r\nhell", "truncated"},
		{"size with prefix", coded + "0x2\r\nhi\r\n0\r\n\r\n", "chunk size"},
		{"size with sign", coded + "+2\r\nhi\r\n0\r\n\r\n", "chunk size"},
		{"size with space", coded + "2 \r\nhi\r\n0\r\n\r\n", "chunk size"},
		{"empty size", coded + "\r\nhi\r\n", "chunk size"},
		{"data too long", coded + "2\r\nhi!\r\n0\r\n\r\n", "want CRLF"},
		{"no last chunk", coded + "2\r\nhi\r\n", "truncated"},
		{"half a chunk", coded + "5\r\nhi", "truncated"},
		{"half a last chunk", coded + "0\r\n", "truncated"},
		{"bad trailer", coded + "0\r\nnonsense\r\n\r\n", "field line"},
	} {
		t.Run(strings.ReplaceAll(c.name, "/", "|"), func(t *testing.T) {
			r, _, err := readFrom(t, "GET", c.text, false)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %+v, error %v, want an error with %q", r, err, c.want)
			}
			if errors.Is(err, io.EOF) != (c.text == "") {
				t.Errorf("got error %v: io.EOF means an end between answers, and only that", err)
			}
		})
	}
}
