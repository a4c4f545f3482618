package tour

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// routes that answer a GET, with what they answer.
var gets = []struct {
	path        string
	status      int
	contentType string
	body        string // a regular expression
}{
	{"/", 200, "text/plain; charset=utf-8", `Serves one route(.|\n)*/plaintext(.|\n)*`},
	{"/plaintext", 200, "text/plain; charset=utf-8", `Hello, World!`},
	{"/json", 200, "application/json", `\{"message":"Hello, World!"\}`},
	{"/numbers", 200, "text/plain; charset=utf-8", `1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n`},
	{"/numbers?n=2", 200, "text/plain; charset=utf-8", `1\n2\n`},
	{"/numbers?n=0", 200, "text/plain; charset=utf-8", ``},
	{"/sse", 200, "text/event-stream", `(id: (\d)\ndata: tick \d\n\n){5}`},
	{"/sse?n=2&interval=0s", 200, "text/event-stream", `id: 1\ndata: tick 1\n\nid: 2\ndata: tick 2\n\n`},
	{"/sse?n=1&retry=1s", 200, "text/event-stream", `id: 1\nretry: 1000\ndata: tick 1\n\n`},
	{"/sse?n=3&interval=0s&cut=3", 200, "text/event-stream", `(id: \d\ndata: tick \d\n\n){3}`}, // complete
	{"/tokens?interval=1ms", 200, "text/event-stream", `(data: x{8}\n\n){64}data: \[DONE\]\n\n`},
	{"/tokens?n=2&interval=0s&size=3", 200, "text/event-stream", `data: xxx\n\ndata: xxx\n\ndata: \[DONE\]\n\n`},
	{"/tokens?n=0", 200, "text/event-stream", `data: \[DONE\]\n\n`},
	{"/tokens?n=2&interval=1ms&size=24&stamp=1", 200, "text/event-stream", `(data: t=\d{19}x{3}\n\n){2}data: \[DONE\]\n\n`},
	{"/tokens?n=2&interval=1ms&size=4&stamp=1", 200, "text/event-stream", `(data: t=\d{19}\n\n){2}data: \[DONE\]\n\n`},
	{"/burst?n=3&size=5", 200, "text/plain; charset=utf-8", `b{15}`},
	{"/ndjson?n=2", 200, "application/x-ndjson", `\{"n":1,"text":"a line\\nwithin a string"\}\n\{"n":2,"text":"a line\\nwithin a string"\}\n`},
	{"/slow-head?delay=1ms", 202, "text/plain; charset=utf-8", `late\n`},
	{"/slow-head?delay=1ms&status=500", 500, "text/plain; charset=utf-8", `late\n`},
	{"/slow-head?delay=1ms&status=204", 204, "text/plain; charset=utf-8", ``},
	{"/fail?after=0", 500, "text/plain; charset=utf-8", `Internal Server Error\n`},
	{"/fail?after=0&panic=1", 500, "text/plain; charset=utf-8", `Internal Server Error\n`},
	{"/trailers", 200, "text/plain; charset=utf-8", `one\ntwo\n`},
	{"/params/1/2", 200, "application/json", `\{"path".*\}`},
	{"/stats", 200, "application/json", `\{"connections".*\}`},
	{"/http/stream", 200, "text/plain; charset=utf-8", `(line \d\n){5}`},
	{"/http/stream?n=2", 200, "text/plain; charset=utf-8", `line 1\nline 2\n`},
	{"/http/stream?n=0", 200, "text/plain; charset=utf-8", ``},
	{"/http/stream?n=x", 400, "text/plain; charset=utf-8", `parameter n: got "x", want a number .*\n`},
	{"/http/headers", 200, "application/json", `\{"Accept-Encoding":\["gzip"\],"User-Agent":\["Go-http-client/1\.1"\]\}\n`},
	{"/http/nowhere", 404, "text/plain; charset=utf-8", `404 page not found\n`},
	{"/nowhere", 404, "text/plain; charset=utf-8", `404 page not found\n`},
}

func TestGet(t *testing.T) {
	s := start(t)
	for _, tt := range gets {
		t.Run(tt.path, func(t *testing.T) {
			r := s.get(tt.path)
			if r.StatusCode != tt.status || r.Header.Get("Content-Type") != tt.contentType {
				t.Errorf("got %d %s, want %d %s", r.StatusCode, r.Header.Get("Content-Type"), tt.status, tt.contentType)
			}
			if !regexp.MustCompile(`^` + tt.body + `$`).MatchString(r.body) {
				t.Errorf("got %q, want %s", r.body, tt.body)
			}
		})
	}
}

