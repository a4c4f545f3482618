package compress_test

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"weir"
	"weir/middleware/compress"
	"weir/sse"
	"weir/weirtest"
)

// M8: each chunk can be decoded when it arrives, and the end is an end.
func TestStreamIsFlushed(t *testing.T) {
	for _, coding := range []string{"gzip", "br", "zstd", ""} {
		t.Run(coding, func(t *testing.T) {
			m := new(weir.Mux)
			m.HandleFunc("GET /", func(w *weir.Response, r *weir.Request) {
				w.Header().Set("ETag", `"a"`)
				s := compress.NewStream(w, r)
				for i := range 5 {
					if err := s.Send(fmt.Appendf(nil, "line %d\n", i)); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Second)
				}
				if err := errors.Join(s.Close(), s.Close()); err != nil {
					t.Error(err)
				}
				if err := s.Send([]byte("late")); !errors.Is(err, weir.ErrStreamEnded) {
					t.Errorf("after Close: got %v", err)
				}
			})
			at(t, &weir.Server{Handler: m}, func(s *weirtest.Server) {
				c := s.Dial()
				c.Send(head("GET /|Accept-Encoding: " + coding))
				want := ""
				for i := range 5 {
					want += fmt.Sprintf("line %d\n", i)
					res := c.Response()
					got, err := decoded(t, coding, res.Body)
					if got != want || res.Complete || coding != "" && !errors.Is(err, io.ErrUnexpectedEOF) {
						t.Errorf("after chunk %d: got %q, %v, complete: %v", i, got, err, res.Complete)
					}
					s.Tick(time.Second)
				}
				res := c.Response()
				if got, err := decoded(t, coding, res.Body); got != want || err != nil || !res.Complete {
					t.Errorf("got %q, %v, complete: %v", got, err, res.Complete)
				}
				tag := map[bool]string{true: `"a"`, false: `W/"a"`}[coding == ""]
				if res.Header.Get("Content-Encoding") != coding || res.Header.Get("Vary") != "Accept-Encoding" || res.Header.Get("ETag") != tag {
					t.Errorf("got %v", res.Header)
				}
				_ = c.Close()
			})
		})
	}
}

// M8: events, and what a sequence may do.
func TestSequences(t *testing.T) {
	wrong := errors.New("wrong")
	events := func(last *sse.Event, err error) iter.Seq2[*sse.Event, error] {
		return func(yield func(*sse.Event, error) bool) {
			if yield(&sse.Event{ID: "1", Data: []byte("one")}, nil) && (last != nil || err != nil) {
				yield(last, err)
			}
		}
	}
	const one = "id: 1\ndata: one\n\n"
	for _, tt := range []struct {
		name  string
		seq   iter.Seq2[*sse.Event, error]
		body  string
		whole bool
	}{
		{"two events", events(sse.Data("two"), nil), one + "data: two\n\n", true},
		{"an error", events(nil, wrong), one, false},
		{"an event that cannot be", events(&sse.Event{ID: "a\nb"}, nil), one, false},
	} {
		for _, coding := range []string{"gzip", ""} {
			m := new(weir.Mux)
			m.HandleFunc("GET /", func(w *weir.Response, r *weir.Request) {
				if err := compress.Events(w, r, tt.seq); (err == nil) != tt.whole {
					t.Errorf("%s: got %v", tt.name, err)
				}
			})
			at(t, &weir.Server{Handler: m}, func(s *weirtest.Server) {
				res := ask(s, "GET /|Accept-Encoding: "+coding)
				got, err := decoded(t, coding, res.Body)
				if got != tt.body || res.Complete != tt.whole || coding != "" && (err == nil) != tt.whole || res.Header.Get("Content-Type") != "text/event-stream" {
					t.Errorf("%s, %q: got %q, %v, complete: %v, %v", tt.name, coding, got, err, res.Complete, res.Header)
				}
			})
		}
	}
	m := new(weir.Mux)
	m.HandleFunc("GET /", func(w *weir.Response, r *weir.Request) {
		_ = compress.Seq(w, r, func(yield func([]byte, error) bool) { _ = yield([]byte("a"), nil) && yield([]byte("b"), nil) })
	})
	at(t, &weir.Server{Handler: m}, func(s *weirtest.Server) {
		if got, err := decoded(t, "br", ask(s, "GET /|Accept-Encoding: br").Body); got != "ab" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		c := s.Dial()
		c.Send(head("HEAD /|Accept-Encoding: br"))
		if got := c.Received(); !strings.Contains(got, "Content-Encoding: br\r\n") || !strings.HasSuffix(got, "\r\n\r\n") {
			t.Errorf("HEAD: got %q", got)
		}
		_ = c.Close()
	})
}

