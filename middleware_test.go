package weir_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir"
)

// trail notes the names of what has run.
type trail struct {
	mu    sync.Mutex
	names []string
}

func (y *trail) add(name string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.names = append(y.names, name)
}

func (y *trail) take() string {
	y.mu.Lock()
	defer y.mu.Unlock()
	names := strings.Join(y.names, " ")
	y.names = nil
	return names
}

// passes is a middleware that notes when it runs, before and after the handler.
func (y *trail) passes(name string) weir.Middleware {
	return func(next weir.Handler) weir.Handler {
		return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
			y.add(name)
			w.Header().Set("X-"+name, "yes")
			next.Serve(w, r)
			y.add("/" + name)
		})
	}
}

// bearer is a middleware that responds with 401 to who does not know the token.
func bearer(next weir.Handler) weir.Handler {
	return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		if r.Header().Get("Authorization") != "Bearer t" {
			w.Error(401, "not you")
			return
		}
		next.Serve(w, r)
	})
}

// Middleware given to Use is around all routes of a Mux, and around its own responses.
func TestUse(t *testing.T) {
	y := new(trail)
	m := new(weir.Mux)
	m.Use(y.passes("a"), y.passes("b"))
	m.Use(y.passes("c"))
	m.Handle("GET /own", says("own"), y.passes("d"))
	m.Handle("GET /inline", says("inline")).Inline()
	m.Handle("POST /body", says("body")).StreamBody()
	m.HandleLoop("POST /loop", atOnce(says("loop")))
	m.Handle("GET /tree/", says("tree"))
	atDesk(t, m, nil, func(d *desk) {
		for _, test := range []struct{ request, status, trail string }{
			{"GET /own", "200 OK", "a b c d /d /c /b /a"},
			{"GET /inline", "200 OK", "a b c /c /b /a"},
			{"POST /body", "200 OK", "a b c /c /b /a"},
			{"POST /loop", "200 OK", "a b c /c /b /a"},
			{"GET /nowhere", "404 Not Found", "a b c /c /b /a"},
			{"PUT /own", "405 Method Not Allowed", "a b c /c /b /a"},
			{"OPTIONS /own", "204 No Content", "a b c /c /b /a"},
			{"GET /tree", "307 Temporary Redirect", "a b c /c /b /a"},
			{"BREW /nowhere", "501 Not Implemented", "a b c /c /b /a"},
			{"GET /%00", "400 Bad Request", "a b c /c /b /a"},
		} {
			c := d.dial(test.request + " HTTP/1.1\r\nHost: a\r\n\r\n")
			got, _, _ := strings.Cut(d.seen(c), "\r\n\r\n")
			if trail := y.take(); !strings.HasPrefix(got, "HTTP/1.1 "+test.status) || trail != test.trail || !strings.Contains(got, "\r\nX-a: yes\r\nX-b: yes\r\n") {
				t.Errorf("%s: got %q, ran %s, want %s, %s", test.request, got, trail, test.status, test.trail)
			}
			c.Close()
		}
	})
}

// A Mux's own responses can be its user's.
func TestNotFoundAndMethodNotAllowed(t *testing.T) {
	m := new(weir.Mux)
	m.Use(bearer)
	m.NotFound(weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		time.Sleep(time.Second) // on a goroutine
		fmt.Fprintf(w, "nothing at %s, %q", r.Path(), r.Body())
	}))
	m.MethodNotAllowed(weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) {
		fmt.Fprintf(w, "want %s", w.Header().Get("Allow"))
	}))
	m.Handle("GET /a", says("a"))
	y := new(witness)
	atDesk(t, m, func(s *weir.Server) { s.OnError, s.Logger = y.onError, slog.New(y) }, func(d *desk) {
		const auth = "Host: a\r\nAuthorization: Bearer t\r\n"
		for request, want := range map[string]string{
			"GET /nowhere HTTP/1.1\r\n" + auth + "\r\n":                             `404 Not Found nothing at /nowhere, ""`,
			"POST /nowhere HTTP/1.1\r\n" + auth + "Content-Length: 9\r\n\r\nabc":    `404 Not Found nothing at /nowhere, ""`,
			"POST /nowhere HTTP/1.1\r\n" + auth + "Content-Length: 3\r\n\r\nabc":    `404 Not Found nothing at /nowhere, ""`,
			"PUT /a HTTP/1.1\r\n" + auth + "\r\n":                                   "405 Method Not Allowed want GET, HEAD",
			"OPTIONS /a HTTP/1.1\r\n" + auth + "\r\n":                               "204 No Content ",
			"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n":                              "401 Unauthorized not you\n",
			"PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n": "401 Unauthorized not you\n",
		} {
			c := d.dial(request)
			time.Sleep(2 * time.Second)
			head, body, _ := strings.Cut(d.seen(c), "\r\n\r\n")
			status, _, _ := strings.Cut(head, "\r\n")
			if got := strings.TrimPrefix(status, "HTTP/1.1 ") + " " + body; got != want {
				t.Errorf("%q: got %q, want %q", request, got, want)
			}
			c.Close()
		}
		if calls, _ := y.take(); len(calls) > 0 {
			t.Errorf("got the calls %v of OnError, want none for the user's own responses", calls)
		}
	})
}

