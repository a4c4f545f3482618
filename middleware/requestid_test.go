package middleware_test

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"weir"
	"weir/middleware"
	"weir/weirtest"
)

// M1: only a trusted peer's id is kept, and only if a log can bear it. What a
// client invents never gets into the response or to the handler.
func TestRequestIDs(t *testing.T) {
	made := regexp.MustCompile(`^[0-9a-f]{32}$`)
	long := strings.Repeat("x", 128)
	for _, tt := range []struct {
		name    string
		trusted bool
		fields  string
		keeps   string // "" = an id is made
	}{
		{"none", true, "", ""},
		{"trusted", true, "|X-Request-Id: abc-1", "abc-1"},
		{"in another case", true, "|x-REQUEST-id: abc-1", "abc-1"},
		{"longest", true, "|X-Request-Id: " + long, long},
		{"not trusted", false, "|X-Request-Id: abc-1", ""},
		{"too long", true, "|X-Request-Id: " + long + "x", ""},
		{"empty", true, "|X-Request-Id:", ""},
		{"with a space", true, "|X-Request-Id: a b", ""},
		{"with a tab", true, "|X-Request-Id: a\tb", ""},
		{"not ASCII", true, "|X-Request-Id: ä", ""},
		{"a forged line of a log", true, "|X-Request-Id: 1 level=ERROR msg=\"pwned\"", ""},
		{"another field", true, "|X-Correlation-Id: abc-1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ids := middleware.RequestIDs{}
			if tt.trusted {
				ids.Proxies = middleware.MustPeers("192.0.2.0/24")
			}
			at(t, around(func(w *weir.Response, r *weir.Request) { _, _ = io.WriteString(w, middleware.ID(r)) }, ids.Middleware()), func(s *weirtest.Server) {
				seen := map[string]bool{}
				for _, path := range []string{"/", "/inline", "/inline"} {
					res := ask(s, "GET "+path+tt.fields)
					got := res.Header.Values("X-Request-Id")
					switch {
					case len(got) != 1 || got[0] != res.Body:
						t.Errorf("%s: got %q, and the handler %q", path, got, res.Body)
					case tt.keeps != "" && got[0] != tt.keeps:
						t.Errorf("%s: got %q, want %q", path, got, tt.keeps)
					case tt.keeps == "" && (!made.MatchString(got[0]) || seen[got[0]]):
						t.Errorf("%s: got %q, want a new id", path, got)
					}
					seen[got[0]] = true
				}
				if res := ask(s, "GET /nowhere/else"+tt.fields); res.Header.Get("X-Request-Id") == "" {
					t.Error("a 404 has no id")
				}
			})
		})
	}
}

func TestRequestIDsConfig(t *testing.T) {
	at(t, around(hello, middleware.RequestIDs{Field: "Trace-Id", Prefix: "t-"}.Middleware()), func(s *weirtest.Server) {
		if got := ask(s, "GET /").Header.Get("Trace-Id"); len(got) != 34 || !strings.HasPrefix(got, "t-") {
			t.Errorf("got %q", got)
		}
	})
	for _, c := range []middleware.RequestIDs{{Field: "a b"}, {Prefix: "\n"}, {Prefix: "ä"}} {
		if !panics(func() { c.Middleware() }) {
			t.Errorf("%+v: does not panic", c)
		}
	}
}
