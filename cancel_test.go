package weir_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/weirtest"
)

// stage is a point of a request's life at which its client may leave.
type stage struct {
	name    string
	request string
	mount   func(m *weir.Mux, y *tally)
	window  int // of the client; 0: the default
}

const getS = "GET /s HTTP/1.1\r\nHost: a\r\n\r\n"

var stages = []stage{
	{name: "before the first chunk", request: getS, mount: onGoroutine(func(w *weir.Response, r *weir.Request) {
		<-w.Stream().Done()
	})},
	{name: "between two chunks", request: getS, mount: onGoroutine(func(w *weir.Response, r *weir.Request) {
		s := w.Stream()
		_ = s.Send([]byte("one"))
		<-r.Context().Done()
	})},
	{name: "waiting in Send", request: getS, window: 1, mount: onGoroutine(func(w *weir.Response, _ *weir.Request) {
		for s := w.Stream(); s.Send(make([]byte, 1<<10)) == nil; {
		}
	})},
	{name: "a generator that sleeps", request: getS, mount: onGoroutine(func(w *weir.Response, r *weir.Request) {
		_ = w.StreamSeq(func(yield func([]byte, error) bool) {
			for yield([]byte("x"), nil) {
				select {
				case <-time.After(time.Hour):
				case <-r.Context().Done():
				}
			}
		})
	})},
	{name: "before any answer", request: getS, mount: onGoroutine(func(_ *weir.Response, r *weir.Request) {
		<-r.Context().Done()
	})},
	{name: "a parked pump", request: getS, mount: onLoop(func(w *weir.Response, y *tally) {
		w.StreamFrom(&told{y: y, chunk: "x", err: weir.ErrNotReady})
	})},
	{name: "a paced pump", request: getS, mount: onLoop(func(w *weir.Response, y *tally) {
		w.StreamFrom(weir.Paced(&told{y: y, chunk: "x"}, time.Hour))
	})},
	{name: "a pump that the client holds up", request: getS, window: 1, mount: onLoop(func(w *weir.Response, y *tally) {
		w.StreamFrom(&told{y: y, chunk: "xxxxxxxxxxxxxxxx"})
	})},
	{name: "a body that arrives", request: "PUT /s HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbody", mount: func(m *weir.Mux, y *tally) {
		m.HandleFunc("PUT /s", func(_ *weir.Response, r *weir.Request) {
			r.OnClose(y.tell)
			p := make([]byte, 100)
			_, err := r.BodyReader().Read(p)
			for err == nil {
				_, err = r.BodyReader().Read(p)
			}
			if !errors.Is(err, context.Cause(r.Context())) {
				y.tell(err) // a second, and another, word
			}
		}).StreamBody()
	}},
	{name: "detached", request: getS, mount: onGoroutine(func(w *weir.Response, _ *weir.Request) {
		s := w.Stream()
		_ = s.Send([]byte("x"))
		s.Detach()
	})},
}

func onGoroutine(f func(w *weir.Response, r *weir.Request)) func(*weir.Mux, *tally) {
	return func(m *weir.Mux, y *tally) {
		m.HandleFunc("GET /s", func(w *weir.Response, r *weir.Request) {
			r.OnClose(y.tell)
			f(w, r)
		})
	}
}

func onLoop(f func(w *weir.Response, y *tally)) func(*weir.Mux, *tally) {
	return func(m *weir.Mux, y *tally) {
		m.HandleFunc("GET /s", func(w *weir.Response, _ *weir.Request) { f(w, y) }).Inline()
	}
}

// told is a source that gives one chunk, then err, again and again if that is nil.
type told struct {
	y     *tally
	chunk string
	err   error
	begun bool
}

func (s *told) Next(dst []byte) ([]byte, error) {
	if s.begun && s.err != nil {
		return dst, s.err
	}
	s.begun = true
	return append(dst, s.chunk...), nil
}

func (s *told) Close(cause error) { s.y.tell(cause) }

// L4: cancellation is told exactly once, promptly, with its cause, at every stage.
func TestCancellation(t *testing.T) {
	departures := []struct {
		name  string
		leave func(d *desk, c *weirtest.Client)
		want  error
	}{
		{"close", func(_ *desk, c *weirtest.Client) { c.Close() }, weir.ErrClientGone},
		{"half-close", func(_ *desk, c *weirtest.Client) { c.CloseWrite() }, weir.ErrClientGone}, // L6
		{"reset", func(_ *desk, c *weirtest.Client) { c.Reset() }, weir.ErrClientGone},
		{"shutdown", func(d *desk, _ *weirtest.Client) { d.cut() }, weir.ErrServerClosed},
	}
	for _, st := range stages {
		for _, dep := range departures {
			t.Run(st.name+"/"+dep.name, func(t *testing.T) {
				m, y := new(weir.Mux), new(tally)
				st.mount(m, y)
				atDesk(t, m, smallMarks, func(d *desk) {
					c := d.Dial()
					if st.window > 0 {
						c.SetWindow(st.window)
					}
					d.write(c, st.request)
					synctest.Wait()
					time.Sleep(time.Second)
					if told := y.told(); len(told) != 0 {
						t.Fatalf("got %v before the client left", told)
					}
					left := time.Now()
					dep.leave(d, c)
					synctest.Wait()
					checkTold(t, y, dep.want, left)
					time.Sleep(time.Minute)
					checkTold(t, y, dep.want, left)
					c.Close()
				})
			})
		}
	}
}

