package weir_test

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir"
)

// script is a source that does what its function does, and notes its end.
type script struct {
	tally
	next   func(dst []byte) ([]byte, error)
	closed *atomic.Int64 // counts the ends of many; may be nil
}

func (s *script) Next(dst []byte) ([]byte, error) { return s.next(dst) }
func (s *script) Close(cause error) {
	s.tell(cause)
	if s.closed != nil {
		s.closed.Add(1)
	}
}

// endIf is the error of a source's last chunk.
func endIf(last bool) error {
	if last {
		return io.EOF
	}
	return nil
}

func parked(dst []byte) ([]byte, error) { return dst, weir.ErrNotReady }

// A source is closed exactly once, however its stream ends.
func TestSourceIsClosedOnce(t *testing.T) {
	tests := []struct {
		name  string
		next  func(dst []byte) ([]byte, error)
		serve func(w *weir.Response, r *weir.Request, src weir.Source)
		want  error
	}{
		{"its end", func(dst []byte) ([]byte, error) { return append(dst, 'x'), io.EOF }, nil, nil},
		{"its error", func(dst []byte) ([]byte, error) { return dst, errLuck }, nil, errLuck},
		{"an end in an error", func(dst []byte) ([]byte, error) { return append(dst, 'x'), fmt.Errorf("lost: %w", io.EOF) }, nil, errAny},
		{"a panic in Next", func([]byte) ([]byte, error) { panic(errLuck) }, nil, errAny},
		{"Stream.Close", parked, func(w *weir.Response, _ *weir.Request, src weir.Source) { s := w.StreamFrom(src); _ = s.Close() }, weir.ErrStreamEnded},
		{"Stream.Close later", parked, func(w *weir.Response, _ *weir.Request, src weir.Source) {
			s := w.StreamFrom(src)
			go func() { time.Sleep(time.Second); _ = s.Close() }()
		}, weir.ErrStreamEnded},
		{"Stream.Abort", parked, func(w *weir.Response, _ *weir.Request, src weir.Source) { w.StreamFrom(src).Abort(errLuck) }, errLuck},
		{"a panic of the handler", parked, func(w *weir.Response, _ *weir.Request, src weir.Source) { w.StreamFrom(src); panic(errLuck) }, errAny},
		{"a second source", parked, func(w *weir.Response, _ *weir.Request, src weir.Source) {
			_ = w.Stream().Send([]byte("x"))
			w.StreamFrom(src)
		}, errAny},
		{"too long", func(dst []byte) ([]byte, error) { return append(dst, "xxx"...), nil }, func(w *weir.Response, _ *weir.Request, src weir.Source) {
			w.SetContentLength(4)
			w.StreamFrom(src)
		}, errAny},
		{"no body", parked, func(w *weir.Response, _ *weir.Request, src weir.Source) { w.SetStatus(204); w.StreamFrom(src) }, weir.ErrNoBody},
		{"no body, committed", parked, func(w *weir.Response, _ *weir.Request, src weir.Source) {
			w.SetStatus(204)
			_ = w.StreamFrom(src).Commit()
		}, weir.ErrNoBody},
	}
	for _, test := range tests {
		for _, inline := range []bool{false, true} {
			t.Run(test.name+"/inline="+strconv.FormatBool(inline), func(t *testing.T) {
				src := &script{next: test.next}
				serve := weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
					if test.serve == nil {
						w.StreamFrom(src)
						return
					}
					test.serve(w, r, src)
				})
				m := new(weir.Mux)
				if inline {
					m.Handle("GET /s", serve).Inline()
				} else {
					m.Handle("GET /s", serve)
				}
				atDesk(t, m, nil, func(d *desk) {
					c := d.get("/s")
					time.Sleep(time.Minute)
					c.Close()
					synctest.Wait()
					got := src.told()
					if len(got) != 1 || test.want != errAny && !errors.Is(got[0], test.want) || test.want == errAny && got[0] == nil {
						t.Errorf("got %v, want %v once", got, test.want)
					}
				})
			})
		}
	}
}

var errAny = errors.New("any error")

// A Wake that comes while Next is running is not lost.
func TestWakeDuringNext(t *testing.T) {
	var stream *weir.Stream
	n := 0
	src := &script{next: func(dst []byte) ([]byte, error) {
		if n++; n == 100 {
			return append(dst, "end"...), io.EOF
		}
		stream.Wake()
		return dst, weir.ErrNotReady
	}}
	m := new(weir.Mux)
	m.HandleFunc("GET /s", func(w *weir.Response, _ *weir.Request) { stream = w.StreamFrom(src) }).Inline()
	atDesk(t, m, nil, func(d *desk) {
		if _, body := d.exchange(getS); body != "3\r\nend\r\n0\r\n\r\n" {
			t.Errorf("got %q after %d calls", body, n)
		}
	})
}

