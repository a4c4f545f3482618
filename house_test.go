package weir_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"weir"
	"weir/sse"
)

// house is the handlers of all scenarios, and what they note.
type house struct {
	mu    sync.Mutex
	notes []string
	gate  chan struct{} // who waits is let go when it is closed
	here  chan struct{} // one for each who waits
	wakes []func()

	stirred chan struct{}     // has a token when something has happened
	tell    func(text string) // takes the notes, in place of seen; may be nil
}

func newHouse() *house {
	return &house{gate: make(chan struct{}), here: make(chan struct{}, 100), stirred: make(chan struct{}, 1)}
}

func (h *house) note(text string) {
	if h.tell != nil {
		h.tell(text)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notes = append(h.notes, "! "+text)
	h.stir()
}

func (h *house) stir() {
	select {
	case h.stirred <- struct{}{}:
	default:
	}
}

// seen returns the notes; in order, since goroutines made them.
func (h *house) seen(take bool) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	notes := slices.Sorted(slices.Values(h.notes))
	if take {
		h.notes = nil
	}
	return notes
}

// arrive returns the gate that release opens next.
func (h *house) arrive() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.here <- struct{}{}
	return h.gate
}

// park has wake called by the next release.
func (h *house) park(wake func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.here <- struct{}{}
	h.wakes = append(h.wakes, wake)
}

// release lets all go who wait; it waits for the first.
func (h *house) release() {
	<-h.here
	h.mu.Lock()
	for len(h.here) > 0 {
		<-h.here
	}
	close(h.gate)
	h.gate = make(chan struct{})
	wakes := h.wakes
	h.wakes = nil
	h.mu.Unlock()
	for _, wake := range wakes {
		wake()
	}
}

// letAllGo is the last release.
func (h *house) letAllGo() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.gate)
}

// await reports whether the gate was opened; else the request is over.
func (h *house) await(r *weir.Request) bool {
	select {
	case <-h.arrive():
		return true
	case <-r.Context().Done():
		select {
		case <-h.here:
		default:
		}
		h.note(fmt.Sprintf("context: %v", context.Cause(r.Context())))
		return false
	}
}

// watch notes how the request ends.
func (h *house) watch(r *weir.Request) {
	r.OnClose(func(cause error) { h.note(fmt.Sprintf("closed: %v", cause)) })
}

func (h *house) mux() *weir.Mux {
	m := new(weir.Mux)
	h.plain(m)
	h.pushed(m)
	h.pumped(m)
	h.generated(m)
	h.uploads(m)
	return m
}

func inline(f func(w *weir.Response, r *weir.Request)) weir.Handler { return weir.HandlerFunc(f) }

func (h *house) plain(m *weir.Mux) {
	m.Handle("GET /hello", inline(func(w *weir.Response, _ *weir.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteString("Hello")
	})).Inline()
	m.Handle("GET /empty", inline(func(*weir.Response, *weir.Request) {})).Inline()
	m.Handle("/status/{code}", inline(func(w *weir.Response, r *weir.Request) {
		code, _ := strconv.Atoi(r.PathValue("code"))
		w.SetStatus(code)
		w.WriteString("body")
	})).Inline()
	m.Handle("GET /close", inline(func(w *weir.Response, _ *weir.Request) {
		w.Header().Set("Connection", "close")
		w.WriteString("last")
	})).Inline()
	m.Handle("GET /seen", inline(func(w *weir.Response, r *weir.Request) {
		fmt.Fprintf(w, "%s %s ?%s %s", r.Method(), r.Path(), r.RawQuery(), r.Host())
	})).Inline()
	m.HandleFunc("GET /buffered", func(w *weir.Response, _ *weir.Request) { w.WriteString("buffered") })
	m.HandleFunc("GET /wait", func(w *weir.Response, r *weir.Request) {
		h.watch(r)
		h.await(r)
		w.WriteString("waited")
	})
	m.HandleFunc("POST /echo", func(w *weir.Response, r *weir.Request) { w.Write(r.Body()) })
	m.Handle("POST /echo-inline", inline(func(w *weir.Response, r *weir.Request) { w.Write(r.Body()) })).Inline()
	m.HandleFunc("GET /panic", func(*weir.Response, *weir.Request) { panic("on purpose") })
	m.Handle("GET /panic-inline", inline(func(*weir.Response, *weir.Request) { panic("on purpose") })).Inline()
	m.Handle("GET /blocking", inline(func(w *weir.Response, _ *weir.Request) {
		err := w.StreamSeq(func(func([]byte, error) bool) { h.note("the generator ran on the loop") })
		h.note(fmt.Sprintf("StreamSeq: %v", err))
	})).Inline()
	m.Handle("GET /forbidden-fields", inline(func(w *weir.Response, _ *weir.Request) {
		for _, f := range [][2]string{{"Content-Length", "7"}, {"Date", "now"}, {"Transfer-Encoding", "chunked"}, {"X", "a\r\nb"}, {"X\x00", "a"}} {
			fmt.Fprintf(w, "%v\n", w.Header().TrySet(f[0], f[1]) != nil)
		}
	})).Inline()
}