// M8: a client that disconnects or stays behind is the stream's as without a
// coding. What a stream without Close leaves is cut.
func TestStreamEnds(t *testing.T) {
	ends := make(chan error, 1)
	m := new(weir.Mux)
	m.HandleFunc("GET /endless", func(w *weir.Response, r *weir.Request) {
		s := compress.NewStream(w, r)
		noise := make([]byte, 8<<10)
		for x := uint32(1); ; {
			for i := range noise {
				x = x*1664525 + 1013904223
				noise[i] = byte(x >> 24)
			}
			if err := s.TrySend(noise); errors.Is(err, weir.ErrBacklog) {
				time.Sleep(time.Millisecond)
			} else if err != nil {
				<-s.Done()
				ends <- errors.Join(err, s.Cause())
				return
			}
		}
	})
	m.HandleFunc("GET /forgets", func(w *weir.Response, r *weir.Request) {
		_ = compress.NewStream(w, r).Send([]byte(text))
	})
	m.HandleFunc("GET /written", func(w *weir.Response, r *weir.Request) {
		_, _ = io.WriteString(w, "first ")
		s := compress.NewStream(w, r)
		_ = s.Send([]byte("second"))
		_ = s.Close()
	})
	at(t, &weir.Server{Handler: m}, func(s *weirtest.Server) {
		c := s.Dial()
		c.SetWindow(64 << 10)
		c.Send(head("GET /endless|Accept-Encoding: gzip"))
		s.Tick(100 * time.Millisecond)
		if got := c.Unread(); got != 64<<10 {
			t.Errorf("got %d bytes, want a full window", got)
		}
		c.Reset()
		s.Tick(time.Second)
		if err := <-ends; !errors.Is(err, weir.ErrClientGone) {
			t.Errorf("got %v", err)
		}
		res := ask(s, "GET /forgets|Accept-Encoding: gzip")
		if got, err := decoded(t, "gzip", res.Body); got != text || err == nil {
			t.Errorf("without Close: got %d bytes and %v, want an error", len(got), err)
		}
		if res := ask(s, "GET /written|Accept-Encoding: gzip"); res.Body != "first second" || res.Header.Get("Content-Encoding") != "" {
			t.Errorf("what was written before: got %v %q", res.Header, res.Body)
		}
	})
}

// M8: a stream for which there is no place is not coded, and takes none from
// later ones.
func TestTooManyStreams(t *testing.T) {
	m := new(weir.Mux)
	m.HandleFunc("GET /", func(w *weir.Response, r *weir.Request) {
		_ = compress.Seq(w, r, func(yield func([]byte, error) bool) { _ = yield([]byte(text), nil) })
	})
	defer compress.Streams.Store(0)
	at(t, &weir.Server{Handler: m}, func(s *weirtest.Server) {
		for _, tt := range []struct {
			others int64
			coding string
		}{{compress.MaxStreams, ""}, {compress.MaxStreams, ""}, {compress.MaxStreams - 1, "gzip"}} {
			compress.Streams.Store(tt.others)
			res := ask(s, "GET /|Accept-Encoding: gzip")
			got, err := decoded(t, tt.coding, res.Body)
			if res.Header.Get("Content-Encoding") != tt.coding || got != text || err != nil {
				t.Errorf("beside %d: got %v, %d bytes, %v", tt.others, res.Header, len(got), err)
			}
			if s.Settle(); compress.Streams.Load() != tt.others {
				t.Errorf("beside %d: got %d when it had ended", tt.others, compress.Streams.Load())
			}
		}
	})
}

