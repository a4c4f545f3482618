package weir_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/plugin"
	"weir/reactor"
	"weir/sse"
)

func init() {
	plugin.Register("test/boom", plugin.Handler{Stream: func(plugin.Call, plugin.Sink) error { panic("boom") }})
}

// boom is user code that panics: mount registers GET /boom, or sets it up at the server.
type boom struct {
	name  string
	mount func(m *weir.Mux, s *weir.Server)
}

// served is a handler in each of the places where one runs.
func served(f func(w *weir.Response, r *weir.Request)) map[string]func(*weir.Mux, *weir.Server) {
	h := weir.HandlerFunc(f)
	return map[string]func(*weir.Mux, *weir.Server){
		"on a goroutine": func(m *weir.Mux, _ *weir.Server) { m.Handle("PUT /boom", h) },
		"inline":         func(m *weir.Mux, _ *weir.Server) { m.Handle("PUT /boom", h).Inline() },
		"body":           func(m *weir.Mux, _ *weir.Server) { m.Handle("PUT /boom", h).StreamBody() },
		"loop":           func(m *weir.Mux, _ *weir.Server) { m.HandleLoop("PUT /boom", atOnce(h)) },
	}
}

func booms() (all []boom) {
	explode := func() { panic("boom") }
	each := func(name string, f func(w *weir.Response, r *weir.Request)) {
		for where, mount := range served(f) {
			all = append(all, boom{name + ", " + where, mount})
		}
	}
	each("handler", func(*weir.Response, *weir.Request) { explode() })
	each("handler after a chunk", func(w *weir.Response, _ *weir.Request) { _ = w.Stream().Send([]byte("x")); explode() })
	each("OnClose", func(_ *weir.Response, r *weir.Request) { r.OnClose(func(error) { explode() }) })
	each("OnClose of a stream", func(w *weir.Response, _ *weir.Request) {
		s := w.Stream()
		s.OnClose(func(error) { explode() })
		s.Abort(errLuck)
	})
	each("OnClose after the end", func(w *weir.Response, r *weir.Request) {
		_ = w.Stream().Close()
		r.OnClose(func(error) { explode() })
	})
	each("Source.Next", func(w *weir.Response, _ *weir.Request) {
		w.StreamFrom(&script{next: func([]byte) ([]byte, error) { panic("boom") }})
	})
	each("Source.Close", func(w *weir.Response, _ *weir.Request) { w.StreamFrom(closeBoom{io.EOF}) })
	each("Source.Close of one that fails", func(w *weir.Response, _ *weir.Request) { w.StreamFrom(closeBoom{errLuck}) })
	each("NextChunk", func(w *weir.Response, _ *weir.Request) {
		w.StreamFrom(weir.NextChunk(0, func(_ *int, _ []byte, cancelled bool) ([]byte, error) {
			if cancelled {
				return nil, nil
			}
			panic("boom")
		}))
	})
	each("a task of the loop", func(w *weir.Response, _ *weir.Request) { weir.LoopOf(w).Post(reactor.TaskFunc(explode)) })
	loop := func(name string, f func(x *weir.LoopExchange) *receiver) {
		all = append(all, boom{name, func(m *weir.Mux, _ *weir.Server) { m.HandleLoop("PUT /boom", looped(f)) }})
	}
	loop("ServeLoop", func(*weir.LoopExchange) *receiver { panic("boom") })
	loop("Data", func(*weir.LoopExchange) *receiver { return &receiver{data: func([]byte) { explode() }} })
	loop("End", func(*weir.LoopExchange) *receiver { return &receiver{end: func(error) { explode() }} })
	loop("Drained", func(x *weir.LoopExchange) *receiver {
		if x.Push(make([]byte, 1<<20)) {
			panic("boom: there is room")
		}
		return &receiver{drained: explode}
	})
	loop("Closed", func(x *weir.LoopExchange) *receiver {
		x.Release()
		return &receiver{end: func(error) { x.End() }, closed: func(error) { explode() }}
	})
	add := func(name string, mount func(m *weir.Mux, s *weir.Server)) { all = append(all, boom{name, mount}) }
	sequence := func(m *weir.Mux, gen func(*weir.Request) iter.Seq2[*sse.Event, error]) {
		m.Handle("PUT /boom", weir.Events(gen))
	}
	add("generator", func(m *weir.Mux, _ *weir.Server) {
		sequence(m, func(*weir.Request) iter.Seq2[*sse.Event, error] {
			return func(yield func(*sse.Event, error) bool) { yield(sse.Data("x"), nil); explode() }
		})
	})
	add("maker of a generator", func(m *weir.Mux, _ *weir.Server) {
		sequence(m, func(*weir.Request) iter.Seq2[*sse.Event, error] { panic("boom") })
	})
	add("native handler", func(m *weir.Mux, _ *weir.Server) { m.Handle("PUT /boom", weir.Native("test/boom")) })
	add("middleware", func(m *weir.Mux, _ *weir.Server) {
		m.Handle("PUT /boom", says("x"), func(weir.Handler) weir.Handler {
			return weir.HandlerFunc(func(*weir.Response, *weir.Request) { explode() })
		})
	})
	add("Goexit", func(m *weir.Mux, _ *weir.Server) {
		m.HandleFunc("PUT /boom", func(w *weir.Response, _ *weir.Request) { w.Header().Set("Reason", "boom"); runtime.Goexit() })
	})
	chunk := func(m *weir.Mux, inline bool) {
		for where, mount := range served(func(w *weir.Response, _ *weir.Request) { _ = w.Stream().Send([]byte("x")) }) {
			if where == "inline" && inline || where == "on a goroutine" && !inline {
				mount(m, nil)
			}
		}
	}
	for _, inline := range []bool{false, true} {
		where := map[bool]string{false: ", on a goroutine", true: ", inline"}[inline]
		at := func(name string, set func(s *weir.Server)) {
			add(name+where, func(m *weir.Mux, s *weir.Server) { chunk(m, inline); set(s) })
		}
		isBoom := func(r *weir.Request) {
			if r.Path() == "/boom" {
				explode()
			}
		}
		at("OnHeaders", func(s *weir.Server) {
			s.OnHeaders = func(_ *weir.Response, r *weir.Request) bool { isBoom(r); return true }
		})
		at("Trace.Start", func(s *weir.Server) {
			s.Trace = &weir.Trace{Start: func(r *weir.Request) any { isBoom(r); return nil }}
		})
		at("Trace.Head", func(s *weir.Server) {
			s.Trace = &weir.Trace{Head: func(r *weir.Request, _ any, _ weir.ResponseStats) { isBoom(r) }}
		})
		at("Trace.Chunk", func(s *weir.Server) {
			s.Trace = &weir.Trace{Chunk: func(r *weir.Request, _ any, _ weir.ResponseStats, _ int) { isBoom(r) }}
		})
		at("Trace.End", func(s *weir.Server) {
			s.Trace = &weir.Trace{End: func(r *weir.Request, _ any, _ weir.ResponseStats, _ error) { isBoom(r) }}
		})
	}
	each("OnError", func(w *weir.Response, _ *weir.Request) { w.Stream().Abort(errLuck) })
	for i := len(all) - 4; i < len(all); i++ {
		mount := all[i].mount
		all[i].mount = func(m *weir.Mux, s *weir.Server) {
			s.OnError = func(*weir.Response, *weir.Request, error) { explode() }
			mount(m, s)
		}
	}
	return all
}