// HEAD has GET's status and fields and no body; a stream that fails later is
// not run so far.
func TestHead(t *testing.T) {
	s := start(t)
	for _, tt := range gets {
		t.Run(tt.path, func(t *testing.T) {
			r := s.do("HEAD", tt.path, nil)
			if r.StatusCode != tt.status || r.Header.Get("Content-Type") != tt.contentType || r.body != "" || r.err != nil {
				t.Errorf("got %d %s %q (%v), want %d %s and no body", r.StatusCode, r.Header.Get("Content-Type"), r.body, r.err, tt.status, tt.contentType)
			}
		})
	}
}

// L3: HTTP/1.0 clients get streams as plain bytes that end with the connection.
func TestHTTP10(t *testing.T) {
	s := start(t)
	for _, tt := range []struct{ path, body string }{
		{"/numbers?n=3", "1\n2\n3\n"},
		{"/sse?n=1", "id: 1\ndata: tick 1\n\n"},
		{"/tokens?n=1&interval=0s", "data: xxxxxxxx\n\ndata: [DONE]\n\n"},
		{"/burst?n=2&size=5000", strings.Repeat("b", 10_000)},
		{"/trailers", "one\ntwo\n"},
	} {
		t.Run(tt.path, func(t *testing.T) {
			c := s.raw("GET " + tt.path + " HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
			head := c.head()
			if !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") || !strings.Contains(head, "\r\nConnection: close\r\n") ||
				strings.Contains(head, "Transfer-Encoding") || strings.Contains(head, "Content-Length") {
				t.Errorf("got the head %q, want one without framing", head)
			}
			if got := c.rest(); got != tt.body {
				t.Errorf("got %q, want %q", got, tt.body)
			}
		})
	}
}

func TestBytesOnTheWire(t *testing.T) {
	s := start(t)
	const plain = "Content-Type: text/plain; charset=utf-8\r\n"
	tests := []struct{ name, request, head, body string }{
		{"plaintext", "GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
			"HTTP/1.1 200 OK\r\n" + plain + "Content-Length: 13\r\nConnection: close\r\n\r\n", "Hello, World!"},
		{"HTTP/1.0", "GET /plaintext HTTP/1.0\r\n\r\n",
			"HTTP/1.1 200 OK\r\n" + plain + "Content-Length: 13\r\nConnection: close\r\n\r\n", "Hello, World!"},
		{"HEAD", "HEAD /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
			"HTTP/1.1 200 OK\r\n" + plain + "Content-Length: 13\r\nConnection: close\r\n\r\n", ""},
		{"a chunk", "GET /numbers?n=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
			"HTTP/1.1 200 OK\r\n" + plain + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n", "2\r\n1\n\r\n0\r\n\r\n"},
		{"204", "GET /slow-head?delay=0s&status=204 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
			"HTTP/1.1 204 No Content\r\n" + plain + "Connection: close\r\n\r\n", ""},
		{"205", "GET /slow-head?delay=0s&status=205 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
			"HTTP/1.1 205 Reset Content\r\n" + plain + "Content-Length: 0\r\nConnection: close\r\n\r\n", ""},
		{"OPTIONS", "OPTIONS /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
			"HTTP/1.1 204 No Content\r\nAllow: POST\r\nConnection: close\r\n\r\n", ""},
		{"wrong method", "DELETE /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
			"HTTP/1.1 405 Method Not Allowed\r\nAllow: POST\r\n" + plain + "Content-Length: 46\r\nConnection: close\r\n\r\n",
			"the method is not allowed here; allowed: POST\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := s.raw(tt.request)
			if got := c.head(); got != tt.head {
				t.Errorf("got the head %q, want %q", got, tt.head)
			}
			if got := c.rest(); got != tt.body {
				t.Errorf("got the body %q, want %q", got, tt.body)
			}
		})
	}
}

func TestEcho(t *testing.T) {
	s := start(t)
	long := strings.Repeat("0123456789", 100_000)
	for _, tt := range []struct {
		name, body, contentType, want string
		chunked                       bool
	}{
		{"fixed", "hello", "text/x-test; q=1", "text/x-test; q=1", false},
		{"chunked", "hello", "text/x-test", "text/x-test", true},
		{"empty", "", "text/x-test", "text/x-test", false},
		{"no content type", "hello", "", "application/octet-stream", false},
		{"a megabyte", long, "text/x-test", "text/x-test", false},
		{"a megabyte in chunks", long, "text/x-test", "text/x-test", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var body io.Reader = strings.NewReader(tt.body)
			if tt.chunked {
				body = io.MultiReader(body) // hides the length
			}
			r := s.do("POST", "/echo", body, "Content-Type: "+tt.contentType)
			if r.StatusCode != 200 || r.body != tt.body || r.err != nil || r.Header.Get("Content-Type") != tt.want {
				t.Errorf("got %d %s, %d bytes (%v), want 200 %s and the %d bytes back",
					r.StatusCode, r.Header.Get("Content-Type"), len(r.body), r.err, tt.want, len(tt.body))
			}
		})
	}
}