// Middleware that responds is enough to refuse a body: the response leaves
// before the body has arrived, and no 100 Continue.
func TestMiddlewareRefusesTheBody(t *testing.T) {
	y := new(trail)
	m := new(weir.Mux)
	m.HandleFunc("POST /buffered", func(w *weir.Response, r *weir.Request) {
		y.add("handler")
		fmt.Fprintf(w, "%d", len(r.Body()))
	}, y.passes("outer"), bearer)
	atDesk(t, m, nil, func(d *desk) {
		for _, framing := range []string{"Content-Length: 100000\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: 9\r\nExpect: 100-continue\r\n"} {
			c := d.dial("POST /buffered HTTP/1.1\r\nHost: a\r\n" + framing + "\r\n")
			if got := d.seen(c); !strings.HasPrefix(got, "HTTP/1.1 401 ") || !strings.Contains(got, "\r\nConnection: close\r\n") || !strings.HasSuffix(got, "not you\n") {
				t.Errorf("%q: got %q, want 401 that closes", framing, got)
			}
			if names := y.take(); names != "outer /outer" {
				t.Errorf("%q: ran %s", framing, names)
			}
			d.write(c, strings.Repeat("x", 60<<10)) // it is read and dropped: no reset takes the response away
			synctest.Wait()
			c.Close()
		}
		// A body that has arrived with the head costs the connection nothing.
		c := d.dial("POST /buffered HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nabPOST /buffered HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\nContent-Length: 2\r\n\r\nab")
		if got := d.seen(c); strings.Contains(got, "Connection: close") || !strings.HasSuffix(got, "\r\n\r\n2") {
			t.Errorf("got %q, want 401 and 200 on one connection", got)
		}
		c.Close()
	})
}

