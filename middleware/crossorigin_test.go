package middleware_test

import (
	"testing"

	"weir/middleware"
	"weir/weirtest"
)

// M12: what pages of other origins send to change something is refused; all
// else, and what programs send, passes.
func TestCrossOrigin(t *testing.T) {
	for _, tt := range []struct {
		name, request string
		status        int
	}{
		{"a program", "POST /", 200},
		{"the server's own page", "POST /|Origin: http://test|Sec-Fetch-Site: same-origin", 200},
		{"its user", "POST /|Sec-Fetch-Site: none", 200},
		{"behind a proxy that changes Host", "POST /|Origin: https://public.example|Sec-Fetch-Site: same-origin", 200},
		{"an older browser", "POST /|Origin: http://test", 200},
		{"an origin that may", "POST /|Origin: https://app.example|Sec-Fetch-Site: cross-site", 200},
		{"an older browser of one that may", "POST /|Origin: https://app.example", 200},
		{"another page", "POST /|Origin: https://evil.example|Sec-Fetch-Site: cross-site", 403},
		{"another page, an older browser", "POST /|Origin: https://evil.example", 403},
		{"without its origin", "POST /|Sec-Fetch-Site: cross-site", 403},
		{"a neighbour", "POST /|Origin: http://other.test|Sec-Fetch-Site: same-site", 403},
		{"another port", "POST /|Origin: http://test:8081", 403},
		{"a sandboxed frame", "POST /|Origin: null", 403},
		{"nonsense", "POST /|Origin: ::|Sec-Fetch-Site: what", 403},
		{"a neighbour's page with the name in front", "POST /|Origin: http://test.evil.example", 403},
		{"a link", "GET /|Sec-Fetch-Site: cross-site", 200},
		{"another page that reads", "GET /inline|Origin: https://evil.example|Sec-Fetch-Site: cross-site", 200},
		{"another page, no route", "DELETE /|Origin: https://evil.example|Sec-Fetch-Site: cross-site", 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := around(hello, middleware.CrossOrigin{Origins: []string{"https://app.example"}}.Middleware())
			at(t, srv, func(s *weirtest.Server) {
				if res := ask(s, tt.request); res.Status != tt.status {
					t.Errorf("%s: got %d, want %d", tt.request, res.Status, tt.status)
				}
			})
		})
	}
	for _, origin := range []string{"app.example", "https://app.example/", "https://*.example", "null", "file://"} {
		if !panics(func() { middleware.CrossOrigin{Origins: []string{origin}}.Middleware() }) {
			t.Errorf("origin %q: does not panic", origin)
		}
	}
}