// M8: an error in place of a coded stream, before it began, can be read; a
// heartbeat does not get into what is coded.
func TestStreamReplaced(t *testing.T) {
	m := new(weir.Mux)
	m.HandleFunc("GET /error", func(w *weir.Response, r *weir.Request) {
		compress.NewEventStream(w, r)
		w.Error(500, "no")
	})
	m.HandleFunc("GET /beats", func(w *weir.Response, r *weir.Request) {
		s := compress.NewEventStream(w, r)
		w.EventStream().Heartbeat(time.Second)
		time.Sleep(time.Minute)
		_ = s.SendEvent(sse.Data("x"))
		_ = s.Close()
	})
	at(t, &weir.Server{Handler: m}, func(s *weirtest.Server) {
		if res := ask(s, "GET /error|Accept-Encoding: gzip"); res.Status != 500 || res.Body != "no\n" || res.Header.Get("Content-Encoding") != "" {
			t.Errorf("got %d %v %q", res.Status, res.Header, res.Body)
		}
		c := s.Dial()
		c.Send(head("GET /beats|Accept-Encoding: gzip"))
		s.Tick(2 * time.Minute)
		if got, err := decoded(t, "gzip", c.Response().Body); got != "data: x\n\n" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		_ = c.Close()
	})
}

func ExampleEvents() {
	mux := new(weir.Mux)
	mux.HandleFunc("GET /log", func(w *weir.Response, r *weir.Request) {
		_ = compress.Events(w, r, func(yield func(*sse.Event, error) bool) { // the client has got the error
			for i := range 3 {
				if !yield(sse.Data(fmt.Sprintf("line %d", i)), nil) {
					return
				}
			}
		})
	})
	fmt.Println("each event is flushed")
	// Output: each event is flushed
}

func ExampleBodies() {
	mux := new(weir.Mux)
	mux.Use(compress.Bodies{MinSize: 512}.Middleware())
	mux.HandleFunc("GET /", func(w *weir.Response, _ *weir.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, strings.Repeat("hello ", 1000))
	})
	fmt.Println("a client that accepts zstd, br or gzip gets some hundred bytes")
	// Output: a client that accepts zstd, br or gzip gets some hundred bytes
}

// A stream is safe for concurrent use: what goroutines send at once can be
// decoded, and has each chunk whole.
func TestStreamAtOnce(t *testing.T) {
	m := new(weir.Mux)
	m.HandleFunc("GET /", func(w *weir.Response, r *weir.Request) {
		s := compress.NewStream(w, r)
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				chunk := []byte(strings.Repeat(string(rune('a'+i)), 100) + "\n")
				for range 50 {
					if i%2 == 0 {
						_ = s.Send(chunk)
					} else {
						for errors.Is(s.TrySend(chunk), weir.ErrBacklog) {
							time.Sleep(time.Millisecond)
						}
					}
				}
			})
		}
		all.Wait()
		_ = s.Close()
	})
	m.HandleFunc("GET /ends", func(w *weir.Response, r *weir.Request) {
		s := compress.NewEventStream(w, r)
		var all sync.WaitGroup
		for _, f := range []func(){
			func() { _ = s.Send([]byte(text)) }, func() { _ = s.TrySend([]byte(text)) }, func() { _ = s.SendEvent(sse.Data("x")) },
			func() { _ = s.Close() }, func() { s.Abort(io.ErrUnexpectedEOF) }, func() { _ = s.Cause() }, func() { s.Done() }, s.Detach,
		} {
			all.Go(func() {
				for range 20 {
					f()
				}
			})
		}
		all.Wait()
	})
	at(t, &weir.Server{Handler: m, Logger: slog.New(slog.DiscardHandler)}, func(s *weirtest.Server) {
		for _, coding := range []string{"gzip", "br", "zstd", ""} {
			c := s.Dial()
			c.Send(head("GET /|Accept-Encoding: " + coding))
			s.Tick(time.Minute)
			got, err := decoded(t, coding, c.Response().Body)
			lines := strings.Split(got, "\n")
			if len(lines) != 401 || err != nil {
				t.Fatalf("%s: got %d lines, %v", coding, len(lines), err)
			}
			for _, line := range lines[:400] {
				if line != strings.Repeat(line[:1], 100) {
					t.Fatalf("%s: got the line %q", coding, line)
				}
			}
			_ = c.Close()
		}
		for range 20 {
			c := s.Dial()
			c.Send(head("GET /ends|Accept-Encoding: gzip"))
			s.Tick(time.Second)
			_ = c.Close()
		}
	})
}
