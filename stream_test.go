package weir_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/plugin"
	"weir/sse"
	"weir/weirtest"
)

// methods are all that can be done to a stream; each after the end gives its
// cause and does nothing.
var methods = map[string]func(s *weir.Stream) error{
	"Send":       func(s *weir.Stream) error { return s.Send([]byte("late")) },
	"TrySend":    func(s *weir.Stream) error { return s.TrySend([]byte("late")) },
	"SendEvent":  func(s *weir.Stream) error { return s.SendEvent(sse.Data("late")) },
	"Write":      func(s *weir.Stream) error { _, err := s.Write([]byte("late")); return err },
	"Flush":      (*weir.Stream).Flush,
	"Commit":     (*weir.Stream).Commit,
	"SetTrailer": func(s *weir.Stream) error { return s.SetTrailer("X", "late") },
}

// L7
func TestAfterTheEnd(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(d *desk, c *weirtest.Client, s *weir.Stream)
		want error
	}{
		{"Close", func(_ *desk, _ *weirtest.Client, s *weir.Stream) { _ = s.Close() }, weir.ErrStreamEnded},
		{"Abort", func(_ *desk, _ *weirtest.Client, s *weir.Stream) { s.Abort(errLuck) }, errLuck},
		{"the client left", func(_ *desk, c *weirtest.Client, _ *weir.Stream) { c.Close() }, weir.ErrClientGone},
		{"shutdown", func(d *desk, _ *weirtest.Client, _ *weir.Stream) { d.cut() }, weir.ErrServerClosed},
	} {
		for _, begun := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/begun=%v", test.name, begun), func(t *testing.T) {
				streams := make(chan *weir.Stream, 1)
				m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, _ *weir.Request) {
					s := w.Stream()
					s.Detach()
					if begun {
						_ = s.Send([]byte("x"))
					}
					streams <- s
				}})
				atDesk(t, m, nil, func(d *desk) {
					c := d.get("/s")
					s := <-streams
					d.seen(c)
					test.end(d, c, s)
					synctest.Wait()
					before := c.Writes()
					for name, call := range methods {
						if err := call(s); !errors.Is(err, test.want) {
							t.Errorf("%s: got %v, want %v", name, err, test.want)
						}
					}
					synctest.Wait()
					if c.Writes() != before {
						t.Error("something was written after the end")
					}
					checkEnded(t, s, test.want)
				})
			})
		}
	}
}

var errLuck = errors.New("no luck")

func checkEnded(t *testing.T, s *weir.Stream, want error) {
	t.Helper()
	cause := want
	if want == weir.ErrStreamEnded {
		cause = nil // the end was in good order
	}
	if got := s.Cause(); !errors.Is(got, cause) {
		t.Errorf("Cause: got %v, want %v", got, cause)
	}
	if got := s.Close(); !errors.Is(got, cause) {
		t.Errorf("Close again: got %v, want %v", got, cause)
	}
	if !s.Ended() {
		t.Error("Ended: got false")
	}
	select {
	case <-s.Done():
	default:
		t.Error("Done is not closed")
	}
	y := new(tally)
	s.OnClose(y.tell)
	synctest.Wait()
	if got := y.told(); len(got) != 1 || !errors.Is(got[0], cause) {
		t.Errorf("OnClose: got %v, want %v at once", got, cause)
	}
}

func TestStreamEndedIsThePluginsError(t *testing.T) {
	if !errors.Is(weir.ErrStreamEnded, plugin.ErrClosed) || !errors.Is(weir.ErrBacklog, plugin.ErrBacklog) {
		t.Error("weir's errors are not found as plugin's")
	}
}

