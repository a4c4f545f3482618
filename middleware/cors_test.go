package middleware_test

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/middleware"
	"weir/weirtest"
)

const page = "https://app.example"

// M3: a page reads a response only if its origin is in the list, byte for byte.
func TestCORSOrigins(t *testing.T) {
	named := middleware.CORS{Origins: []string{page, "http://LocalHost:3000", "null"}}
	for _, tt := range []struct {
		name    string
		cors    middleware.CORS
		origin  string
		allowed string // Access-Control-Allow-Origin
		vary    bool
	}{
		{"named", named, page, page, true},
		{"written in another case", named, "http://localhost:3000", "http://localhost:3000", true},
		{"null, which is named", named, "null", "null", true},
		{"a program", named, "", "", true},
		{"another", named, "https://evil.example", "", true},
		{"a suffix", named, "https://app.example.evil", "", true},
		{"a prefix", named, "https://evilapp.example", "", true},
		{"another scheme", named, "http://app.example", "", true},
		{"another port", named, page + ":8443", "", true},
		{"a subdomain", named, "https://x.app.example", "", true},
		{"with a path", named, page + "/", "", true},
		{"with a user", named, "https://app.example@evil.example", "", true},
		{"a list", named, page + ", https://evil.example", "", true},
		{"a star", named, "*", "", true},
		{"null, which is not", middleware.CORS{Origins: []string{page}}, "null", "", true},
		{"none are", middleware.CORS{}, page, "", true},
		{"all are", middleware.CORS{Origins: []string{"*"}}, "https://evil.example", "*", false},
		{"all are, and a program", middleware.CORS{Origins: []string{"*"}}, "", "*", false}, // a cache may use it for a page
		{"by a function", middleware.CORS{Allow: func(_ *weir.Request, o []byte) bool { return string(o) == page }}, page, page, true},
		{"not by a function", middleware.CORS{Allow: func(_ *weir.Request, o []byte) bool { return string(o) == page }}, "https://b", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at(t, around(hello, tt.cors.Middleware()), func(s *weirtest.Server) {
				origin := ""
				if tt.origin != "" {
					origin = "|Origin: " + tt.origin
				}
				for _, request := range []string{"GET /", "GET /inline", "PUT /", "GET /inline/nothing", "OPTIONS /"} {
					res := ask(s, request+origin)
					if got := res.Header.Values("Access-Control-Allow-Origin"); strings.Join(got, ";") != tt.allowed {
						t.Errorf("%s: got %q, want %q", request, got, tt.allowed)
					}
					if got := slices.Contains(res.Header.Values("Vary"), "Origin"); got != tt.vary {
						t.Errorf("%s: got Vary %q, want Origin: %v", request, res.Header.Values("Vary"), tt.vary)
					}
				}
				res := ask(s, "OPTIONS /"+origin+"|Access-Control-Request-Method: POST")
				if got := res.Header.Get("Access-Control-Allow-Methods"); (got != "") != (tt.allowed != "" && origin != "") || res.Status != 204 {
					t.Errorf("a preflight: got %d and the methods %q", res.Status, got)
				}
			})
		})
	}
}