// A stream that goes on after its inline handler has returned does not look at
// the loop's buffer, in which other requests are by then.
func TestPumpOutlivesItsRequestsBytes(t *testing.T) {
	var streams []*weir.Stream
	m := new(weir.Mux)
	m.HandleFunc("GET /s", func(w *weir.Response, _ *weir.Request) {
		woken := 0
		streams = append(streams, w.StreamFrom(&script{next: func(dst []byte) ([]byte, error) {
			if woken++; woken == 2 {
				return append(dst, "end"...), io.EOF
			}
			return dst, weir.ErrNotReady
		}}))
	}).Inline()
	m.HandleFunc("HEAD /s", func(*weir.Response, *weir.Request) {}).Inline()
	atDesk(t, m, nil, func(d *desk) {
		c := d.get("/s")
		synctest.Wait()
		d.exchange("HEAD /s HTTP/1.0\r\n\r\n") // where "GET /s HTTP/1.1" was
		streams[0].Wake()
		if got := d.seen(c); !strings.Contains(got, "chunked") || !strings.HasSuffix(got, "3\r\nend\r\n0\r\n\r\n") {
			t.Errorf("got %q", got)
		}
		c.Close()
	})
}

// L15: a source that never ends has its share of the loop, and no more.
func TestEndlessPumpsShareTheLoop(t *testing.T) {
	m := new(weir.Mux)
	m.HandleFunc("GET /endless", func(w *weir.Response, _ *weir.Request) {
		w.StreamFrom(&script{next: func(dst []byte) ([]byte, error) { return append(dst, make([]byte, 1<<10)...), nil }})
	}).Inline()
	m.Handle("GET /hello", says("hello")).Inline()
	srv := &weir.Server{Handler: m, Loops: 1}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer shutdown(t, srv)
	for range 3 {
		c := dialServer(t, srv)
		defer c.Close()
		_, _ = io.WriteString(c, "GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
		go func() { _, _ = io.Copy(io.Discard, c) }()
	}
	c := dialServer(t, srv)
	defer c.Close()
	_, _ = io.WriteString(c, "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if got, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(got), "hello  ") {
		t.Errorf("got %q, %v", got, err)
	}
}

// L3: a pumped stream is the same however the client takes it.
func TestPumpWithAClientThatIsBehind(t *testing.T) {
	const chunks = 2000
	m := new(weir.Mux)
	m.HandleFunc("GET /s", func(w *weir.Response, _ *weir.Request) {
		w.StreamFrom(weir.NextChunk(0, func(n *int, dst []byte, _ bool) ([]byte, error) {
			*n++
			return append(strconv.AppendInt(dst, int64(*n), 10), strings.Repeat(".", 95)...), endIf(*n == chunks)
		}))
	}).Inline()
	var want strings.Builder
	for n := range chunks {
		want.WriteString(strconv.Itoa(n+1) + strings.Repeat(".", 95))
	}
	atDesk(t, m, smallMarks, func(d *desk) {
		c := d.Dial()
		c.SetWindow(3000)
		d.write(c, getS)
		var got []byte
		for {
			synctest.Wait()
			if pending := d.srv.Stats().PendingBytes; pending > 18<<10 {
				t.Fatalf("got %d bytes pending, want little above the high mark of 16 KiB", pending)
			}
			p := make([]byte, 1000)
			n, err := c.Read(p)
			if got = append(got, p[:n]...); err != nil || strings.HasSuffix(string(got), "\r\n0\r\n\r\n") {
				break
			}
		}
		if body := unchunk(t, string(got)); body != want.String() {
			t.Errorf("got %d bytes, want %d", len(body), want.Len())
		}
		c.Close()
	})
}

func unchunk(t *testing.T, answer string) string {
	t.Helper()
	_, rest, _ := strings.Cut(answer, "\r\n\r\n")
	var body strings.Builder
	for {
		line, tail, ok := strings.Cut(rest, "\r\n")
		n, err := strconv.ParseInt(line, 16, 32)
		if !ok || err != nil || len(tail) < int(n)+2 {
			t.Fatalf("no chunk: %q, %v", line, err)
		}
		if n == 0 {
			return body.String()
		}
		body.WriteString(tail[:n])
		rest = tail[n+2:]
	}
}

// A source is closed once, too, when its stream is ended while it is opened: the race detector's test.
func TestSourceOfAStreamThatEndsAtOnce(t *testing.T) {
	const requests = 200
	var closed atomic.Int64
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, _ *weir.Request) {
		s := w.StreamFrom(&script{next: parked, closed: &closed})
		go s.Abort(errLuck)
	}})
	atDesk(t, m, nil, func(d *desk) {
		for i := range requests {
			c := d.get("/s")
			if i%2 == 0 {
				c.Close() // it may be gone before StreamFrom, in it, or behind
			} else {
				d.seen(c)
				c.Close()
			}
		}
		synctest.Wait()
		if n := closed.Load(); n != requests {
			t.Errorf("got %d sources closed, want each of %d once", n, requests)
		}
	})
}
