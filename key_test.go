package weir_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"weak"

	"weir"
)

type principal struct{ name string }

var (
	asks  = weir.NewKey[*principal]("asks")
	asks2 = weir.NewKey[*principal]("asks")
	count = weir.NewKey[int]("count")
)

// identify is middleware that sets asks from the query.
func identify(next weir.Handler) weir.Handler {
	return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		if name := r.Query().Get("me"); name != "" {
			asks.Set(r, &principal{name})
		}
		next.Serve(w, r)
	})
}

// whoAsks describes what the keys have.
func whoAsks(r *weir.Request) string {
	name := "nobody"
	if p, ok := asks.Get(r); ok {
		name = p.name
	}
	_, other := asks2.Get(r)
	n, counted := count.Get(r)
	return fmt.Sprintf("%s %v %d %v", name, other, n, counted)
}

// What is set for a request is there for all that comes behind it, wherever it runs, and for no other request.
func TestKey(t *testing.T) {
	say := weir.HandlerFunc(func(w *weir.Response, r *weir.Request) { fmt.Fprint(w, whoAsks(r)) })
	twice := weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		count.Set(r, 1)
		count.Set(r, 2)
		fmt.Fprint(w, whoAsks(r))
	})
	fails := weir.HandlerFunc(func(w *weir.Response, r *weir.Request) { w.Stream().Abort(errors.New("no")) })
	var told tally
	m := new(weir.Mux)
	m.Use(identify)
	m.Handle("GET /goroutine", say)
	m.Handle("GET /inline", say).Inline()
	m.Handle("GET /twice", twice).Inline()
	m.Handle("GET /fails", fails)
	m.HandleLoop("GET /handed", gather(say, &told))
	m.NotFound(say)
	m.HandleFunc("GET /nothing", func(*weir.Response, *weir.Request) {}).Inline()
	ended := ""
	atDesk(t, m, func(srv *weir.Server) {
		srv.OnHeaders = func(w *weir.Response, r *weir.Request) bool {
			if r.Query().Has("early") {
				asks.Set(r, &principal{"early"})
			}
			return true
		}
		srv.OnError = func(w *weir.Response, r *weir.Request, err error) { fmt.Fprint(w, "failed ", whoAsks(r)) }
		srv.Trace = &weir.Trace{End: func(r *weir.Request, _ any, _ weir.ResponseStats, _ error) { ended = whoAsks(r) }}
	}, func(d *desk) {
		c := d.dial("") // one connection, so that requests meet the memory of others
		for _, tt := range []struct{ path, want string }{
			{"/inline?me=a", "a false 0 false"},
			{"/inline", "nobody false 0 false"},
			{"/twice?me=b", "b false 2 true"},
			{"/inline", "nobody false 0 false"},
			{"/inline?early=1", "early false 0 false"},
			{"/inline?early=1&me=c", "c false 0 false"},
			{"/goroutine?me=d", "d false 0 false"},
			{"/goroutine", "nobody false 0 false"},
			{"/goroutine?early=1", "early false 0 false"},
			{"/handed?me=e", "e false 0 false"},
			{"/handed", "nobody false 0 false"},
			{"/unknown?me=f", "f false 0 false"},
			{"/fails?me=g", "failed g false 0 false"},
		} {
			d.write(c, "GET "+tt.path+" HTTP/1.1\r\nHost: a\r\n\r\n")
			if _, got := cutHead(d.seen(c)); got != tt.want {
				t.Errorf("%s: got %q, want %q", tt.path, got, tt.want)
			}
			if want := strings.TrimPrefix(tt.want, "failed "); ended != want {
				t.Errorf("%s: got %q at the end, want %q", tt.path, ended, want)
			}
		}
		c.Close()
	})
}

// A clone keeps the values, and its own ones.
func TestKeyOfClone(t *testing.T) {
	var clone *weir.Request
	m := new(weir.Mux)
	m.HandleFunc("GET /", func(_ *weir.Response, r *weir.Request) {
		count.Set(r, 1)
		clone = r.Clone()
		count.Set(r, 2)
	}).Inline()
	atDesk(t, m, nil, func(d *desk) {
		c := d.get("/")
		d.seen(c)
		c.Close()
	})
	if n, ok := count.Get(clone); n != 1 || !ok {
		t.Errorf("got %v, %v, want 1", n, ok)
	}
	count.Set(clone, 3)
	if n, _ := count.Get(clone); n != 3 {
		t.Errorf("got %v, want 3", n)
	}
	if got := asks.String(); got != "asks" {
		t.Errorf("got the name %q", got)
	}
}

// A request that is pooled keeps no value from the collector, nor the places of
// keys that are made as the program runs.
func TestKeyIsForgotten(t *testing.T) {
	var value weak.Pointer[principal]
	var many []weak.Pointer[weir.Key[int]]
	m := new(weir.Mux)
	m.HandleFunc("GET /", func(_ *weir.Response, r *weir.Request) {
		p := &principal{"x"}
		asks.Set(r, p)
		value = weak.Make(p)
	}).Inline()
	m.HandleFunc("GET /many", func(_ *weir.Response, r *weir.Request) {
		for range 100 {
			k := weir.NewKey[int]("k")
			k.Set(r, 1)
			many = append(many, weak.Make(k))
		}
	}).Inline()
	atDesk(t, m, nil, func(d *desk) {
		c := d.get("/")
		d.seen(c)
		d.write(c, "GET /many HTTP/1.1\r\nHost: a\r\n\r\n")
		d.seen(c)
		synctest.Wait()
		runtime.GC()
		if value.Value() != nil {
			t.Error("the value is still there")
		}
		for _, k := range many {
			if k.Value() != nil {
				t.Fatal("a key that nobody has is still there")
			}
		}
		c.Close()
	})
}
