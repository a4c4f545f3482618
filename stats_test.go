package weir_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir"
)

func TestStats(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){
		"GET /push": func(w *weir.Response, _ *weir.Request) { _ = w.Stream().Send([]byte("x")) },
		"GET /fail": func(w *weir.Response, _ *weir.Request) { w.Stream().Abort(errLuck) },
		"GET /hold": func(w *weir.Response, _ *weir.Request) {
			s := w.Stream()
			_ = s.Send(make([]byte, 1000))
			<-s.Done()
		},
		"GET /plain": func(w *weir.Response, _ *weir.Request) { w.WriteString("x") },
	})
	atDesk(t, m, nil, func(d *desk) {
		for _, path := range []string{"/plain", "/push", "/push", "/fail"} {
			d.exchange("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
		}
		synctest.Wait()
		c := d.Dial()
		c.SetWindow(100)
		d.write(c, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
		synctest.Wait()
		got := d.srv.Stats()
		if got.Connections != 1 || got.Requests != 5 || got.StreamsActive != 1 || got.StreamsTotal != 4 ||
			got.StreamsFailed != 1 || got.StreamsCancelled != 0 || got.PendingBytes < 900 || got.PendingBytes > 1200 {
			t.Errorf("got %+v", got)
		}
		c.Close()
		synctest.Wait()
		got = d.srv.Stats()
		if got.Connections != 0 || got.StreamsActive != 0 || got.StreamsCancelled != 1 || got.PendingBytes != 0 || got.CancelLatency.Count != 1 {
			t.Errorf("after the client has left: got %+v", got)
		}
		d.cut()
		if after := d.srv.Stats(); after.StreamsTotal != 4 {
			t.Errorf("after the shutdown: got %+v", after)
		}
	})
}

// Quantiles are at most an eighth above the truth, never below it.
func TestLatencyQuantiles(t *testing.T) {
	for _, scale := range []time.Duration{1, time.Microsecond, 37 * time.Millisecond} {
		var h weir.Histogram
		for i := range 1000 {
			h.Add(time.Duration(i+1) * scale)
		}
		got := h.Summary()
		for _, q := range []struct{ got, want time.Duration }{{got.P50, 500 * scale}, {got.P99, 990 * scale}, {got.Max, 1000 * scale}} {
			if q.got < q.want || q.got > q.want+q.want/8 {
				t.Errorf("scale %v: got %v, want %v to an eighth more", scale, q.got, q.want)
			}
		}
		if got.Count != 1000 {
			t.Errorf("got %d, want 1000", got.Count)
		}
	}
}

// L9: no more streams at once than the limits allow, however they are opened.
func TestStreamLimitIsExact(t *testing.T) {
	const limit, clients = 5, 60
	var running, most atomic.Int64
	var refused atomic.Int64
	m := new(weir.Mux)
	serve := func(w *weir.Response, _ *weir.Request) {
		s := w.Stream()
		if errors.Is(s.Cause(), weir.ErrBusy) {
			refused.Add(1)
			return
		}
		n := running.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		_ = s.Send([]byte("x"))
		running.Add(-1)
	}
	m.HandleFunc("GET /a", serve)
	m.HandleFunc("GET /b", serve).MaxStreams(2)
	atDesk(t, m, func(s *weir.Server) { s.Limits.Streams = limit }, func(d *desk) {
		var done sync.WaitGroup
		for i := range clients {
			done.Go(func() {
				for range 10 {
					c := d.get([]string{"/a", "/b"}[i%2])
					var got []byte
					for p := make([]byte, 1<<10); ; { // to its end: a client that disconnects frees its place before its handler has returned
						n, err := c.Read(p)
						if got = append(got, p[:n]...); err != nil || bytes.HasSuffix(got, []byte("\r\n0\r\n\r\n")) || bytes.Contains(got, []byte(" 503 ")) {
							break
						}
					}
					if !bytes.Contains(got, []byte(" 200 ")) && !bytes.Contains(got, []byte(" 503 ")) {
						t.Errorf("got %q", got)
					}
					c.Close()
				}
			})
		}
		done.Wait()
		synctest.Wait()
		st := d.srv.Stats()
		if most.Load() > limit || st.StreamsActive != 0 || st.StreamsTotal+uint64(refused.Load()) != clients*10 {
			t.Errorf("got %d at once, %d refused, %+v", most.Load(), refused.Load(), st)
		}
		if _, body := d.exchange("GET /b HTTP/1.1\r\nHost: a\r\n\r\n"); body != "1\r\nx\r\n0\r\n\r\n" {
			t.Errorf("got %q: slots were not given back", body)
		}
	})
}

// A loop that is held up does not hold up those who look for it.
func TestStatsOfAHeldLoop(t *testing.T) {
	m := new(weir.Mux)
	var free chan struct{}
	m.HandleFunc("GET /", func(*weir.Response, *weir.Request) { <-free }).Inline()
	atDesk(t, m, nil, func(d *desk) {
		free = make(chan struct{})
		c := d.get("/")
		defer c.Close()
		synctest.Wait()
		begin := time.Now()
		st := d.srv.Stats()
		if took := time.Since(begin); took != 2*time.Second || len(st.Loops) != 1 || st.Loops[0].Delay != took {
			t.Errorf("got %+v after %v, want two seconds of delay", st.Loops, took)
		}
		close(free)
		synctest.Wait()
		if st = d.srv.Stats(); st.Loops[0].Delay != 0 || st.Loops[0].Turns == 0 {
			t.Errorf("got %+v, want no delay, and some turns", st.Loops)
		}
	})
}

// The hooks are called at each station, with the request as it was.
func TestTrace(t *testing.T) {
	var (
		mu    sync.Mutex
		trail []string
	)
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		trail = append(trail, fmt.Sprintf(format, args...))
	}
	trace := &weir.Trace{
		Start: func(r *weir.Request) any { note("start %s", r.Path()); return "trace of " + r.Path() },
		Head:  func(_ *weir.Request, state any, sent weir.ResponseStats) { note("head, %s, %d", state, sent.Status) },
		Chunk: func(_ *weir.Request, state any, sent weir.ResponseStats, n int) {
			note("chunk, %s, %d of %d", state, n, sent.Bytes)
		},
		End: func(_ *weir.Request, state any, sent weir.ResponseStats, cause error) {
			note("end, %s, %d, %d bytes, %v", state, sent.Status, sent.Bytes, cause)
		},
	}
	m := mux(map[string]func(*weir.Response, *weir.Request){
		"GET /push": func(w *weir.Response, _ *weir.Request) { _ = w.Stream().Send([]byte("xyz")) },
		"GET /fail": func(w *weir.Response, _ *weir.Request) { w.Stream().Abort(errLuck) },
		"GET /hold": func(w *weir.Response, _ *weir.Request) { <-w.Stream().Done() },
	})
	m.Handle("GET /inline", says("x")).Inline()
	atDesk(t, m, func(s *weir.Server) { s.Trace = trace }, func(d *desk) {
		c := d.get("/inline")
		d.seen(c)
		d.write(c, "GET /push HTTP/1.1\r\nHost: a\r\n\r\n")
		d.seen(c)
		d.write(c, "GET /fail HTTP/1.1\r\nHost: a\r\n\r\n")
		d.seen(c)
		d.write(c, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
		d.seen(c)
		c.Close()
		synctest.Wait()
	})
	want := []string{
		"start /inline", "head, trace of /inline, 200", "end, trace of /inline, 200, 3 bytes, <nil>",
		"start /push", "head, trace of /push, 200", "chunk, trace of /push, 3 of 3", "end, trace of /push, 200, 3 bytes, <nil>",
		"start /fail", "head, trace of /fail, 500", "end, trace of /fail, 500, 22 bytes, no luck",
		"start /hold", "end, trace of /hold, 0, 0 bytes, weir: client disconnected",
	}
	if !slices.Equal(trail, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(trail, "\n"), strings.Join(want, "\n"))
	}
}