// closeBoom is a source that ends with an error and panics when it is closed.
type closeBoom struct{ err error }

func (c closeBoom) Next(dst []byte) ([]byte, error) { return append(dst, 'x'), c.err }
func (c closeBoom) Close(error)                     { panic("boom") }

// lines is a log that can be looked at.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// A panic in any function of the user's costs one connection at most, is logged once with its stack, and leaves a
// server that goes on and shuts down.
func TestUserCodePanics(t *testing.T) {
	for _, b := range booms() {
		t.Run(b.name, func(t *testing.T) {
			m, log := new(weir.Mux), new(lines)
			m.Handle("GET /hello", says("hello")).Inline()
			m.Handle("GET /hello-too", says("hello"))
			atDesk(t, m, func(s *weir.Server) {
				s.Logger = slog.New(slog.NewTextHandler(log, nil))
				b.mount(m, s)
			}, func(d *desk) {
				before := d.get("/hello")
				d.seen(before)
				c := d.dial("PUT /boom HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
				d.seen(c)
				time.Sleep(time.Minute) // all that can time out
				got := log.String()
				if n := strings.Count(got, "debug.Stack"); n != 1 || !strings.Contains(got, "boom") {
					t.Errorf("got %d panics in the log, want one, with its stack; it begins with %.200s", n, got)
				}
				d.write(before, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
				if got := d.seen(before); !strings.Contains(got, "200 OK") {
					t.Errorf("an older connection got %q", got)
				}
				if status, _ := d.exchange("GET /hello-too HTTP/1.1\r\nHost: a\r\n\r\n"); status != "200 OK" {
					t.Errorf("a newer connection got %q", status)
				}
				c.Close()
			})
		})
	}
}

// A logger that panics, too, costs no more.
func TestLoggerPanics(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(*weir.Response, *weir.Request) { panic("boom") }})
	atDesk(t, m, func(s *weir.Server) { s.Logger = slog.New(panicking{slog.DiscardHandler}) }, func(d *desk) {
		if status, _ := d.exchange(getS); status != "500 Internal Server Error" {
			t.Errorf("got %q, want 500", status)
		}
	})
}

type panicking struct{ slog.Handler }

func (panicking) Enabled(context.Context, slog.Level) bool  { return true }
func (panicking) Handle(context.Context, slog.Record) error { panic("no log") }
func (p panicking) WithAttrs([]slog.Attr) slog.Handler      { return p }