// L7: never a byte into another response, while late senders keep sending and
// the connection is used for one request after the other.
func TestLateSendersNeverReachAnotherAnswer(t *testing.T) {
	const (
		conns    = 4
		requests = 150
		senders  = 3
	)
	var (
		late sync.WaitGroup
		mu   sync.Mutex
	)
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /{id}": func(w *weir.Response, r *weir.Request) {
		id := r.PathValue("id")
		s := w.Stream()
		mu.Lock() // before all are there, none can end the answer
		defer mu.Unlock()
		for range senders {
			late.Go(func() {
				awaitLock(&mu)
				for range 5 {
					_ = s.Send([]byte(id))
					_ = s.TrySend([]byte(id))
					_, _ = s.Write([]byte(id))
					_ = s.SendEvent(sse.Data(id))
				}
				_ = s.Close()
				for range 20 {
					for name, call := range methods {
						if call(s) == nil {
							t.Errorf("%s: no error after the end", name)
						}
					}
					s.Abort(errLuck)
				}
			})
		}
		s.Detach()
	}})
	srv := &weir.Server{Handler: m, Loops: 2}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer shutdown(t, srv)
	var clients sync.WaitGroup
	for n := range conns {
		clients.Go(func() {
			c, err := net.Dial("tcp", srv.Addrs()[0].String())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			in := bufio.NewReader(c)
			for i := range requests {
				id := fmt.Sprintf("<%d-%d>", n, i)
				fmt.Fprintf(c, "GET /%s HTTP/1.1\r\nHost: a\r\n\r\n", strings.NewReplacer("<", "%3C", ">", "%3E").Replace(id))
				_, body := response(t, in)
				body = strings.NewReplacer("data: ", "", "\n", "").Replace(body)
				if rest := strings.ReplaceAll(body, id, ""); body == "" || rest != "" {
					t.Errorf("%s: got %q", id, body)
					return
				}
			}
		})
	}
	clients.Wait()
	awaitLock(&mu) // the sockets between are no order that the race detector knows of
	late.Wait()
}

func awaitLock(mu *sync.Mutex) {
	mu.Lock()
	defer mu.Unlock()
}

// Every method at once, from many goroutines: the race detector's test.
func TestStreamFromManyGoroutines(t *testing.T) {
	var ended atomic.Int64
	m := new(weir.Mux)
	serve := func(w *weir.Response, r *weir.Request) {
		s := w.Stream()
		s.Detach()
		s.OnClose(func(error) { ended.Add(1) })
		for _, call := range methods {
			go func() {
				for call(s) == nil {
				}
			}()
		}
		go func() { <-s.Done(); _ = s.Cause() }()
		go func() {
			for range 50 {
				_, _ = s.Ended(), s.ID()
				s.Wake()
				s.Heartbeat(time.Millisecond)
				_, _ = s.Deadline()
			}
			_ = s.Close()
		}()
	}
	m.HandleFunc("GET /goroutine", serve)
	m.HandleFunc("GET /inline", serve).Inline()
	atDesk(t, m, nil, func(d *desk) {
		for range 20 {
			for _, path := range []string{"/goroutine", "/inline"} {
				c := d.get(path)
				res, _ := response(t, bufio.NewReader(c))
				if res.StatusCode != 200 {
					t.Errorf("got %s", res.Status)
				}
				c.Close()
			}
		}
		synctest.Wait()
		if got := ended.Load(); got != 40 {
			t.Errorf("got %d calls of OnClose, want 40", got)
		}
	})
}

// L8: above the high mark a producer waits, and that one only.
func TestBackPressure(t *testing.T) {
	const high, low, size = 16 << 10, 4 << 10, 1 << 10
	var sent [2]atomic.Int64
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /{n}": func(w *weir.Response, r *weir.Request) {
		n := r.PathValue("n")[0] - '0'
		for s := w.Stream(); sent[n].Load() < 100 && s.Send(make([]byte, size)) == nil; {
			sent[n].Add(1)
		}
	}})
	atDesk(t, m, func(s *weir.Server) { s.Limits.HighMark, s.Limits.LowMark = high, low }, func(d *desk) {
		slow := d.Dial()
		slow.SetWindow(1)
		d.write(slow, "GET /0 HTTP/1.1\r\nHost: a\r\n\r\n")
		synctest.Wait()
		held := sent[0].Load()
		if held < high/size-1 || held > high/size+1 {
			t.Errorf("got %d chunks of 1 KiB accepted for a client that takes none, want the high mark of 16", held)
		}
		if pending := d.srv.Stats().PendingBytes; pending > high+2*size {
			t.Errorf("got %d bytes pending, want little more than the high mark", pending)
		}
		if fast := d.seen(d.get("/1")); sent[1].Load() != 100 || !strings.HasSuffix(fast, "0\r\n\r\n") {
			t.Errorf("another client's producer got to %d of 100", sent[1].Load())
		}
		if sent[0].Load() != held {
			t.Error("the slow client's producer went on")
		}
		slow.SetWindow(1 << 20)
		if got := d.seen(slow); sent[0].Load() != 100 || !strings.HasSuffix(got, "0\r\n\r\n") {
			t.Errorf("the producer got to %d of 100 when its client took all", sent[0].Load())
		}
	})
}

