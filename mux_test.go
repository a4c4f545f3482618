package weir_test

import (
	"fmt"
	"regexp"
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
