package weir_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"weir"
)

func TestRequest(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){"POST /a/{id}/{rest...}": func(w *weir.Response, r *weir.Request) {
		q := r.Query()
		got := []string{r.Method(), r.Path(), r.RawQuery(), r.Host(), r.Pattern(), r.PathValue("id"),
			r.PathValue("rest"), r.PathValue("other"), q.Get("x"), strings.Join(q["y"], "+"), r.LastEventID(), string(r.Body()), r.RemoteAddr().Addr().String()}
		want := []string{"POST", "/a/1%202/b/c", "x=%20&y=1&y=2", "host:80", "POST /a/{id}/{rest...}", "1 2",
			"b/c", "", " ", "1+2", "99", "body", "192.0.2.1"}
		if !slices.Equal(got, want) || r.ContentLength() != 4 {
			t.Errorf("got %q, want %q", got, want)
		}
	}})
	atDesk(t, m, nil, func(d *desk) {
		status, _ := d.exchange("POST /a/1%202/b/c?x=%20&y=1&y=2 HTTP/1.1\r\nHost: host:80\r\nLast-Event-ID: 99\r\nContent-Length: 4\r\n\r\nbody")
		if status != "200 OK" {
			t.Errorf("got %s", status)
		}
	})
}

// A clone is not touched by what comes on the connection afterwards.
func TestClone(t *testing.T) {
	var clones []*weir.Request
	m := new(weir.Mux)
	m.HandleFunc("/a/{id}", func(_ *weir.Response, r *weir.Request) {
		if r.Method() == "POST" {
			r.Header().Set("X", "changed")
		}
		clones = append(clones, r.Clone())
	}).Inline()
	atDesk(t, m, nil, func(d *desk) {
		c := d.dial("GET /a/1?q=2 HTTP/1.1\r\nHost: h\r\nX: 3\r\n\r\nPOST /a/4 HTTP/1.1\r\nHost: h\r\nX: 5\r\nContent-Length: 4\r\n\r\nbody")
		d.seen(c)
		d.write(c, strings.Repeat("GET /zzzzzzzzzzzzzzzzzzzzzz HTTP/1.1\r\nHost: zzzzzzzzz\r\n\r\n", 10))
		d.seen(c)
		c.Close()
	})
	if len(clones) != 2 {
		t.Fatalf("got %d requests, want 2", len(clones))
	}
	for i, want := range [][]string{{"GET", "/a/1", "q=2", "h", "1", "3", ""}, {"POST", "/a/4", "", "h", "4", "changed", "body"}} {
		r := clones[i]
		got := []string{r.Method(), r.Path(), r.RawQuery(), r.Host(), r.PathValue("id"), r.Header().Get("X"), string(r.Body())}
		if !slices.Equal(got, want) || r.Pattern() != "/a/{id}" || r.Clone().PathValue("id") != want[4] {
			t.Errorf("got %q, want %q", got, want)
		}
		if r.Context().Done() != nil {
			t.Error("a clone's context can be done")
		}
		r.OnClose(func(error) { t.Error("a clone was closed") })
	}
}

// OnClose is called once, Context is done with the cause, whatever the end.
func TestEndOfARequest(t *testing.T) {
	tests := []struct {
		name  string
		serve func(w *weir.Response, r *weir.Request)
		want  error // nil: answered in full
	}{
		{"buffered", func(w *weir.Response, _ *weir.Request) { w.WriteString("x") }, nil},
		{"empty", func(*weir.Response, *weir.Request) {}, nil},
		{"streamed", func(w *weir.Response, _ *weir.Request) { _ = w.Stream().Send([]byte("x")) }, nil},
		{"aborted", func(w *weir.Response, _ *weir.Request) { w.Stream().Abort(errLuck) }, errLuck},
		{"aborted late", func(w *weir.Response, _ *weir.Request) { _ = w.Stream().Send([]byte("x")); w.Stream().Abort(errLuck) }, errLuck},
		{"panicked", func(*weir.Response, *weir.Request) { panic(errLuck) }, nil},
	}
	for _, test := range tests {
		for _, inline := range []bool{false, true} {
			t.Run(test.name, func(t *testing.T) {
				y := new(tally)
				var ctx context.Context
				serve := weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
					r.OnClose(y.tell)
					r.OnClose(y.tell)
					ctx = r.Context()
					test.serve(w, r)
				})
				m := new(weir.Mux)
				if inline {
					m.Handle("GET /s", serve).Inline()
				} else {
					m.Handle("GET /s", serve)
				}
				atDesk(t, m, nil, func(d *desk) {
					c := d.get("/s")
					d.seen(c)
					causes := y.told()
					if len(causes) != 2 {
						t.Fatalf("got %v, want one cause for each OnClose", causes)
					}
					var panicked *weir.PanicError
					if test.name == "panicked" {
						if !errors.As(causes[0], &panicked) || panicked.Value != any(errLuck) || len(panicked.Stack) == 0 {
							t.Errorf("got %v, want a PanicError", causes)
						}
					} else if !errors.Is(causes[0], test.want) || !errors.Is(causes[1], test.want) {
						t.Errorf("got %v, want %v", causes, test.want)
					}
					want := causes[0]
					if want == nil {
						want = context.Canceled
					}
					if got := context.Cause(ctx); got != want {
						t.Errorf("context: got %v, want %v", got, want)
					}
					c.Close()
					synctest.Wait()
					if n := len(y.told()); n != 2 {
						t.Errorf("told %d times more", n-2)
					}
				})
			})
		}
	}
}

// Strings of a request may be kept, though its memory serves the next one; a Trace may ask for them while the handler
// does.
func TestRequestStringsAreKept(t *testing.T) {
	var got, want, traced []string
	var begun, ended chan bool
	m := new(weir.Mux)
	m.HandleFunc("GET /in/{n}", func(_ *weir.Response, r *weir.Request) {
		got = append(got, r.Path(), r.RawQuery(), r.Host())
	}).Inline()
	m.HandleFunc("GET /slow", func(_ *weir.Response, r *weir.Request) {
		begun <- true
		for range 100 {
			if r.Path() != "/slow" {
				t.Error("got another path")
			}
		}
		<-ended
	})
	set := func(s *weir.Server) {
		s.Trace = &weir.Trace{End: func(r *weir.Request, _ any, _ weir.ResponseStats, _ error) { traced = append(traced, r.Path()) }}
	}
	atDesk(t, m, set, func(d *desk) {
		begun, ended = make(chan bool), make(chan bool)
		c := d.dial("")
		for i := range 10 {
			long := strings.Repeat("x", 100*(i%3))
			path, query, host := fmt.Sprintf("/in/%d%s", i, long), fmt.Sprintf("q=%d", i/2), fmt.Sprintf("h%d", i)
			want = append(want, path, query, host)
			d.write(c, "GET "+path+"?"+query+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
			d.seen(c)
		}
		c.Close()
		c = d.get("/slow")
		<-begun
		c.Reset()
		synctest.Wait()
		ended <- true
	})
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := len(traced); n != 11 || traced[10] != "/slow" || traced[3] != want[9] {
		t.Errorf("got the traces %q", traced)
	}
}