// M3: what else is in the fields.
func TestCORSFields(t *testing.T) {
	all := middleware.CORS{
		Origins: []string{page}, Methods: []string{"GET", "PURGE"}, Fields: []string{"x-mine", "*"}, Expose: []string{"x-shown"},
		Credentials: true, PrivateNetwork: true, MaxAge: time.Minute,
	}
	const preflight = "OPTIONS /|Origin: " + page + "|Access-Control-Request-Method: PURGE"
	for _, tt := range []struct {
		name    string
		cors    middleware.CORS
		request string
		want    string // fields and their values, without Vary
		vary    string
	}{
		{"a request", all, "GET /|Origin: " + page, "Allow-Credentials: true, Allow-Origin: " + page + ", Expose-Headers: x-shown", "Origin"},
		{
			"a preflight", all, preflight + "|Access-Control-Request-Private-Network: true",
			"Allow-Credentials: true, Allow-Headers: x-mine, Allow-Methods: GET, PURGE, Allow-Origin: " + page + ", Allow-Private-Network: true, Expose-Headers: x-shown, Max-Age: 60",
			"Origin;Access-Control-Request-Headers;Access-Control-Request-Private-Network",
		},
		{
			"what a page asks for", all, preflight + "|Access-Control-Request-Headers: x-other, X-MINE, not a field, ,\"|Access-Control-Request-Headers: x-third",
			"Allow-Credentials: true, Allow-Headers: x-mine, x-other, x-third, Allow-Methods: GET, PURGE, Allow-Origin: " + page + ", Expose-Headers: x-shown, Max-Age: 60",
			"Origin;Access-Control-Request-Headers;Access-Control-Request-Private-Network",
		},
		{
			"a closed list", middleware.CORS{Origins: []string{"*"}, Fields: []string{"x-mine"}, MaxAge: -1}, preflight + "|Access-Control-Request-Headers: x-other|Access-Control-Request-Private-Network: true",
			"Allow-Headers: x-mine, Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE, Allow-Origin: *, Expose-Headers: *, Max-Age: 0", "",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at(t, around(hello, tt.cors.Middleware()), func(s *weirtest.Server) {
				res := ask(s, tt.request)
				var got []string
				for name, values := range res.Header {
					if name, ok := strings.CutPrefix(name, "Access-Control-"); ok {
						got = append(got, name+": "+strings.Join(values, ";"))
					}
				}
				slices.Sort(got)
				if got := strings.Join(got, ", "); got != tt.want || strings.Join(res.Header.Values("Vary"), ";") != tt.vary {
					t.Errorf("got\n%s, Vary %q, want\n%s, %s", got, res.Header.Values("Vary"), tt.want, tt.vary)
				}
			})
		})
	}
}

// Many fields in a preflight cost no more than their length.
func TestCORSManyFields(t *testing.T) {
	at(t, around(hello, middleware.CORS{Origins: []string{page}}.Middleware()), func(s *weirtest.Server) {
		long := strings.Repeat("a,", 7_000)
		res := ask(s, "OPTIONS /|Origin: "+page+"|Access-Control-Request-Method: GET|Access-Control-Request-Headers: "+long)
		if res.Status != 204 || len(res.Header.Get("Access-Control-Allow-Headers")) != 7_000*3-2 {
			t.Errorf("got %d, %d bytes", res.Status, len(res.Header.Get("Access-Control-Allow-Headers")))
		}
	})
}

// A handler's own Vary stays, and is not doubled.
func TestAddVary(t *testing.T) {
	for _, tt := range []struct{ had, want string }{
		{"", "Origin"}, {"Accept", "Accept;Origin"}, {"accept, ORIGIN", "accept, ORIGIN"}, {"*", "*"},
	} {
		at(t, around(func(w *weir.Response, _ *weir.Request) {
			if tt.had != "" {
				w.Header().Set("Vary", tt.had)
			}
			middleware.AddVary(w.Header(), "Origin")
			_, _ = io.WriteString(w, "x")
		}), func(s *weirtest.Server) {
			if got := strings.Join(ask(s, "GET /").Header.Values("Vary"), ";"); got != tt.want {
				t.Errorf("%q: got %q, want %q", tt.had, got, tt.want)
			}
		})
	}
}

// M3: what makes no sense, or would never match, is found when it is made.
func TestCORSConfig(t *testing.T) {
	for _, c := range []middleware.CORS{
		{Origins: []string{"*"}, Credentials: true}, {Origins: []string{page, "null"}, Credentials: true}, {Methods: []string{"a b"}}, {Fields: []string{"a\r\nb"}}, {Expose: []string{""}},
	} {
		if !panics(func() { c.Middleware() }) {
			t.Errorf("%+v: does not panic", c)
		}
	}
	for origin, good := range map[string]bool{
		page: true, "http://LocalHost:3000": true, "http://[::1]:80a": false, "http://[::1]:8080": true, "app://obsidian.md": true, "chrome-extension://abc": true, "file://": true, "https://a:80": true,
		"": false, "app.example": false, "//app.example": false, "https://": false, "https://a/": false, "https://a?b": false, "https://a#b": false, "https://u@a": false,
		"https://a, https://b": false, "https://a,b": false, "https://a b": false, "https://a\r\n": false, "https://*.app.example": false, "https://münchen.example": false,
		"https://a:443": false, "http://a:80": false, "https://a:": false,
	} {
		if got := !panics(func() { middleware.CORS{Origins: []string{origin}}.Policy() }); got != good || (middleware.CheckOrigin(origin) == nil) != good {
			t.Errorf("%q: got %v, want %v", origin, got, good)
		}
	}
}
