//go:build invariants

package weir_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"weir"
	"weir/internal/invariant"
	"weir/internal/memloop"
	"weir/reactor"
)

// Faults that users and we ourselves make: each breaks a promise that is written
// at the function in question, and each is caught by a panic on the goroutine
// that makes it.
func TestBrokenPromisesAreCaught(t *testing.T) {
	for _, tt := range []struct {
		name   string
		commit func(c *reactor.Conn)
		want   string
	}{
		{"pausing off the loop", func(c *reactor.Conn) { c.Pause() }, "off the loop"},
		{"resuming off the loop", func(c *reactor.Conn) { c.Resume() }, "off the loop"},
		{"closing off the loop", func(c *reactor.Conn) { c.Close() }, "off the loop"},
		{"resetting off the loop", func(c *reactor.Conn) { c.Abort(io.EOF) }, "off the loop"},
		{"another handler off the loop", func(c *reactor.Conn) { c.SetHandler(nil) }, "off the loop"},
		{"a timer off the loop", func(c *reactor.Conn) { c.Loop().StartTimer(new(reactor.Timer), c.Loop().Now()) }, "off the loop"},
		{"a task for the turn off the loop", func(c *reactor.Conn) { c.Loop().Later(reactor.TaskFunc(func() {})) }, "off the loop"},
		{"deferred output off the loop", func(c *reactor.Conn) { defer c.Unlock(); c.Lock(); c.Defer() }, "off the loop"},
		{"the loop's time off the loop", func(c *reactor.Conn) { c.Loop().Now() }, "off the loop"},
		{"the buffer without the lock", func(c *reactor.Conn) { c.Buffer() }, "without its lock"},
		{"asking for room without the lock", func(c *reactor.Conn) { c.Room() }, "without its lock"},
		{"flushing without the lock", func(c *reactor.Conn) { c.Flush() }, "without its lock"},
		{"locked twice", func(c *reactor.Conn) { defer c.Unlock(); c.Lock(); c.Lock() }, "that holds its lock"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			atConn(t, func(c *reactor.Conn) {
				if got := broken(func() { tt.commit(c) }); !strings.Contains(got, tt.want) {
					t.Errorf("got %q, want a panic that says %q", got, tt.want)
				}
			})
		})
	}
}

// The same through the library: a method that is for the loop.
func TestBrokenPromiseOfRequests(t *testing.T) {
	exchanges := make(chan *weir.LoopExchange, 1)
	m := new(weir.Mux)
	m.HandleLoop("PUT /s", looped(func(x *weir.LoopExchange) *receiver {
		exchanges <- x
		return &receiver{}
	}))
	atDesk(t, m, nil, func(d *desk) {
		c := d.Dial()
		d.write(c, "PUT /s HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
		x := <-exchanges
		if got := broken(x.PauseBody); !strings.Contains(got, "off the loop") {
			t.Errorf("PauseBody off the loop: got %q, want a panic", got)
		}
		c.Reset()
	})
}

// Memory whose lifetime has ended is not what it was.
func TestKeptMemoryIsPoisoned(t *testing.T) {
	var kept []byte
	m := new(weir.Mux)
	m.HandleFunc("GET /view/{x}", func(_ *weir.Response, r *weir.Request) { kept = r.PathBytes() }).Inline()
	m.HandleFunc("GET /source", func(w *weir.Response, _ *weir.Request) {
		w.StreamFrom(weir.NextChunk(0, func(n *int, dst []byte, cancelled bool) ([]byte, error) {
			if *n++; *n > 1 {
				return nil, io.EOF
			}
			kept = append(dst, "chunk"...)
			return kept, nil
		}))
	}).Inline()
	for path, was := range map[string]string{"/view/secret": "/view/secret", "/source": "chunk"} {
		t.Run(path[1:], func(t *testing.T) {
			kept = nil
			atDesk(t, m, nil, func(d *desk) {
				c := d.get(path)
				synctest.Wait()
				if kept == nil || bytes.Equal(kept, []byte(was)) {
					t.Errorf("got %q after its lifetime, want it overwritten", kept)
				}
				c.Close()
			})
		})
	}
}

// atConn runs f beside a server with one connection, off its loop.
func atConn(t *testing.T, f func(c *reactor.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		kernel := memloop.New()
		accepted := make(chan *reactor.Conn, 1)
		r, err := reactor.New(reactor.Config{Loops: 1, System: kernel, Accept: func(c *reactor.Conn) reactor.Handler {
			accepted <- c
			return deaf{}
		}})
		if err != nil {
			t.Fatal(err)
		}
		client := kernel.Dial(r, 0)
		f(<-accepted)
		client.Reset()
		synctest.Wait()
		r.Close()
	})
}

// deaf is a reactor.Handler to which nothing matters.
type deaf struct{}

func (deaf) Data(p []byte) int { return len(p) }
func (deaf) PeerClosed()       {}
func (deaf) Drained()          {}
func (deaf) Closed(error)      {}

// broken returns what f has panicked with, if it is about an invariant.
func broken(f func()) (what string) {
	defer func() {
		if b, ok := recover().(invariant.Broken); ok {
			what = b.Error()
		}
	}()
	f()
	return ""
}
