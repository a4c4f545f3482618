package weir_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir"
)

// says answers with its name and what the pattern took.
func says(name string) weir.Handler {
	return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		fmt.Fprintf(w, "%s %s %s", name, r.PathValue("id"), r.PathValue("rest"))
	})
}

func TestMux(t *testing.T) {
	m := new(weir.Mux)
	m.Handle("GET /models/{id}", says("one")).Inline()
	m.Handle("GET /models/special", says("special"))
	m.Handle("POST /models", says("create")).Inline()
	m.Handle("/files/{rest...}", says("files")).Inline()
	m.Handle("GET /{$}", says("root")).Inline()
	m.Handle("GET b.example/models/{id}", says("host")).Inline()
	m.Handle("GET /tree/", says("tree")).Inline()
	m.Handle("OPTIONS /own", says("own")).Inline()
	tests := []struct{ request, status, body string }{
		{"GET /models/7", "200 OK", "one 7 "},
		{"GET /models/a%2Fb", "200 OK", "one a/b "},
		{"GET /models/special", "200 OK", "special  "},
		{"GET http://b.example/models/7", "200 OK", "host 7 "},
		{"HEAD /models/7", "200 OK", ""},
		{"POST /models", "200 OK", "create  "},
		{"PUT /files/a/b", "200 OK", "files  a/b"},
		{"GET /", "200 OK", "root  "},
		{"GET /tree/x", "200 OK", "tree  "},
		{"GET /tree?q=1", "307 Temporary Redirect", "moved to /tree/?q=1\n"},
		{"GET /tree/../models/7", "307 Temporary Redirect", "moved to /models/7\n"},
		{"GET /nowhere", "404 Not Found", "404 page not found\n"},
		{"DELETE /models", "405 Method Not Allowed", "the method is not allowed here; allowed: POST\n"},
		{"PATCH /models/7", "405 Method Not Allowed", "the method is not allowed here; allowed: GET, HEAD\n"},
		{"BREW /nowhere", "501 Not Implemented", "the method is not implemented\n"},
		{"GET /models/%00", "400 Bad Request", "the path has an encoded NUL\n"},
		{"GET /models/%0d%0aX", "200 OK", "one \r\nX "},
		{"GET /models/7?%", "200 OK", "one 7 "},
		{"OPTIONS /models/7", "204 No Content", ""},
		{"OPTIONS /models", "204 No Content", ""},
		{"OPTIONS /files/a", "200 OK", "files  a"},
		{"OPTIONS /own", "200 OK", "own  "},
		{"OPTIONS /nowhere", "404 Not Found", "404 page not found\n"},
		{"OPTIONS *", "204 No Content", ""},
	}
	atDesk(t, m, nil, func(d *desk) {
		for _, test := range tests {
			status, body := d.exchange(test.request + " HTTP/1.1\r\nHost: a\r\n\r\n")
			if status != test.status || body != test.body {
				t.Errorf("%s: got %s %q, want %s %q", test.request, status, body, test.status, test.body)
			}
		}
		c := d.dial("DELETE /models HTTP/1.1\r\nHost: a\r\n\r\nGET /tree HTTP/1.1\r\nHost: a\r\n\r\n")
		if got := d.seen(c); !strings.Contains(got, "\r\nAllow: POST\r\n") || !strings.Contains(got, "\r\nLocation: /tree/\r\n") {
			t.Errorf("got %q, want Allow and Location", got)
		}
		c.Close()
	})
}

func panics(f func()) (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	f()
	return
}

func TestMuxPanicsNamingThePlaces(t *testing.T) {
	h := says("")
	tests := []struct {
		name     string
		register func(m *weir.Mux)
		want     string
	}{
		{"a conflict", func(m *weir.Mux) { m.Handle("/a/{x}/c", h); m.Handle("/a/b/{y}", h).Inline() }, `mux_test\.go:\d+.*mux_test\.go:\d+`},
		{"the same twice", func(m *weir.Mux) { m.Handle("GET /a", h); m.Handle("GET /a", h).StreamBody() }, `mux_test\.go:\d+.*mux_test\.go:\d+`},
		{"malformed", func(m *weir.Mux) { m.Handle("GET a", h) }, `"GET a".*mux_test\.go:\d+`},
		{"no handler", func(m *weir.Mux) { m.Handle("/a", nil) }, `nil handler.*"/a".*mux_test\.go:\d+`},
		{"a nil middleware", func(m *weir.Mux) { m.Handle("/a", h, nil) }, `nil Middleware.*"/a".*mux_test\.go:\d+`},
		{"a nil middleware for all", func(m *weir.Mux) { m.Use(nil) }, `nil Middleware for Mux\.Use.*mux_test\.go:\d+`},
		{"Use behind a route", func(m *weir.Mux) { m.Handle("/a", h); m.Use() }, `Mux\.Use.*mux_test\.go:\d+.*mux_test\.go:\d+`},
		{"an unknown native handler", func(*weir.Mux) { weir.Native("test/absent") }, `"test/absent".*imported`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := panics(func() { test.register(new(weir.Mux)) }); !regexp.MustCompile("(?s)^weir: .*" + test.want).MatchString(got) {
				t.Errorf("got the panic %q, want %s", got, test.want)
			}
		})
	}
}