func smallMarks(s *weir.Server) { s.Limits.HighMark, s.Limits.LowMark = 16<<10, 4<<10 }

func checkTold(t *testing.T, y *tally, want error, left time.Time) {
	t.Helper()
	causes := y.told()
	if len(causes) != 1 || !errors.Is(causes[0], want) {
		t.Errorf("got %v, want %v once", causes, want)
		return
	}
	if late := y.times()[0].Sub(left); late != 0 {
		t.Errorf("told %v after the client left, want at once", late)
	}
}

// L4: a client that shuts its sending side and then resets has left once, also
// for the statistics.
func TestDepartureIsCountedOnce(t *testing.T) {
	y := new(tally)
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(_ *weir.Response, r *weir.Request) {
		r.OnClose(y.tell)
		<-r.Context().Done()
		time.Sleep(time.Second) // still at work
	}})
	atDesk(t, m, nil, func(d *desk) {
		c := d.get("/s")
		synctest.Wait()
		left := time.Now()
		c.CloseWrite()
		synctest.Wait()
		c.Reset()
		time.Sleep(time.Minute)
		checkTold(t, y, weir.ErrClientGone, left)
		if n := d.srv.Stats().CancelLatency.Count; n != 1 {
			t.Errorf("got %d departures counted, want 1", n)
		}
	})
}

// L8: a client that takes no byte for Timeouts.WriteStall is cut.
func TestStalledClientIsCut(t *testing.T) {
	for _, st := range stages {
		if st.window == 0 {
			continue
		}
		t.Run(st.name, func(t *testing.T) {
			m, y := new(weir.Mux), new(tally)
			st.mount(m, y)
			atDesk(t, m, smallMarks, func(d *desk) {
				c := d.Dial()
				c.SetWindow(st.window)
				d.write(c, st.request)
				synctest.Wait()
				start := time.Now()
				for len(y.told()) == 0 && time.Since(start) < time.Minute {
					time.Sleep(10 * time.Millisecond)
				}
				causes := y.told()
				if len(causes) != 1 || !errors.Is(causes[0], weir.ErrSlowClient) {
					t.Fatalf("got %v, want ErrSlowClient", causes)
				}
				if took := y.times()[0].Sub(start); took < 29*time.Second || took > 31*time.Second {
					t.Errorf("cut after %v, want 30s", took)
				}
			})
		})
	}
}

// L5: the call with cancelled = true is the last, and its chunk is not sent.
func TestNextChunkIsCancelledLast(t *testing.T) {
	type call struct {
		n         int
		cancelled bool
	}
	for _, test := range []struct {
		name   string
		steps  int // the last of them is the end
		leave  bool
		cancel bool
	}{
		{"the end", 2, false, false},
		{"the client leaves", 100, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var calls []call
			m := new(weir.Mux)
			m.HandleFunc("GET /s", func(w *weir.Response, _ *weir.Request) {
				w.StreamFrom(weir.Paced(weir.NextChunk(0, func(n *int, dst []byte, cancelled bool) ([]byte, error) {
					*n++
					calls = append(calls, call{*n, cancelled})
					if cancelled {
						return append(dst, "never"...), nil
					}
					return append(dst, 'x'), endIf(*n == test.steps)
				}), time.Second))
			}).Inline()
			atDesk(t, m, nil, func(d *desk) {
				c := d.get("/s")
				time.Sleep(1500 * time.Millisecond)
				if test.leave {
					c.CloseWrite()
				}
				got := d.seen(c)
				time.Sleep(time.Minute)
				want := []call{{1, false}, {2, false}}
				if test.cancel {
					want = append(want, call{3, true})
				}
				if len(calls) != len(want) || calls[len(calls)-1] != want[len(want)-1] {
					t.Errorf("got calls %v, want %v", calls, want)
				}
				if body := got + d.seen(c); strings.Contains(body, "never") {
					t.Errorf("got %q, with the chunk of the cancelled step", body)
				}
				c.Close()
			})
		})
	}
}

// L6: HalfCloseAllow leaves a stream alone until it ends.
func TestHalfCloseAllow(t *testing.T) {
	y := new(tally)
	m := mux(map[string]func(*weir.Response, *weir.Request){
		"GET /s": func(w *weir.Response, r *weir.Request) {
			r.OnClose(y.tell)
			s := w.Stream()
			for range 3 {
				_ = s.Send([]byte("x"))
				time.Sleep(time.Second)
			}
		},
	})
	atDesk(t, m, func(s *weir.Server) { s.HalfClose = weir.HalfCloseAllow }, func(d *desk) {
		c := d.get("/s")
		c.CloseWrite()
		time.Sleep(4 * time.Second)
		if causes := y.told(); len(causes) != 1 || causes[0] != nil {
			t.Errorf("got %v, want nil once", causes)
		}
		if got := d.seen(c); !strings.HasSuffix(got, "1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n0\r\n\r\n") {
			t.Errorf("got %q, want the whole stream", got)
		}
	})
}
