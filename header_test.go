package weir_test

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/http1"
)

func fields(h *weir.Header) (list []string) {
	for name, value := range h.All() {
		list = append(list, name+"="+value)
	}
	return list
}

func TestHeader(t *testing.T) {
	var h weir.Header
	for _, f := range [][2]string{{"A", "1"}, {"b", "2"}, {"a", "3"}, {"C", "4"}} {
		if err := h.TryAdd(f[0], f[1]); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.Get("a"); got != "1" {
		t.Errorf("Get: got %q, want the first", got)
	}
	if got := h.Values("A"); !slices.Equal(got, []string{"1", "3"}) {
		t.Errorf("Values: got %q", got)
	}
	if err := h.TrySet("A", "5"); err != nil || !slices.Equal(fields(&h), []string{"A=5", "b=2", "C=4"}) {
		t.Errorf("Set: got %q, %v, want one A in the place of the first", fields(&h), err)
	}
	if err := h.TrySet("new", ""); err != nil || !h.Has("NEW") || h.Len() != 4 {
		t.Errorf("Set of a new one: got %q, %v", fields(&h), err)
	}
	h.Del("B")
	h.Del("absent")
	if got := fields(&h); !slices.Equal(got, []string{"A=5", "C=4", "new="}) || h.Has("b") {
		t.Errorf("Del: got %q", got)
	}
}

// H21: a field that would break the head is refused and changes nothing.
func TestHeaderRefuses(t *testing.T) {
	bad := [][2]string{{"", "x"}, {"a b", "x"}, {"a:", "x"}, {"a\n", "x"}, {"é", "x"},
		{"a", "x\r\ny: z"}, {"a", "\n"}, {"a", "\r"}, {"a", "\x00"}, {"a", "\x7f"}, {"a", "\x01"}}
	framing := []string{"Content-Length", "content-length", "Transfer-Encoding", "Connection", "Keep-Alive", "Date", "Trailer", "Upgrade"}
	serve := func(w *weir.Response, r *weir.Request) {
		before := fields(w.Header())
		for _, f := range bad {
			if !errors.Is(w.Header().TrySet(f[0], f[1]), weir.ErrField) || w.Header().TryAdd(f[0], f[1]) == nil || r.Header().TrySet(f[0], f[1]) == nil {
				t.Errorf("%q: %q was taken", f[0], f[1])
			}
		}
		for _, name := range framing {
			if err := w.Header().TrySet(name, "7"); !errors.Is(err, weir.ErrFramingField) {
				t.Errorf("%s: got %v, want ErrFramingField", name, err)
			}
		}
		if got := fields(w.Header()); !slices.Equal(got, before) {
			t.Errorf("got %q afterwards, want no change", got)
		}
		w.Header().Set("X-Good", "tab\tand \xff")
	}
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": serve})
	m.HandleFunc("GET /inline", serve).Inline()
	atDesk(t, m, nil, func(d *desk) {
		for _, path := range []string{"/s", "/inline"} {
			c := d.get(path)
			if got := d.seen(c); !strings.Contains(got, "\r\nX-Good: tab\tand \xff\r\n") || strings.Count(got, "Content-Length") != 1 {
				t.Errorf("got %q", got)
			}
			c.Close()
		}
	})
}

// A field that cannot be written fails the response, wherever it is set, and is
// reported once; behind the head it is only logged.
func TestHeaderFailsTheResponse(t *testing.T) {
	bad := map[string]func(w *weir.Response, r *weir.Request){
		"Set":         func(w *weir.Response, _ *weir.Request) { w.Header().Set("X", "a\r\nb") },
		"Add":         func(w *weir.Response, _ *weir.Request) { w.Header().Add("a b", "x") },
		"SetCookie":   func(w *weir.Response, _ *weir.Request) { w.SetCookie(&http.Cookie{Name: "a b", Value: "x"}) },
		"Redirect":    func(w *weir.Response, _ *weir.Request) { w.Redirect(307, "/a\r\nX: b") },
		"no redirect": func(w *weir.Response, _ *weir.Request) { w.Redirect(304, "/a") },
		"a length":    func(w *weir.Response, _ *weir.Request) { w.SetContentLength(-1) },
		"twice":       func(w *weir.Response, _ *weir.Request) { w.Header().Set("Date", "now"); w.Header().Set("Date", "now") },
		"the request": func(_ *weir.Response, r *weir.Request) { r.Header().Set("X", "a\x00") },
		"a stream":    func(w *weir.Response, _ *weir.Request) { w.Stream(); w.Header().Set("", "x") },
		"written":     func(w *weir.Response, _ *weir.Request) { w.WriteString("secret"); w.Header().Set("", "x") },
	}
	for name, set := range bad {
		h := weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
			set(w, r)
			w.WriteString("more")
		})
		m := new(weir.Mux)
		m.Handle("GET /goroutine", h)
		m.Handle("GET /inline", h).Inline()
		m.HandleLoop("GET /loop", atOnce(h))
		m.Handle("GET /middleware", says("x"), func(next weir.Handler) weir.Handler {
			return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) { set(w, r); next.Serve(w, r) })
		})
		y := new(witness)
		var errs []error
		atDesk(t, m, func(s *weir.Server) {
			s.Logger = slog.New(y)
			s.OnError = func(_ *weir.Response, _ *weir.Request, err error) { errs = append(errs, err) }
		}, func(d *desk) {
			for _, path := range []string{"/goroutine", "/inline", "/loop", "/middleware"} {
				errs = nil
				if status, body := d.exchange("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"); status != "500 Internal Server Error" || body != "Internal Server Error\n" {
					t.Errorf("%s, %s: got %s %q, want 500", name, path, status, body)
				}
				_, lines := y.take()
				want := weir.ErrField
				switch name {
				case "a length":
					want = weir.ErrLength
				case "no redirect":
					want = weir.ErrRedirect
				}
				if len(errs) != 1 || !errors.Is(errs[0], want) || len(lines) == 0 || !strings.HasPrefix(lines[0], "ERROR") || len(lines) > 1 && name != "twice" {
					t.Errorf("%s, %s: got the errors %v and the lines %q, want one, %v", name, path, errs, lines, want)
				}
				time.Sleep(time.Second) // for the budget of the log
			}
		})
	}
}