// The handler behind middleware is called when the whole body is there, with 100
// Continue only then, and not at all when the body is refused.
func TestMiddlewareLetsTheBodyIn(t *testing.T) {
	y := new(trail)
	m := new(weir.Mux)
	handler := weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		y.add("handler")
		n, err := io.Copy(io.Discard, r.BodyReader())
		fmt.Fprintf(w, "%d %d %v", len(r.Body()), n, err)
	})
	slow := func(next weir.Handler) weir.Handler {
		return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
			time.Sleep(30 * time.Second)
			next.Serve(w, r)
		})
	}
	looks := func(next weir.Handler) weir.Handler {
		return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
			y.add(fmt.Sprintf("looks:%d", len(r.Clone().Body())))
			next.Serve(w, r)
		})
	}
	m.Handle("POST /slow", handler, y.passes("outer"), slow).MaxBody(1 << 20)
	m.Handle("POST /looks", handler, y.passes("outer"), looks).MaxBody(1 << 20)
	m.Handle("POST /small", handler, y.passes("outer")).MaxBody(8)
	big := strings.Repeat("x", 300<<10)
	for _, test := range []struct{ name, head, body, status, rest, trail string }{
		{"in pieces", "POST /slow HTTP/1.1\r\nContent-Length: 307200", big, "200 OK", "307200 307200 <nil>", "outer handler /outer"},
		{"in chunks", "POST /slow HTTP/1.1\r\nTransfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n", "200 OK", "5 5 <nil>", "outer handler /outer"},
		{"looked at", "POST /looks HTTP/1.1\r\nContent-Length: 307200", big, "200 OK", "307200 307200 <nil>", "outer looks:307200 handler /outer"},
		{"announced too large", "POST /small HTTP/1.1\r\nContent-Length: 9", "", "413 Content Too Large", "Content Too Large\n", ""},
		{"too large", "POST /small HTTP/1.1\r\nTransfer-Encoding: chunked", "9\r\n", "413 Content Too Large", "Content Too Large\n", "outer /outer"},
		{"malformed", "POST /looks HTTP/1.1\r\nTransfer-Encoding: chunked", "zz\r\n", "400 Bad Request", "Bad Request: chunk size is not a hexadecimal number at byte 0 of the coded body\n", "outer looks:0 /outer"},
		{"too slow", "POST /looks HTTP/1.1\r\nContent-Length: 9", "a", "408 Request Timeout", "Request Timeout\n", "outer looks:0 /outer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			atDesk(t, m, nil, func(d *desk) {
				c := d.dial(test.head + "\r\nHost: a\r\n\r\n")
				synctest.Wait()
				go func() { _, _ = io.WriteString(c, test.body) }()
				time.Sleep(time.Minute)
				head, body, _ := strings.Cut(d.seen(c), "\r\n\r\n")
				if !strings.HasPrefix(head, "HTTP/1.1 "+test.status+"\r\n") || body != test.rest {
					t.Errorf("got %q %q, want %s and %q", head, body, test.status, test.rest)
				}
				if got := y.take(); got != test.trail {
					t.Errorf("ran %s, want %s", got, test.trail)
				}
				c.Close()
			})
		})
	}
	t.Run("100 Continue", func(t *testing.T) {
		atDesk(t, m, nil, func(d *desk) {
			c := d.dial("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
			time.Sleep(20 * time.Second) // in which the client owes nothing
			if got := d.seen(c); got != "" {
				t.Errorf("got %q while the middleware runs, want nothing", got)
			}
			time.Sleep(12 * time.Second)
			if got := d.seen(c); got != "HTTP/1.1 100 Continue\r\n\r\n" {
				t.Errorf("got %q, want 100 Continue", got)
			}
			d.write(c, "ab")
			if got := d.seen(c); !strings.HasSuffix(got, "\r\n\r\n2 2 <nil>") {
				t.Errorf("got %q", got)
			}
			c.Close()
		})
	})
	t.Run("disconnected", func(t *testing.T) {
		atDesk(t, m, nil, func(d *desk) {
			c := d.dial("POST /looks HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\na")
			synctest.Wait()
			y.take()
			c.Reset()
			synctest.Wait()
			if got := y.take(); got != "looks:0 /outer" {
				t.Errorf("ran %s when the client disconnected, want the middleware to return", got)
			}
		})
	})
}

// What a Mux is asked behind another handler keeps its routes' properties, or
// fails with an error that names the route.
func TestWrappedMux(t *testing.T) {
	m := new(weir.Mux)
	m.HandleFunc("GET /stream", func(w *weir.Response, r *weir.Request) {
		_ = w.Stream().Send([]byte(r.Pattern()))
	}).MaxStreams(1)
	m.HandleFunc("POST /small", func(w *weir.Response, r *weir.Request) { fmt.Fprint(w, len(r.Body())) }).MaxBody(10)
	m.Handle("POST /mw", says("mw"), bearer)
	m.Handle("GET /inline", says("inline")).Inline()
	m.Handle("POST /body", says("body")).StreamBody()
	m.HandleLoop("POST /loop", atOnce(says("loop")))
	m.HandleFunc("POST /large", func(*weir.Response, *weir.Request) {}).MaxBody(64 << 20)
	m.HandleFunc("POST /endless", func(*weir.Response, *weir.Request) {}).MaxBody(-1)
	m.NotFound(says("no"))
	outer := weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		w.Header().Set("X-Outer", "yes")
		m.Serve(w, r)
	})
	y := new(witness)
	atDesk(t, outer, func(s *weir.Server) { s.Logger = slog.New(y) }, func(d *desk) {
		for range 3 { // each gives its slot back
			if _, body := d.exchange("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"); body != "b\r\nGET /stream\r\n0\r\n\r\n" {
				t.Errorf("got %q", body)
			}
		}
		for _, test := range []struct{ request, body, status, names string }{
			{"POST /small", "0123456789", "200 OK", ""},
			{"POST /small", "0123456789a", "413 Content Too Large", ""},
			{"POST /mw", "", "401 Unauthorized", ""},
			{"GET /nowhere", "", "404 Not Found", ""},
			{"PUT /small", "", "405 Method Not Allowed", ""},
			{"GET /inline", "", "500 Internal Server Error", "GET /inline"},
			{"POST /body", "", "500 Internal Server Error", "POST /body"},
			{"POST /loop", "", "500 Internal Server Error", "POST /loop"},
			{"POST /large", "", "500 Internal Server Error", "POST /large"},
			{"POST /endless", "", "500 Internal Server Error", "POST /endless"},
		} {
			y.take()
			status, _ := d.exchange(fmt.Sprintf("%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", test.request, len(test.body), test.body))
			if status != test.status {
				t.Errorf("%s %s: got %s, want %s", test.request, test.body, status, test.status)
			}
			_, lines := y.take()
			if said := slices.ContainsFunc(lines, func(line string) bool {
				return strings.HasPrefix(line, "ERROR") && strings.Contains(line, fmt.Sprintf("the route %q (registered at ", test.names)) && strings.Contains(line, "Mux.Use")
			}); said != (test.names != "") {
				t.Errorf("%s: got the lines %q, want one that names the route: %v", test.request, lines, test.names != "")
			}
			time.Sleep(time.Second) // for the budget of the log
		}
	})
}