func TestParams(t *testing.T) {
	r := start(t).get("/params/a%20b/%22c%22?x=1&x=2&y=%0a", "X-Test: one", "User-Agent: ")
	var got struct {
		Path    map[string]string
		Query   url.Values
		Headers http.Header
	}
	if err := json.Unmarshal([]byte(r.body), &got); err != nil {
		t.Fatalf("got %s: %v", r.body, err)
	}
	if got.Path["id"] != "a b" || got.Path["slug"] != `"c"` {
		t.Errorf("got path values %q", got.Path)
	}
	if x := got.Query["x"]; len(x) != 2 || x[0] != "1" || x[1] != "2" || got.Query.Get("y") != "\n" {
		t.Errorf("got query %q", got.Query)
	}
	if got.Headers.Get("X-Test") != "one" || got.Headers.Get("Host") == "" {
		t.Errorf("got headers %q", got.Headers)
	}
}

func TestBadParameters(t *testing.T) {
	s := start(t)
	for _, tt := range []struct{ path, want string }{
		{"/numbers?n=x", "parameter n: got \"x\", want a number from 0 to 1000000000000000000\n"},
		{"/numbers?n=-1", "n: got"},
		{"/numbers?n=1000000000000000001", "n: got"},
		{"/numbers?n=99999999999999999999", "n: got"},
		{"/sse?n=1.5", "n: got"},
		{"/sse?interval=5", "parameter interval: got \"5\", want a duration from 0s to 1h0m0s\n"},
		{"/sse?interval=-1s", "interval: got"},
		{"/sse?interval=61m", "interval: got"},
		{"/sse?cut=-1", "cut: got"},
		{"/sse?retry=1", "retry: got"},
		{"/tokens?n=1e3", "n: got"},
		{"/tokens?interval=x", "interval: got"},
		{"/tokens?size=0", "size: got"},
		{"/tokens?size=65537", "size: got"},
		{"/tokens?stamp=yes", "stamp: got"},
		{"/burst?n=1000000001", "n: got"},
		{"/burst?size=1048577", "size: got"},
		{"/ndjson?n=x", "n: got"},
		{"/clock?interval=0s", "interval: got"},
		{"/clock?heartbeat=x", "heartbeat: got"},
		{"/slow-head?delay=2h", "delay: got"},
		{"/slow-head?status=199", "status: got"},
		{"/slow-head?status=600", "status: got"},
		{"/fail?after=1001", "after: got"},
		{"/fail?panic=2", "panic: got"},
		{"/fail?interval=5", "interval: got"},
		{"/stats?gc=x", "gc: got"},
		{"/numbers?n=" + strings.Repeat("9", 1000), "n: got \"" + strings.Repeat("9", 40) + "\", want"},
	} {
		t.Run(tt.path[:min(40, len(tt.path))], func(t *testing.T) {
			r := s.get(tt.path)
			if r.StatusCode != 400 || !strings.Contains(r.body, tt.want) || r.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
				t.Errorf("got %d %s %q, want 400 and %q", r.StatusCode, r.Header.Get("Content-Type"), r.body, tt.want)
			}
		})
	}
}

// The page has all routes of the help.
func TestPageHasEachRoute(t *testing.T) {
	table, err := page.ReadFile("page/routes.js")
	if err != nil {
		t.Fatal(err)
	}
	routes := regexp.MustCompile(`(?m)^  (GET|POST|PUT) +(/[^ ?…]+)`).FindAllStringSubmatch(help, -1)
	if len(routes) < 16 {
		t.Fatalf("got %d routes in the help, want all", len(routes))
	}
	for _, m := range routes {
		if method, path := m[1], m[2]; path != "/stats" && !regexp.MustCompile(`"`+regexp.QuoteMeta(path)+`(\{name\})?"`).Match(table) {
			t.Errorf("the page has no button for %s %s: add a row to page/routes.js", method, path)
		}
	}
}
