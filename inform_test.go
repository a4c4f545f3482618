package weir_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"weir"
)

// RFC 9110 15.2: informational responses come ahead of the response, as often as the handler likes, and not to
// HTTP/1.0 clients.
func TestInform(t *testing.T) {
	hints := new(weir.Header)
	hints.Add("Link", "</a.css>")
	hints.Add("Link", "</b.css>")
	const early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nLink: </b.css>\r\n\r\n"
	framing, bad := new(weir.Header), new(weir.Header)
	framing.Set("Content-Length", "7")
	bad.Set("X", "a\r\nb")
	inform := func(w *weir.Response) {
		for range 2 {
			if err := w.Inform(103, hints); err != nil {
				t.Errorf("got %v", err)
			}
		}
		for _, tt := range []struct {
			status int
			h      *weir.Header
			want   error
		}{{100, nil, nil}, {101, nil, nil}, {200, nil, nil}, {103, framing, weir.ErrFramingField}, {103, bad, weir.ErrField}} {
			if err := w.Inform(tt.status, tt.h); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("%d: got %v, want an error, %v", tt.status, err, tt.want)
			}
		}
	}
	late := func(w *weir.Response, want error) {
		if err := w.Inform(103, nil); !errors.Is(err, want) {
			t.Errorf("late: got %v, want %v", err, want)
		}
	}
	m := mux(map[string]func(*weir.Response, *weir.Request){
		"GET /buffered": func(w *weir.Response, _ *weir.Request) { inform(w); w.WriteString("ok") },
		"GET /stream": func(w *weir.Response, _ *weir.Request) {
			s := w.Stream()
			inform(w)
			_ = s.Send([]byte("ok"))
			late(w, weir.ErrHeadSent)
		},
		"GET /failed": func(w *weir.Response, _ *weir.Request) {
			inform(w)
			w.Stream().Abort(errLuck)
			late(w, weir.ErrHeadSent)
		},
	})
	m.HandleFunc("GET /inline", func(w *weir.Response, _ *weir.Request) { inform(w); w.WriteString("ok") }).Inline()
	m.HandleLoop("GET /loop", looped(func(x *weir.LoopExchange) *receiver {
		inform(x.Response())
		return &receiver{end: func(error) { inform(x.Response()); x.End() }}
	}))
	atDesk(t, m, nil, func(d *desk) {
		c := d.dial("")
		for path, want := range map[string]string{
			"/buffered": early + early + "HTTP/1.1 200 ", "/stream": early + early + "HTTP/1.1 200 ", "/inline": early + early + "HTTP/1.1 200 ",
			"/loop": early + early + early + early + "HTTP/1.1 200 ", "/failed": early + early + "HTTP/1.1 500 ",
		} {
			d.write(c, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
			if got := d.seen(c); !strings.HasPrefix(got, want) {
				t.Errorf("%s: got %q, want %q", path, got, want)
			}
		}
		c.Close()
		if got := d.seen(d.dial("GET /buffered HTTP/1.0\r\n\r\n")); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
			t.Errorf("HTTP/1.0: got %q", got)
		}
	})
}

// A client that takes none of them bounds what is kept for it.
func TestInformIsBounded(t *testing.T) {
	sent, got := 0, error(nil)
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, _ *weir.Request) {
		for h := new(weir.Header); got == nil; sent++ {
			h.Set("Link", strings.Repeat("x", 1000))
			got = w.Inform(103, h)
		}
	}})
	atDesk(t, m, smallMarks, func(d *desk) {
		c := d.Dial()
		c.SetWindow(1)
		d.write(c, getS)
		if synctest.Wait(); sent > 20 || !errors.Is(got, weir.ErrBacklog) {
			t.Errorf("got %v after %d KB, want ErrBacklog at the high mark of 16", got, sent)
		}
		c.Close()
	})
}

// What is aborted on purpose is cut, and reported, but not logged.
func TestErrAborted(t *testing.T) {
	y, told := new(witness), new(tally)
	m := mux(map[string]func(*weir.Response, *weir.Request){
		"GET /early": func(w *weir.Response, _ *weir.Request) { w.Stream().Abort(weir.ErrAborted) },
		"GET /late": func(w *weir.Response, _ *weir.Request) {
			_ = w.Stream().Send([]byte("x"))
			w.Stream().Abort(weir.ErrAborted)
		},
	})
	atDesk(t, m, func(s *weir.Server) {
		s.Logger = slog.New(y)
		s.OnError = func(_ *weir.Response, _ *weir.Request, err error) { told.tell(err) }
	}, func(d *desk) {
		if status, _ := d.exchange("GET /early HTTP/1.1\r\nHost: a\r\n\r\n"); status != "500 Internal Server Error" {
			t.Errorf("got %s", status)
		}
		c := d.get("/late")
		d.truncated(c)
		c.Close()
		if _, lines := y.take(); len(lines) != 0 || len(told.told()) != 2 || !errors.Is(told.told()[1], weir.ErrAborted) {
			t.Errorf("got the lines %q and OnError called with %v", lines, told.told())
		}
	})
}

// The request line as it came.
func TestProtoAndTarget(t *testing.T) {
	m := new(weir.Mux)
	say := func(w *weir.Response, r *weir.Request) { w.WriteString(r.Proto() + " " + r.Target()) }
	m.HandleFunc("/", say).Inline()
	atDesk(t, m, nil, func(d *desk) {
		for request, want := range map[string]string{
			"GET /a%20b?c HTTP/1.1\r\nHost: a\r\n\r\n":   "HTTP/1.1 /a%20b?c",
			"GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n": "HTTP/1.1 http://a/b",
			"GET /? HTTP/1.0\r\n\r\n":                    "HTTP/1.0 /?",
		} {
			if _, body := d.exchange(request); body != want {
				t.Errorf("got %q, want %q", body, want)
			}
		}
	})
}