// OnHeaders that sets a bad field, and OnError that does, have no way out of it.
func TestHeaderOfHooks(t *testing.T) {
	y := new(witness)
	m := new(weir.Mux)
	m.HandleFunc("GET /", func(*weir.Response, *weir.Request) { t.Error("the handler runs, though the response has failed") })
	atDesk(t, m, func(s *weir.Server) {
		s.Logger = slog.New(y)
		s.OnHeaders = func(w *weir.Response, r *weir.Request) bool {
			w.Header().Set("X", "\n")
			return r.Query().Has("yes")
		}
		s.OnError = func(w *weir.Response, _ *weir.Request, _ error) { w.Header().Set("Y", "\n"); w.Header().Set("Z", "z") }
	}, func(d *desk) {
		for _, path := range []string{"/", "/?yes=1"} {
			c := d.get(path)
			if got := d.seen(c); strings.Count(got, "HTTP/1.1") != 1 || !strings.HasPrefix(got, "HTTP/1.1 500 ") || !strings.Contains(got, "Z: z\r\n") {
				t.Errorf("%s: got %q", path, got)
			}
			c.Close()
			if _, lines := y.take(); len(lines) != 2 || !strings.Contains(lines[1], "OnError") {
				t.Errorf("%s: got the lines %q", path, lines)
			}
		}
	})
}

// G12, RFC 9110 6.6.1: an answer that is passed on keeps its date; what is no
// date is refused; there is one Date and never two.
func TestSetDate(t *testing.T) {
	const old = "Sun, 06 Nov 1994 08:49:37 GMT"
	for path, tt := range map[string]struct {
		set  func(w *weir.Response) error
		want bool // the old date
		err  error
	}{
		"/kept":    {func(w *weir.Response) error { return w.SetDate(old) }, true, nil},
		"/twice":   {func(w *weir.Response) error { _ = w.SetDate("Mon, 07 Nov 1994 08:49:37 GMT"); return w.SetDate(old) }, true, nil},
		"/garbage": {func(w *weir.Response) error { return w.SetDate("now") }, false, weir.ErrDate},
		"/break":   {func(w *weir.Response) error { return w.SetDate(old + "\r\nX: y") }, false, weir.ErrDate},
		"/back":    {func(w *weir.Response) error { _ = w.SetDate(old); return w.SetDate("") }, false, nil},
		"/cleared": {func(w *weir.Response) error { err := w.SetDate(old); w.Header().Clear(); return err }, false, nil},
		"/header":  {func(w *weir.Response) error { return w.Header().TrySet("Date", old) }, false, weir.ErrFramingField},
		"/failed":  {func(w *weir.Response) error { err := w.SetDate(old); w.Stream().Abort(nil); return err }, false, nil},
	} {
		handler := weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) {
			if err := tt.set(w); !errors.Is(err, tt.err) {
				t.Errorf("%s: got %v, want %v", path, err, tt.err)
			}
		})
		m := new(weir.Mux)
		m.Handle("GET "+path, handler)
		m.Handle("GET /inline"+path, handler).Inline()
		atDesk(t, m, nil, func(d *desk) {
			for _, path := range []string{path, "/inline" + path, "/inline" + path} { // the last in an exchange that was used before
				c := d.get(path)
				got := d.seen(c)
				c.Close()
				if n := strings.Count(got, "\r\nDate: "); n != 1 || strings.Contains(got, old) != tt.want {
					t.Errorf("%s: got %q, want one Date, that of 1994 %v", path, got, tt.want)
				}
			}
		})
	}
}