// OnClose never runs within a call of the user's: one who ends streams with a list under a lock does not wait for
// itself.
func TestOnCloseRunsWithoutTheCallersLocks(t *testing.T) {
	ends := map[string]func(s *weir.Stream){
		"Close":   func(s *weir.Stream) { _ = s.Close() },
		"Abort":   func(s *weir.Stream) { s.Abort(errLuck) },
		"OnClose": func(s *weir.Stream) { s.OnClose(func(error) {}) },
	}
	for name, end := range ends {
		for where, begin := range map[string]func(*weir.Mux, weir.Handler){
			"inline":         func(m *weir.Mux, h weir.Handler) { m.Handle("GET /s", h).Inline() },
			"on a goroutine": func(m *weir.Mux, h weir.Handler) { m.Handle("GET /s", h) },
		} {
			for _, from := range []string{"handler", "goroutine", "loop"} {
				t.Run(name+", "+where+", from the "+from, func(t *testing.T) {
					var (
						mu    sync.Mutex // of the list
						list  = map[*weir.Stream]bool{}
						ended tally
					)
					endAll := func() {
						mu.Lock()
						defer mu.Unlock()
						for s := range list {
							if name == "OnClose" {
								_ = s.Close()
							}
							end(s)
						}
					}
					m := new(weir.Mux)
					begin(m, weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) {
						s := w.Stream()
						s.Detach()
						_ = s.Send([]byte("x"))
						mu.Lock()
						list[s] = true
						mu.Unlock()
						s.OnClose(func(cause error) {
							mu.Lock()
							delete(list, s)
							mu.Unlock()
							ended.tell(cause)
						})
						switch from {
						case "handler":
							endAll()
						case "goroutine":
							go endAll()
						default:
							weir.LoopOf(w).Post(reactor.TaskFunc(endAll))
						}
					}))
					atDesk(t, m, nil, func(d *desk) {
						c := d.get("/s")
						d.seen(c)
						if got := ended.told(); len(got) != 1 || len(list) != 0 {
							t.Errorf("got the ends %v, %d streams left, want one and none", got, len(list))
						}
						c.Close()
					})
				})
			}
		}
	}
}

// The functions given to OnClose run where its documentation says: those of an inline handler on the loop, whoever
// ends the stream, also when it has ended before.
func TestOnCloseRunsOnTheLoop(t *testing.T) {
	for _, late := range []bool{false, true} {
		var onLoop, other string
		stack := func() string {
			buf := make([]byte, 1<<14)
			return string(buf[:runtime.Stack(buf, false)])
		}
		m := new(weir.Mux)
		m.HandleFunc("GET /s", func(w *weir.Response, _ *weir.Request) {
			s := w.Stream()
			s.Detach()
			if !late {
				s.OnClose(func(error) { onLoop = stack() })
			}
			go func() {
				s.Abort(errLuck)
				if late {
					s.OnClose(func(error) { onLoop = stack() })
				}
			}()
		}).Inline()
		m.HandleFunc("GET /other", func(w *weir.Response, r *weir.Request) {
			if late {
				_ = w.Stream().Close()
			}
			r.OnClose(func(error) { other = stack() })
		})
		atDesk(t, m, nil, func(d *desk) {
			d.exchange(getS)
			d.exchange("GET /other HTTP/1.1\r\nHost: a\r\n\r\n")
			if !strings.Contains(onLoop, "reactor.(*Loop).run") {
				t.Errorf("late=%v: an inline handler's function ran on\n%s", late, onLoop)
			}
			if other == "" || strings.Contains(other, "exchange).serve") || strings.Contains(other, "reactor.(*Loop)") {
				t.Errorf("late=%v: a goroutine handler's function ran on\n%s", late, other)
			}
		})
	}
}

// What was given to OnClose is called, and a source closed, by a server that has shut down, too.
func TestUserCodeAfterShutdown(t *testing.T) {
	for where, begin := range map[string]func(*weir.Mux, weir.Handler){
		"inline":         func(m *weir.Mux, h weir.Handler) { m.Handle("GET /s", h).Inline() },
		"on a goroutine": func(m *weir.Mux, h weir.Handler) { m.Handle("GET /s", h) },
	} {
		t.Run(where, func(t *testing.T) {
			var (
				ended   tally
				request *weir.Request
			)
			m := new(weir.Mux)
			begin(m, weir.HandlerFunc(func(w *weir.Response, r *weir.Request) { request = r; w.Stream().Detach() }))
			atDesk(t, m, nil, func(d *desk) {
				d.get("/s")
				synctest.Wait()
				d.cut()
				request.OnClose(ended.tell)
				synctest.Wait()
				if got := ended.told(); len(got) != 1 || !errors.Is(got[0], weir.ErrServerClosed) {
					t.Errorf("got %v, want ErrServerClosed once", got)
				}
			})
		})
	}
}