// The first middleware is outermost, and each runs once a request, also for a stream.
func TestMiddlewareOrder(t *testing.T) {
	var trail []string
	mark := func(name string) weir.Middleware {
		return func(next weir.Handler) weir.Handler {
			return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
				trail = append(trail, name)
				w.Header().Add("X-By", name)
				next.Serve(w, r)
				trail = append(trail, "/"+name)
			})
		}
	}
	m := new(weir.Mux)
	m.HandleFunc("GET /s", func(w *weir.Response, _ *weir.Request) {
		trail = append(trail, "handler")
		w.StreamFrom(weir.NextChunk(0, func(n *int, dst []byte, _ bool) ([]byte, error) {
			*n++
			return append(dst, 'x'), endIf(*n == 3)
		}))
	}, mark("outer"), mark("inner")).Inline()
	atDesk(t, m, nil, func(d *desk) {
		c := d.get("/s")
		if got := d.seen(c); !strings.Contains(got, "X-By: outer\r\nX-By: inner\r\n") {
			t.Errorf("got %q", got)
		}
		if got := strings.Join(trail, " "); got != "outer inner handler /inner /outer" {
			t.Errorf("got %s", got)
		}
		c.Close()
	})
}

// A pattern from outside is refused by an error, and not registered.
func TestTryHandle(t *testing.T) {
	nothing := weir.HandlerFunc(func(*weir.Response, *weir.Request) {})
	m := new(weir.Mux)
	rt, err := m.TryHandle("/routes/0", "GET /a/{x}", nothing)
	if err != nil || rt.Pattern() != "GET /a/{x}" {
		t.Fatalf("got %v, %v, want a route", rt, err)
	}
	for pattern, want := range map[string]string{
		"GET a":      `weir: pattern: parsing "GET a": at offset 4: host/path missing /`,
		"GET /a/{y}": `weir: pattern: "GET /a/{y}" (registered at /routes/1) conflicts with "GET /a/{x}" (registered at /routes/0):` + "\nGET /a/{y} matches the same requests as GET /a/{x}",
	} {
		if rt, err := m.TryHandle("/routes/1", pattern, nothing); rt != nil || err == nil || err.Error() != want {
			t.Errorf("%s: got %v, %v, want error %s", pattern, rt, err, want)
		}
	}
	if n := len(slices.Collect(m.Routes())); n != 1 {
		t.Errorf("got %d routes, want one", n)
	}
}

// Match finds the route that a request would get.
func TestMatch(t *testing.T) {
	nothing := func(*weir.Response, *weir.Request) {}
	m := new(weir.Mux)
	for _, pattern := range []string{"GET /a/{x}", "PUT /a/b", "POST shop.example/a/{x...}", "/dir/"} {
		m.HandleFunc(pattern, nothing)
	}
	for _, tt := range []struct{ method, host, path, want string }{
		{"GET", "", "/a/c", "GET /a/{x}"},
		{"HEAD", "any:80", "/a/c", "GET /a/{x}"},
		{"PUT", "", "/a/b", "PUT /a/b"},
		{"POST", "shop.example:8080", "/a/b", "POST shop.example/a/{x...}"},
		{"GET", "", "/dir/x", "/dir/"},
		{"GET", "", "/dir", ""},   // a redirect
		{"POST", "", "/a/c", ""},  // 405
		{"GET", "", "/none", ""},  // 404
		{"GET", "", "/a/%00", ""}, // 400
		{"GET", "", "", ""},
	} {
		rt, ok := m.Match(tt.method, tt.host, tt.path)
		if got := patternOf(rt); got != tt.want && ok || ok != (tt.want != "") {
			t.Errorf("%s %s%s: got %q, %v, want %q", tt.method, tt.host, tt.path, got, ok, tt.want)
		}
	}
}

func patternOf(rt *weir.Route) string {
	if rt == nil {
		return ""
	}
	return rt.Pattern()
}