// A request's header is the parsed one until somebody changes it.
func TestRequestHeader(t *testing.T) {
	atDesk(t, mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, r *weir.Request) {
		h := r.Header()
		if h.Get("x") != "1" || !h.Has("X") || h.Len() != 3 || !slices.Equal(h.Values("X"), []string{"1", "2"}) {
			t.Errorf("got %q", fields(h))
		}
		if err := h.TrySet("X", "3"); err != nil || !slices.Equal(fields(h), []string{"Host=a", "X=3"}) {
			t.Errorf("after Set: got %q, %v", fields(h), err)
		}
	}}), nil, func(d *desk) {
		if status, _ := d.exchange("GET /s HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n\r\n"); status != "200 OK" {
			t.Errorf("got %s", status)
		}
	})
}

// Views and View show what All and Get copy, of a head as it came and of one
// that was changed.
func TestHeaderViews(t *testing.T) {
	check := func(h *weir.Header) {
		t.Helper()
		var got []string
		for name, value := range h.Views() {
			got = append(got, string(name)+"="+string(value))
			if first := h.View(strings.ToUpper(string(name))); string(first) != h.Get(string(name)) {
				t.Errorf("View of %s: got %q, want %q", name, first, h.Get(string(name)))
			}
		}
		if want := fields(h); !slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("Views: got %q, want %q", got, want)
		}
		for name := range h.Views() {
			if string(name) != got[0][:strings.IndexByte(got[0], '=')] {
				t.Errorf("got %q first, want that of %q", name, got[0])
			}
			break
		}
		if h.View("absent") != nil || h.View("empty") == nil {
			t.Errorf("got %q for an absent field and %q for an empty one, want nil and not nil", h.View("absent"), h.View("empty"))
		}
	}
	serve := func(_ *weir.Response, r *weir.Request) {
		check(r.Header())
		r.Header().Set("added", "1")
		check(r.Header())
	}
	atDesk(t, mux(map[string]func(*weir.Response, *weir.Request){"GET /": serve}), nil, func(d *desk) {
		d.exchange("GET / HTTP/1.1\r\nHost: a\r\nTwice: 1\r\ntwice: 2\r\nEmpty:\r\n\r\n")
	})
}

// AddField keeps a copy, and takes a field of the response before only when it is
// the same.
func TestLoopAddField(t *testing.T) {
	value := []byte("one")
	m := new(weir.Mux)
	m.HandleLoop("GET /", looped(func(x *weir.LoopExchange) *receiver {
		x.AddField([]byte("X-A"), value)
		value[0]++
		x.AddField([]byte("X-B"), []byte("same"))
		x.End()
		return new(receiver)
	}))
	m.HandleLoop("GET /bad", looped(func(x *weir.LoopExchange) *receiver {
		x.AddField([]byte("Content-Length"), []byte("7"))
		x.End()
		return new(receiver)
	}))
	atDesk(t, m, nil, func(d *desk) {
		c := d.dial("")
		for _, want := range []string{"one", "pne", "qne"} {
			d.write(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			if got := d.seen(c); !strings.Contains(got, "\r\nX-A: "+want+"\r\nX-B: same\r\n") {
				t.Errorf("got %q, want X-A: %s and X-B: same", got, want)
			}
		}
		if status, _ := d.exchange("GET /bad HTTP/1.1\r\nHost: a\r\n\r\n"); status != "500 Internal Server Error" {
			t.Errorf("got %s for a field of the framing, want 500", status)
		}
	})
}

// H19, G12: a list is all lines of its field, and what Connection names on any of them is for the connection only, among
// the fields that came and those that were set.
func TestHeaderLists(t *testing.T) {
	check := func(name string, h *weir.Header) {
		for token, want := range map[string]bool{"keep-alive": true, "X-HOP": true, "x-last": true, "x-a": false, "": false} {
			if got := h.HasToken("connection", token); got != want {
				t.Errorf("%s: %q: got %v, want %v", name, token, got, want)
			}
		}
		for field, want := range map[string]http1.Class{
			"x-hop": http1.HopByHop, "X-Last": http1.HopByHop, "x-a": 0, "TE": http1.HopByHop | http1.Framing | http1.NoTrailer,
		} {
			if got := h.ClassOf([]byte(field)); got != want {
				t.Errorf("%s: class of %s: got %b, want %b", name, field, got, want)
			}
		}
	}
	lines := [][2]string{{"Connection", "keep-alive"}, {"X-A", "x-b"}, {"connection", ",x-hop ,"}, {"Connection", "x-last"}}
	var own weir.Header
	request := "GET / HTTP/1.1\r\nHost: a\r\n"
	for i, line := range lines {
		if err := own.TryAdd(line[0], line[1]); err != nil {
			t.Fatal(err)
		}
		if i < len(lines)-1 {
			request += line[0] + ": " + line[1] + "\r\n"
		}
	}
	check("fields that were set", &own)
	atDesk(t, weir.HandlerFunc(func(_ *weir.Response, r *weir.Request) {
		r.Header().Add("Connection", "x-last")
		check("a request's", r.Header())
		r.Header().Del("X-A") // the fields are copied
		check("a request's that were changed", r.Header())
	}), nil, func(d *desk) { d.exchange(request + "\r\n") })
}