func (h *house) pushed(m *weir.Mux) {
	m.HandleFunc("GET /push", func(w *weir.Response, _ *weir.Request) {
		s := w.Stream()
		_ = s.Send([]byte("one"))
		_ = s.Send(nil) // C1: writes nothing
		_ = s.Send([]byte("two"))
	})
	m.HandleFunc("GET /nothing", func(w *weir.Response, _ *weir.Request) { w.Stream() })
	m.HandleFunc("GET /hold", func(w *weir.Response, r *weir.Request) {
		h.watch(r)
		s := w.Stream()
		_ = s.Send([]byte("first"))
		h.await(r)
		if err := s.Send([]byte("second")); err != nil {
			h.note(fmt.Sprintf("send: %v", err))
		}
	}).MaxStreams(1)
	m.HandleFunc("GET /silent", func(w *weir.Response, r *weir.Request) {
		h.watch(r)
		s := w.Stream()
		h.await(r)
		w.SetStatus(202) // L1: the head is still open
		_ = s.Send([]byte("late"))
	})
	m.HandleFunc("GET /commit", func(w *weir.Response, r *weir.Request) {
		s := w.Stream()
		_ = s.Commit()
		h.await(r)
		_ = s.Send([]byte("late"))
	})
	m.HandleFunc("GET /burst", func(w *weir.Response, r *weir.Request) {
		s := w.Stream()
		for _, p := range []string{"a", "b", "c"} {
			_, _ = s.Write([]byte(p))
		}
		h.await(r)
		_ = s.Flush()
		h.await(r)
	})
	m.HandleFunc("GET /fail", func(w *weir.Response, _ *weir.Request) { w.Stream().Abort(errors.New("no luck")) })
	m.HandleFunc("GET /fail-late", func(w *weir.Response, r *weir.Request) {
		h.watch(r)
		s := w.Stream()
		_ = s.Send([]byte("part"))
		h.await(r)
		s.Abort(errors.New("no luck"))
	})
	m.HandleFunc("GET /panic-late", func(w *weir.Response, r *weir.Request) {
		_ = w.Stream().Send([]byte("part"))
		h.await(r)
		panic("on purpose")
	})
	m.HandleFunc("GET /trailers", func(w *weir.Response, _ *weir.Request) {
		s := w.Stream()
		_ = s.SetTrailer("X-Sum", "?")
		_ = s.Send([]byte("body"))
		_ = s.SetTrailer("X-Sum", "42")
		if s.SetTrailer("X-Evil", "a\r\nb") == nil || s.SetTrailer("Content-Length", "1") == nil {
			h.note("a bad trailer was taken")
		}
	})
	m.HandleFunc("GET /length/{n}", func(w *weir.Response, r *weir.Request) {
		n, _ := strconv.Atoi(r.PathValue("n"))
		w.SetContentLength(int64(n))
		if err := w.Stream().Send([]byte("hello")); err != nil {
			h.note(fmt.Sprintf("send: %v", err))
		}
		if r.RawQuery() != "" {
			h.await(r)
		}
	})
	m.HandleFunc("GET /detach", func(w *weir.Response, r *weir.Request) {
		s := w.Stream()
		s.Detach()
		s.OnClose(func(cause error) { h.note(fmt.Sprintf("closed: %v", cause)) })
		_ = s.Send([]byte("before"))
		open := h.arrive()
		go func() {
			select {
			case <-open:
				_ = s.Send([]byte("after"))
				_ = s.Close()
			case <-s.Done():
			}
			if err := s.Send([]byte("too late")); err != nil {
				h.note(fmt.Sprintf("send: %v", err))
			}
		}()
	})
}

// counter is a source of n numbers. With pause it waits for the gate before
// each but the first.
type counter struct {
	h     *house
	s     *weir.Stream
	at, n int
	pause bool
	ready atomic.Bool
	fail  error
}

func (c *counter) Next(dst []byte) ([]byte, error) {
	if c.pause && c.at > 0 && !c.ready.Swap(false) {
		c.h.park(func() { c.ready.Store(true); c.s.Wake() })
		return dst, weir.ErrNotReady
	}
	if c.at++; c.at > c.n && c.fail != nil {
		return dst, c.fail
	}
	dst = strconv.AppendInt(dst, int64(c.at), 10)
	if c.at == c.n && c.fail == nil {
		return dst, io.EOF
	}
	return dst, nil
}

func (c *counter) Close(cause error) { c.h.note(fmt.Sprintf("source closed: %v", cause)) }