// TrySend never waits, nor does Send on a loop.
func TestTrySend(t *testing.T) {
	for _, test := range []struct {
		name   string
		inline bool
		send   func(*weir.Stream, []byte) error
	}{
		{"TrySend on a goroutine", false, (*weir.Stream).TrySend},
		{"TrySend on a loop", true, (*weir.Stream).TrySend},
		{"Send on a loop", true, (*weir.Stream).Send},
	} {
		t.Run(test.name, func(t *testing.T) {
			var sent atomic.Int64
			serve := func(w *weir.Response, _ *weir.Request) {
				s := w.Stream()
				for test.send(s, make([]byte, 1<<10)) == nil {
					sent.Add(1)
				}
				if err := test.send(s, []byte("x")); !errors.Is(err, weir.ErrBacklog) {
					t.Errorf("got %v, want ErrBacklog", err)
				}
			}
			m := new(weir.Mux)
			if test.inline {
				m.HandleFunc("GET /s", serve).Inline()
			} else {
				m.HandleFunc("GET /s", serve)
			}
			atDesk(t, m, smallMarks, func(d *desk) {
				c := d.Dial()
				c.SetWindow(1)
				d.write(c, getS)
				synctest.Wait()
				c.SetWindow(1 << 20)
				got := strings.Count(d.seen(c), "400\r\n")
				if n := int(sent.Load()); n < 15 || n > 17 || got != n {
					t.Errorf("got %d chunks taken and %d delivered, want 16", n, got)
				}
			})
		})
	}
}

// A large chunk goes out from the caller's memory; what the kernel does not
// take of it is kept, and the memory is the caller's again.
func TestLargeChunks(t *testing.T) {
	const size = 300 << 10
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, _ *weir.Request) {
		p := make([]byte, size)
		for _, fill := range "abc" {
			for i := range p {
				p[i] = byte(fill)
			}
			_ = w.Stream().Send(p)
		}
	}})
	atDesk(t, m, nil, func(d *desk) {
		c := d.kernel().Dial(d.srv.Reactor(), 0)
		c.SetWindow(10_000)
		c.ShortWrite(2, 1)
		d.write(c, getS)
		_, body := response(t, bufio.NewReader(c))
		want := strings.Repeat("a", size) + strings.Repeat("b", size) + strings.Repeat("c", size)
		if body != want {
			t.Errorf("got %d bytes, not those that were sent", len(body))
		}
	})
}

// An event that cannot be written is an error and sends nothing.
func TestSendEventRefuses(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, _ *weir.Request) {
		s := w.Stream()
		if err := s.SendEvent(&sse.Event{Name: "a\nb"}); !errors.Is(err, sse.ErrName) {
			t.Errorf("got %v, want ErrName", err)
		}
		_ = s.SendEvent(sse.Data("x"))
	}})
	atDesk(t, m, nil, func(d *desk) {
		if _, body := d.exchange(getS); body != "9\r\ndata: x\n\n\r\n0\r\n\r\n" {
			t.Errorf("got %q", body)
		}
	})
}

// L1: the head and the first chunk are one write, and so is a token after it.
func TestOneWriteAToken(t *testing.T) {
	var steps chan struct{} // the bubble's
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, _ *weir.Request) {
		s := w.Stream()
		for range steps {
			_ = s.Send([]byte("token"))
		}
		for range 100 { // a burst
			_, _ = s.Write([]byte("x"))
		}
	}})
	atDesk(t, m, nil, func(d *desk) {
		steps = make(chan struct{})
		c := d.get("/s")
		for range 3 {
			steps <- struct{}{}
			synctest.Wait()
		}
		if got := c.Writes(); got != 3 {
			t.Errorf("got %d writes for three tokens, want 3", got)
		}
		close(steps)
		got := d.seen(c)
		if c.Writes() != 4 || strings.Count(got, "1\r\nx\r\n") != 100 {
			t.Errorf("got %d writes, want one more for a hundred chunks and the end", c.Writes())
		}
	})
}
