package tour

import (
	"strings"
	"testing"
)

// G19: a page of another origin changes nothing. The tour's own page and
// programs do, under any Host.
func TestPagesOfOthers(t *testing.T) {
	s := start(t)
	for _, tt := range []struct {
		name, method, path string
		fields             []string
		status             int
	}{
		{"a foreign page publishes", "POST", "/publish", []string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}, 403},
		{"in an old browser", "POST", "/publish", []string{"Origin: https://evil.example"}, 403},
		{"by a form without an origin", "POST", "/publish", []string{"Origin: null", "Sec-Fetch-Site: cross-site"}, 403},
		{"from another port of this machine", "POST", "/publish", []string{"Origin: http://localhost:3000", "Sec-Fetch-Site: same-site"}, 403},
		{"a foreign page uploads", "PUT", "/upload", []string{"Origin: https://evil.example"}, 403},
		{"a foreign page posts", "POST", "/echo", []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"to a handler of net/http", "POST", "/http/headers", []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"a foreign page reads", "GET", "/params/1/2", []string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}, 200},
		{"the tour's own page", "POST", "/publish", []string{"Origin: " + s.url, "Sec-Fetch-Site: same-origin"}, 200},
		{"in an old browser", "POST", "/publish", []string{"Origin: " + s.url}, 200},
		{"a program", "POST", "/publish", nil, 200},
	} {
		if r := s.do(tt.method, tt.path, strings.NewReader("x"), tt.fields...); r.StatusCode != tt.status || r.err != nil {
			t.Errorf("%s: got %d %q, %v, want %d", tt.name, r.StatusCode, r.body, r.err, tt.status)
		}
	}
	c := s.raw("POST /publish HTTP/1.1\r\nHost: foreign.example\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx")
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		t.Errorf("a program that names another Host: got %q, want 200", head)
	}
}
