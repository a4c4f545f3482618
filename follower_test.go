package weir_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"weir"
)

// feeding has a route whose responses are fed by a group, from steps that f sends: a text is a chunk, "EOF" the end,
// "error" an error, "panic" a panic.
type feeding struct {
	group weir.Group
	steps []string
	tally
}

func (f *feeding) routes(inline bool) *weir.Mux {
	m := new(weir.Mux)
	rt := m.HandleFunc("GET /s", func(w *weir.Response, _ *weir.Request) { f.group.Feed(w, &fed{feeding: f}) })
	if inline {
		rt.Inline()
	}
	m.HandleFunc("GET /next", func(w *weir.Response, _ *weir.Request) { w.WriteString("next") }).Inline()
	return m
}

func (f *feeding) step(steps ...string) {
	f.steps = append(f.steps, steps...)
	f.group.Wake()
}

type fed struct {
	*feeding
	at int
}

func (s *fed) Next(dst []byte) ([]byte, error) {
	if s.at == len(s.steps) {
		return dst, weir.ErrNotReady
	}
	s.at++
	switch step := s.steps[s.at-1]; step {
	case "EOF":
		return dst, io.EOF
	case "error":
		return dst, errLuck
	case "panic":
		panic(errLuck)
	default:
		return append(dst, step...), nil
	}
}

func (s *fed) Close(cause error) { s.tell(cause) }

// What a Group feeds ends in every way as any other stream does, with the exchange or without.
func TestFollowerEnds(t *testing.T) {
	const get10 = "GET /s HTTP/1.0\r\n\r\n"
	for _, tt := range []struct {
		name, request string
		steps         []string
		body          string // behind the head
		end           error  // of the connection; nil = it stays
		cause         string // of the source
		log           string
	}{
		{"its end", getS, []string{"one", "EOF"}, "3\r\none\r\n0\r\n\r\n", nil, "<nil>", ""},
		{"an error", getS, []string{"one", "error"}, "3\r\none\r\n", io.EOF, errLuck.Error(), errLuck.Error()},
		{"a panic", getS, []string{"one", "panic"}, "3\r\none\r\n", io.EOF, "panicked", "panicked"},
		{"HTTP/1.0", get10, []string{"one", "EOF"}, "one", io.EOF, "<nil>", ""},
		{"close", "GET /s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", []string{"one", "EOF"}, "3\r\none\r\n0\r\n\r\n", io.EOF, "<nil>", ""},
		{"a request behind it", getS + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n", []string{"one", "EOF"}, "3\r\none\r\n0\r\n\r\nHTTP/1.1 200 OK", nil, "<nil>", ""},
	} {
		for i := range 4 {
			inline, whole := i&1 > 0, i&2 > 0
			t.Run(tt.name, func(t *testing.T) {
				f, log := new(feeding), new(bytes.Buffer)
				set := func(s *weir.Server) {
					s.Logger = slog.New(slog.NewTextHandler(log, nil))
					if whole {
						s.OnError = func(*weir.Response, *weir.Request, error) {}
					}
				}
				atDesk(t, f.routes(inline), set, func(d *desk) {
					c := d.dial(tt.request)
					d.seen(c)
					f.step(tt.steps...)
					if got := d.seen(c); !strings.HasPrefix(got, tt.body) || tt.name != "a request behind it" && got != tt.body {
						t.Errorf("got %q, want %q", got, tt.body)
					}
					if err := c.Err(); err != tt.end {
						t.Errorf("the connection: got %v, want %v", err, tt.end)
					}
					if tt.end == nil {
						d.write(c, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
						if got := d.seen(c); !strings.HasSuffix(got, "next") {
							t.Errorf("the next request: got %q", got)
						}
					}
					c.Close()
					d.Settle()
					if got := f.told(); len(got) != 1 || !strings.Contains(errorText(got[0]), tt.cause) {
						t.Errorf("the source: got %v, want %s once", got, tt.cause)
					}
					stats := d.srv.Stats()
					failed := uint64(0)
					if tt.log != "" {
						failed = 1
					}
					if stats.StreamsActive != 0 || stats.StreamsTotal != 1 || stats.StreamsFailed != failed || stats.StreamsCancelled != 0 {
						t.Errorf("got %+v", stats)
					}
				})
				if got := log.String(); !strings.Contains(got, tt.log) || tt.log == "" && got != "" {
					t.Errorf("logged %q, want %q", got, tt.log)
				}
			})
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return "<nil>"
	}
	return err.Error()
}

// L4, L6, L8, L12. A client that disconnects, half-closes, stalls or is cut off by a shutdown.
func TestFollowerDisconnects(t *testing.T) {
	for name, tt := range map[string]struct {
		set  func(*weir.Server)
		do   func(d *desk, f *feeding)
		want error
	}{
		"close": {nil, func(d *desk, f *feeding) { c := d.dial(getS); d.seen(c); c.Close() }, weir.ErrClientGone},
		"reset": {nil, func(d *desk, f *feeding) { c := d.dial(getS); d.seen(c); c.Reset() }, weir.ErrClientGone},
		"half-close": {nil, func(d *desk, f *feeding) {
			c := d.dial(getS)
			d.seen(c)
			_ = c.CloseWrite()
			d.Settle()
			c.Close()
		}, weir.ErrClientGone},
		"half-close is allowed": {func(s *weir.Server) { s.HalfClose = weir.HalfCloseAllow }, func(d *desk, f *feeding) {
			c := d.dial(getS)
			d.seen(c)
			_ = c.CloseWrite()
			d.Settle()
			f.step("more", "EOF")
			if got := d.seen(c); got != "4\r\nmore\r\n0\r\n\r\n" {
				d.Errorf("got %q", got)
			}
			c.Close()
		}, nil},
		"stall": {nil, func(d *desk, f *feeding) {
			c := d.dial(getS)
			d.seen(c)
			c.SetWindow(0)
			f.step(strings.Repeat("x", 10_000))
			d.Tick(2 * time.Minute)
			c.Close()
		}, weir.ErrSlowClient},
		"shutdown": {func(s *weir.Server) { s.Timeouts.Linger = 100 * time.Millisecond }, func(d *desk, f *feeding) {
			c := d.dial(getS)
			d.seen(c)
			report := d.Drain()
			d.Tick(time.Minute)
			if got := <-report; got.Cut != 1 {
				d.Errorf("got %+v, want 1 cut", got)
			}
			d.truncated(c)
			c.Close()
		}, weir.ErrServerClosed},
	} {
		for _, inline := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				f := new(feeding)
				atDesk(t, f.routes(inline), tt.set, func(d *desk) {
					tt.do(d, f)
					d.Settle()
					if got := f.told(); len(got) != 1 || !errors.Is(got[0], tt.want) || tt.want == nil && got[0] != nil {
						t.Errorf("got %v, want %v once", got, tt.want)
					}
					if n := f.group.Len(); n != 0 {
						t.Errorf("got %d members, want none", n)
					}
				})
			})
		}
	}
}