// A Mux may be a route of another one where the two agree.
func TestNestedMux(t *testing.T) {
	inner, m := new(weir.Mux), new(weir.Mux)
	inner.HandleFunc("POST /in/{id}", func(w *weir.Response, r *weir.Request) {
		fmt.Fprintf(w, "%s %s %s", r.Pattern(), r.PathValue("id"), r.Body())
	}, bearer)
	inner.Handle("GET /in/fast", says("fast")).Inline()
	m.Handle("POST /in/", inner)
	m.Handle("GET /in/", inner).Inline()
	m.Handle("PUT /in/", inner).MaxStreams(3)
	inner.HandleFunc("PUT /in/x", func(*weir.Response, *weir.Request) {})
	m.HandleLoop("PATCH /in/", atOnce(inner))
	inner.HandleFunc("PATCH /in/x", func(*weir.Response, *weir.Request) {})
	atDesk(t, m, nil, func(d *desk) {
		for _, test := range []struct{ request, status, body string }{
			{"POST /in/7 HTTP/1.1\r\nAuthorization: Bearer t\r\nContent-Length: 2\r\n", "200 OK", "POST /in/{id} 7 ab"},
			{"POST /in/7 HTTP/1.1\r\nContent-Length: 2\r\n", "401 Unauthorized", "not you\n"},
			{"GET /in/fast HTTP/1.1\r\n", "200 OK", "fast  "},
			{"GET /in/7 HTTP/1.1\r\n", "405 Method Not Allowed", "the method is not allowed here; allowed: POST\n"},
			{"PUT /in/x HTTP/1.1\r\n", "500 Internal Server Error", "Internal Server Error\n"},
			{"PATCH /in/x HTTP/1.1\r\n", "500 Internal Server Error", "Internal Server Error\n"},
		} {
			if status, body := d.exchange(test.request + "Host: a\r\n\r\n" + strings.Repeat("ab", strings.Count(test.request, "Length"))); status != test.status || body != test.body {
				t.Errorf("%q: got %s %q, want %s %q", test.request, status, body, test.status, test.body)
			}
		}
	})
}

// Routes lists what was registered.
func TestRoutes(t *testing.T) {
	m := new(weir.Mux)
	for _, p := range []string{"GET /b", "/a/{x}", "POST h.example/"} {
		m.Handle(p, says(""))
	}
	var got []string
	for rt := range m.Routes() {
		got = append(got, rt.Pattern())
	}
	if want := []string{"GET /b", "/a/{x}", "POST h.example/"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Bodies that arrive while middleware runs count among those that are kept.
func TestMiddlewareAndTheBudgetOfBodies(t *testing.T) {
	m := new(weir.Mux)
	m.HandleFunc("POST /b", func(w *weir.Response, r *weir.Request) { fmt.Fprint(w, len(r.Body())) },
		func(next weir.Handler) weir.Handler { return next })
	var failed error
	atDesk(t, m, func(s *weir.Server) {
		s.Limits.Bodies = 128 << 10
		s.OnError = func(_ *weir.Response, _ *weir.Request, err error) { failed = err }
	}, func(d *desk) {
		c := d.dial("POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
		chunk := "2000\r\n" + strings.Repeat("x", 8<<10) + "\r\n"
		go func() { _, _ = io.WriteString(c, strings.Repeat(chunk, 40)) }()
		if got := d.seen(c); !strings.HasPrefix(got, "HTTP/1.1 503 ") || !errors.Is(failed, weir.ErrBodiesFull) {
			t.Errorf("got %.80q and %v, want 503", got, failed)
		}
		c.Close()
		synctest.Wait()
		if kept := d.srv.Stats().BodyBytes; kept != 0 {
			t.Errorf("got %d bytes kept when all is over, want none", kept)
		}
	})
}