func (h *house) pumped(m *weir.Mux) {
	pump := func(pattern string, make func() *counter) {
		serve := inline(func(w *weir.Response, _ *weir.Request) {
			c := make()
			c.h = h
			c.s = w.StreamFrom(c)
		})
		m.Handle("GET /"+pattern, serve).Inline()
		m.Handle("GET /goroutine/"+pattern, serve)
	}
	pump("pump", func() *counter { return &counter{n: 3} })
	pump("pump-hold", func() *counter { return &counter{n: 3, pause: true} })
	pump("pump-fail", func() *counter { return &counter{fail: errors.New("no luck")} })
	pump("pump-fail-late", func() *counter { return &counter{n: 1, pause: true, fail: errors.New("no luck")} })
	m.Handle("GET /paced", inline(func(w *weir.Response, _ *weir.Request) {
		c := &counter{h: h, n: 3}
		c.s = w.StreamFrom(weir.Paced(c, time.Second))
	})).Inline()
	m.Handle("GET /steps", inline(func(w *weir.Response, _ *weir.Request) {
		w.StreamFrom(weir.Paced(weir.NextChunk(0, func(n *int, dst []byte, cancelled bool) ([]byte, error) {
			if cancelled {
				h.note(fmt.Sprintf("cancelled after %d", *n))
				return append(dst, "never"...), nil // L5
			}
			*n++
			return strconv.AppendInt(dst, int64(*n), 10), nil
		}), time.Second))
	})).Inline()
}

func (h *house) generated(m *weir.Mux) {
	m.HandleFunc("GET /generate", func(w *weir.Response, r *weir.Request) {
		err := w.StreamSeq(func(yield func([]byte, error) bool) {
			defer h.note("generator ended")
			for i := range 3 {
				if i == 1 && r.RawQuery() != "" {
					h.await(r)
				}
				if !yield([]byte{'a' + byte(i)}, nil) {
					h.note("yield said stop")
					return
				}
			}
		})
		h.note(fmt.Sprintf("StreamSeq: %v", err))
	})
	m.HandleFunc("GET /generate-fail/{at}", func(w *weir.Response, r *weir.Request) {
		at, _ := strconv.Atoi(r.PathValue("at"))
		err := w.StreamSeq(func(yield func([]byte, error) bool) {
			for range at {
				yield([]byte("x"), nil)
			}
			h.await(r)
			yield(nil, errors.New("no luck"))
		})
		h.note(fmt.Sprintf("StreamSeq: %v", err))
	})
	h.events(m)
}

func (h *house) events(m *weir.Mux) {
	two := func(r *weir.Request) iter.Seq2[*sse.Event, error] {
		return func(yield func(*sse.Event, error) bool) {
			if yield(sse.Data("one"), nil) {
				yield(&sse.Event{Name: "last", ID: "2", Data: []byte("seen " + r.LastEventID())}, nil)
			}
		}
	}
	m.Handle("GET /events", weir.Events(two))
	m.Handle("GET /events-own", weir.Events(two), func(next weir.Handler) weir.Handler {
		return inline(func(w *weir.Response, r *weir.Request) {
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			w.Header().Set("Cache-Control", "no-store")
			next.Serve(w, r)
		})
	})
	quiet := func(r *weir.Request) iter.Seq2[*sse.Event, error] {
		return func(yield func(*sse.Event, error) bool) {
			for h.await(r) && yield(sse.Data("tick"), nil) {
			}
		}
	}
	m.Handle("GET /quiet", weir.Events(quiet))
	m.Handle("GET /mute", weir.Events(quiet, weir.EventOptions{Heartbeat: -1}))
}

func (h *house) uploads(m *weir.Mux) {
	m.Handle("PUT /upload", inline(func(w *weir.Response, r *weir.Request) {
		h.watch(r)
		n, err := io.Copy(io.Discard, r.BodyReader())
		if err != nil {
			h.note(fmt.Sprintf("read %d: %v", n, err))
			w.Error(400, "the handler's own answer")
			return
		}
		fmt.Fprintf(w, "%d bytes", n)
	})).StreamBody()
	m.Handle("PUT /both", inline(func(w *weir.Response, r *weir.Request) {
		h.watch(r)
		_ = w.Stream().Commit()
		_, err := io.Copy(io.Discard, r.BodyReader()) // chunks sent back would depend on how the body arrives
		h.note(fmt.Sprintf("copied: %v", err))
	})).StreamBody()
	m.Handle("PUT /refused", inline(func(w *weir.Response, _ *weir.Request) { w.Error(401, "not you") })).StreamBody()
	m.Handle("PUT /unread", inline(func(w *weir.Response, r *weir.Request) {
		h.await(r)
		w.WriteString("never looked")
	})).StreamBody()
	m.Handle("PUT /later", inline(func(w *weir.Response, r *weir.Request) {
		h.await(r)
		n, err := io.Copy(io.Discard, r.BodyReader())
		fmt.Fprintf(w, "%d bytes, %v", n, err)
	})).StreamBody()
	m.Handle("PUT /limited", inline(func(w *weir.Response, r *weir.Request) {
		n, err := io.Copy(io.Discard, r.BodyReader())
		h.note(fmt.Sprintf("read %d: %v", n, err))
	})).StreamBody().MaxBody(8)
}

func (h *house) onHeaders(w *weir.Response, r *weir.Request) bool {
	if r.Header().Has("Authorization") {
		return true
	}
	w.Error(401, "not you")
	return false
}

func (h *house) onError(w *weir.Response, r *weir.Request, err error) {
	h.note(fmt.Sprintf("OnError for %q: %v", r.Path(), err))
	w.Header().Set("X-Error", "yes")
	w.Error(w.Status(), "own: "+err.Error())
}
