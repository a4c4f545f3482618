package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/client"
	"weir/hub"
	"weir/internal/invariant"
	"weir/internal/memloop"
	"weir/reactor"
	"weir/sse"
	"weir/weirtest"
)

// What is documented as safe for concurrent use is called so, every method of it:
// the race detector judges.
func TestSafeForConcurrentUse(t *testing.T) {
	file, err := os.Open("trial_test.go")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p := []byte("token")
	t.Run("weir.Stream", func(t *testing.T) {
		for range 20 {
			atStream(t, func(s *weir.Stream) {
				atOnce(t, s, nil, map[string]func(){
					"Abort":      func() { s.Abort(io.ErrUnexpectedEOF) },
					"Cause":      func() { _ = s.Cause() },
					"Close":      func() { _ = s.Close() },
					"Commit":     func() { _ = s.Commit() },
					"Deadline":   func() { s.Deadline() },
					"Detach":     func() { s.Detach() },
					"Done":       func() { s.Done() },
					"Draining":   func() { s.Draining() },
					"Ended":      func() { s.Ended() },
					"Flush":      func() { _ = s.Flush() },
					"Heartbeat":  func() { s.Heartbeat(time.Millisecond) },
					"ID":         func() { s.ID() },
					"OnClose":    func() { s.OnClose(func(error) {}) },
					"Send":       func() { _ = s.Send(p) },
					"SendEvent":  func() { _ = s.SendEvent(&sse.Event{Data: p}) },
					"SendFile":   func() { _, _ = s.SendFile(file, 0, 10) },
					"SetTrailer": func() { _ = s.SetTrailer("x", "y") },
					"TrySend":    func() { _ = s.TrySend(p) },
					"Wake":       func() { s.Wake() },
					"Write":      func() { _, _ = s.Write(p) },
				})
			})
		}
	})
	t.Run("weir.Pipe", func(t *testing.T) {
		for range 20 {
			atPipe(t, func(c *weir.Pipe) {
				atOnce(t, c, []string{"Receive"}, map[string]func(){
					"Abort":            func() { c.Abort(io.ErrUnexpectedEOF) },
					"Cause":            func() { _ = c.Cause() },
					"Close":            func() { _ = c.Close() },
					"CloseWrite":       func() { _ = c.CloseWrite() },
					"Crash":            func() { c.Crash("test", io.ErrUnexpectedEOF) },
					"EndWith":          func() { c.EndWith(p, p) },
					"Loop":             func() { c.Loop() },
					"Room":             func() { c.Room() },
					"SendLast":         func() { _ = c.SendLast(p, p) },
					"TrySendParts":     func() { _, _ = c.TrySendParts(p, p) },
					"Deadline":         func() { c.Deadline() },
					"Detach":           func() { c.Detach() },
					"Done":             func() { c.Done() },
					"Draining":         func() { c.Draining() },
					"Ended":            func() { c.Ended() },
					"ID":               func() { c.ID() },
					"LocalAddr":        func() { c.LocalAddr() },
					"OnClose":          func() { c.OnClose(func(error) {}) },
					"Read":             func() { _, _ = c.Read(make([]byte, 3)) },
					"RemoteAddr":       func() { c.RemoteAddr() },
					"Send":             func() { _ = c.Send(p) },
					"SetDeadline":      func() { _ = c.SetDeadline(time.Now().Add(time.Millisecond)) },
					"SetReadDeadline":  func() { _ = c.SetReadDeadline(time.Now().Add(time.Millisecond)) },
					"SetWriteDeadline": func() { _ = c.SetWriteDeadline(time.Now().Add(time.Millisecond)) },
					"TrySend":          func() { _ = c.TrySend(p) },
					"Write":            func() { _, _ = c.Write(p) },
				})
			})
		}
	})
	t.Run("weir.Group", func(t *testing.T) {
		for range 20 {
			g, m := new(weir.Group), new(weir.Mux)
			feed := func(w *weir.Response, _ *weir.Request) {
				g.Feed(w, weir.NextChunk(0, func(n *int, dst []byte, cancelled bool) ([]byte, error) {
					if *n++; cancelled || *n == 3 {
						return dst, io.EOF
					}
					return append(dst, p...), weir.ErrNotReady
				}))
			}
			m.HandleFunc("GET /loop", feed).Inline()
			m.HandleFunc("GET /goroutine", feed)
			synctest.Test(t, func(t *testing.T) {
				server := weirtest.Start(t, &weir.Server{Handler: m, Loops: 2})
				atOnce(t, g, nil, map[string]func(){
					"Feed": func() { server.Get("/loop").Close(); server.Get("/goroutine") },
					"Len":  func() { g.Len() },
					"Wake": func() { g.Wake() },
				})
			})
		}
	})
	t.Run("hub.Hub", func(t *testing.T) { atHubs(t, hub.Config{}, nil) })
	t.Run("hub.Log", func(t *testing.T) {
		b := new(logBroker)
		atHubs(t, hub.Config{Broker: b}, func() { b.append(p) })
	})
	t.Run("weir.SwapMux", func(t *testing.T) {
		s, m := new(weir.SwapMux), new(weir.Mux)
		m.HandleFunc("GET /", func(*weir.Response, *weir.Request) {})
		synctest.Test(t, func(t *testing.T) {
			server := weirtest.Start(t, &weir.Server{Handler: s})
			atOnce(t, s, nil, map[string]func(){
				"Mux":   func() { s.Mux() },
				"Serve": func() { server.Get("/").Close() },
				"Set":   func() { s.Set(m) },
			})
		})
	})
	t.Run("weir.Server", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		for range 20 {
			s := &weir.Server{Handler: new(weir.Mux), Logger: slog.New(slog.DiscardHandler)}
			if err := s.Start("127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
			atOnce(t, s, nil, map[string]func(){
				"Addrs":    func() { s.Addrs() },
				"TLSAddrs": func() { s.TLSAddrs() },
				"Reactor":  func() { s.Reactor().Connections() },
				"Serve":    func() { _ = s.Serve(ctx, "127.0.0.1:0") },
				"Shutdown": func() { _, _ = s.Shutdown(ctx) },
				"Start":    func() { _ = s.Start("127.0.0.1:0") },
				"Stats":    func() { s.Stats() },
			})
		}
	})
	t.Run("reactor.Reactor", func(t *testing.T) {
		for range 20 {
			kernel := memloop.New()
			r, err := reactor.New(reactor.Config{Loops: 2, System: kernel, Accept: func(*reactor.Conn) reactor.Handler { return deaf{} }})
			if err != nil {
				t.Fatal(err)
			}
			atOnce(t, r, nil, map[string]func(){
				"Addrs":         func() { r.Addrs() },
				"Attach":        func() { kernel.Dial(r, rand.N(2)).Close() },
				"AttachTLS":     func() { _ = r.AttachTLS(r.Loops()[0], 0, netip.AddrPort{}, nil) }, // an error
				"Close":         func() { r.Close() },
				"Connections":   func() { r.Connections() },
				"Hold":          func() { _ = r.Hold() },
				"Listen":        func() { _, _ = r.Listen("nowhere") },
				"ListenTLS":     func() { _, _ = r.ListenTLS("nowhere", nil) },
				"LogLost":       func() { r.LogLost() },
				"Logger":        func() { r.Logger() },
				"Loops":         func() { r.Loops() },
				"Release":       func() { r.Release() },
				"StopListening": func() { r.StopListening() },
			})
		}
	})
	t.Run("reactor.Loop and Conn", func(t *testing.T) {
		atConn(t, func(c *reactor.Conn) {
			l := c.Loop()
			atOnce(t, l, except(l, loopAnywhere), map[string]func(){
				"ID":     func() { l.ID() },
				"Logger": func() { l.Logger() },
				"Post":   func() { l.Post(reactor.TaskFunc(func() { l.Now() })) },
			})
			locked := func(f func()) func() {
				return func() {
					c.Lock()
					f()
					c.Unlock()
				}
			}
			flush := func(f func()) func() {
				return func() {
					c.Lock()
					if b := c.Buffer(); c.Err() == nil {
						*b = append(*b, p...)
					}
					f()
				}
			}
			atOnce(t, c, except(c, connAnywhere), map[string]func(){
				"Acquire": func() {
					if b, _, err := c.Acquire(); err == nil && b != nil {
						*b = append(*b, p...)
					}
					c.Flush()
				},
				"Backlogged": locked(func() { c.Backlogged() }),
				"Buffer":     flush(c.Unlock),
				"Err":        locked(func() { _ = c.Err() }),
				"Flush":      flush(c.Flush),
				"FlushWith":  flush(func() { c.FlushWith(make([]byte, 8<<10), p) }),
				"ListenAddr": func() { c.ListenAddr() },
				"Lock":       locked(func() {}),
				"Loop":       func() { c.Loop() },
				"Narrow":     locked(c.Narrow),
				"Pending":    locked(func() { c.Pending() }),
				"RemoteAddr": func() { c.RemoteAddr() },
				"Room":       locked(func() { c.Room() }),
				"SendFile": flush(func() {
					_, _, _ = c.SendFile(file, 0, 1<<10)
					c.Flush()
				}),
				"SendsFiles": func() { c.SendsFiles() },
				"TLS":        func() { c.TLS() },
				"Unlock":     locked(func() {}),
				"Wake":       locked(func() { c.Wake() }),
			})
		})
	})
}

// What must be called on the loop panics elsewhere, in builds with -tags
// invariants, and so does what needs the lock.
func TestOnTheLoop(t *testing.T) {
	if !invariant.Enabled {
		t.Skip("only with -tags invariants")
	}
	atConn(t, func(c *reactor.Conn) {
		offLoop(t, c.Loop(), loopAnywhere)
		offLoop(t, client.NewPool(c.Loop(), client.Config{Addr: "127.0.0.1:80"}), []string{"Addr"})
		offLoop(t, c, []string{"Loop", "RemoteAddr", "ListenAddr", "TLS", "SendsFiles", "Lock", "Acquire", "Unlock"})
	})
	synctest.Test(t, func(t *testing.T) {
		exchanges := make(chan *weir.LoopExchange, 1)
		m := new(weir.Mux)
		m.HandleLoop("GET /", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
			exchanges <- x
			return ignored{}
		}))
		server := weirtest.Start(t, &weir.Server{Handler: m})
		client := server.Get("/")
		offLoop(t, <-exchanges, threads["weir.LoopExchange"].but)
		client.Reset()
	})
}

// offLoop calls all methods of v but those that may be called off the loop.
func offLoop(t *testing.T, v any, but []string) {
	t.Helper()
	methods := reflect.ValueOf(v)
	for m := range methods.Type().Methods() {
		if slices.Contains(but, m.Name) {
			continue
		}
		got := panicked(func() { call(methods.MethodByName(m.Name), arguments(m.Type)) })
		if !strings.Contains(got, "off the loop") && !strings.Contains(got, "without its lock") {
			t.Errorf("%v.%s off the loop: got %q, want a panic that says so", methods.Type(), m.Name, got)
		}
	}
}

func call(f reflect.Value, args []reflect.Value) {
	if f.Type().IsVariadic() {
		f.CallSlice(args)
	} else {
		f.Call(args)
	}
}

// ignored is a weir.BodyReceiver that does nothing.
type ignored struct{}

func (ignored) Data([]byte)  {}
func (ignored) End(error)    {}
func (ignored) Drained()     {}
func (ignored) Closed(error) {}

// arguments are zero values for a method, whose receiver is left out.
func arguments(method reflect.Type) (args []reflect.Value) {
	for i := 1; i < method.NumIn(); i++ {
		if in := method.In(i); in == reflect.TypeFor[*reactor.Timer]() {
			args = append(args, reflect.ValueOf(new(reactor.Timer)))
		} else {
			args = append(args, reflect.Zero(in))
		}
	}
	return args
}

func panicked(f func()) (what string) {
	defer func() {
		if broken, ok := recover().(invariant.Broken); ok {
			what = broken.Error()
		}
	}()
	f()
	return ""
}

// except returns the methods of v that are not among those.
func except(v any, those []string) (others []string) {
	for m := range reflect.TypeOf(v).Methods() {
		if !slices.Contains(those, m.Name) {
			others = append(others, m.Name)
		}
	}
	return others
}

// atOnce makes all calls on several goroutines at a time, each in an order of its
// own. There must be one for each method of v, but for those that have another
// rule.
func atOnce(t *testing.T, v any, but []string, calls map[string]func()) {
	t.Helper()
	var names []string
	for m := range reflect.TypeOf(v).Methods() {
		if slices.Contains(but, m.Name) {
			continue
		}
		if names = append(names, m.Name); calls[m.Name] == nil {
			t.Fatalf("%T.%s is not called: its documentation says that it is safe for concurrent use", v, m.Name)
		}
	}
	for name := range calls {
		if !slices.Contains(names, name) {
			t.Fatalf("%T has no method %s that is safe for concurrent use", v, name)
		}
	}
	var all sync.WaitGroup
	for range 4 {
		order := rand.Perm(len(names))
		all.Go(func() {
			for _, i := range order {
				calls[names[i]]()
			}
		})
	}
	all.Wait()
}

// atHubs calls the methods of hubs at once, and besides.
func atHubs(t *testing.T, c hub.Config, besides func()) {
	t.Helper()
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			h, err := hub.New(c)
			if err != nil {
				t.Fatal(err)
			}
			m := new(weir.Mux)
			m.HandleFunc("GET /loop", func(w *weir.Response, r *weir.Request) { h.Serve(w, r, "t", nil) }).Inline()
			m.HandleFunc("GET /goroutine", func(w *weir.Response, r *weir.Request) {
				h.Serve(w, r, "t", &hub.Options{Format: hub.NDJSON})
			})
			server := weirtest.Start(t, &weir.Server{Handler: m, Loops: 2})
			atOnce(t, h, nil, map[string]func(){
				"Close": func() {
					time.Sleep(time.Second)
					_ = h.Close()
				},
				"End":         func() { _ = h.End("ended") },
				"Publish":     func() { _, _ = h.Publish("t", hub.Event{Data: []byte("x")}) },
				"PublishWait": func() { _, _ = h.PublishWait(t.Context(), "t", hub.Event{Data: []byte("x")}) },
				"Serve":       func() { server.Get("/loop").Close(); server.Get("/goroutine") },
				"Stats":       func() { h.Stats() },
				"Subscribe": func() {
					if s, err := h.Subscribe("t", "", nil); err == nil {
						if besides != nil {
							besides()
						}
						s.Close()
					}
				},
			})
		})
	}
}

// logBroker fills its log from several goroutines.
type logBroker struct {
	mu  sync.Mutex
	log *hub.Log
}

func (b *logBroker) Follow(_ string, log *hub.Log) (stop func(), err error) {
	b.mu.Lock()
	b.log = log
	b.mu.Unlock()
	log.Begin("first", hub.Position{})
	log.Ready()
	return func() {}, nil
}

func (b *logBroker) Publish(string, hub.Event) error { return nil }
func (b *logBroker) Keeps() bool                     { return true }
func (b *logBroker) Close() error                    { return nil }

// append calls the methods of the log.
func (b *logBroker) append(p []byte) {
	b.mu.Lock()
	log := b.log
	b.mu.Unlock()
	log.Wants()
	log.Append(hub.Position{Seq: rand.Uint64N(1 << 20)}, time.Now(), hub.Event{Data: p})
	log.Reached(hub.Position{Seq: rand.Uint64N(1 << 20)})
	switch rand.N(4) {
	case 0:
		log.Begin("another", hub.Position{})
		log.Ready()
	case 1:
		log.End(nil)
	}
}

// atStream runs f with a stream whose client reads, on a fake clock.
func atStream(t *testing.T, f func(s *weir.Stream)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		streams := make(chan *weir.Stream)
		m := new(weir.Mux)
		m.HandleFunc("GET /", func(w *weir.Response, _ *weir.Request) {
			s := w.Stream()
			streams <- s
			<-s.Done()
		})
		server := weirtest.Start(t, &weir.Server{Handler: m, Logger: slog.New(slog.DiscardHandler)})
		client := server.Get("/")
		f(<-streams)
		client.Close()
		server.Settle()
	})
}

// atPipe is atStream for a connection that has switched to another protocol.
func atPipe(t *testing.T, f func(p *weir.Pipe)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		pipes := make(chan *weir.Pipe)
		m := new(weir.Mux)
		m.HandleFunc("GET /", func(w *weir.Response, _ *weir.Request) {
			p, err := w.Upgrade("test")
			if err != nil {
				t.Error(err)
			}
			pipes <- p
			<-p.Done()
		})
		server := weirtest.Start(t, &weir.Server{Handler: m, Logger: slog.New(slog.DiscardHandler)})
		client := server.Dial()
		client.Send("GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\nsome bytes")
		f(<-pipes)
		client.Close()
		server.Settle()
	})
}

// atConn runs f, off the loop, with a connection whose client reads everything.
func atConn(t *testing.T, f func(c *reactor.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		kernel, conns := memloop.New(), make(chan *reactor.Conn, 1)
		r, err := reactor.New(reactor.Config{Loops: 1, System: kernel, Accept: func(c *reactor.Conn) reactor.Handler {
			conns <- c
			return deaf{}
		}})
		if err != nil {
			t.Fatal(err)
		}
		client := kernel.Dial(r, 0)
		go func() {
			if _, err := io.Copy(io.Discard, client); err != nil && !errors.Is(err, io.EOF) {
				t.Log(err) // the connection was reset
			}
		}()
		f(<-conns)
		r.Close()
	})
}

// deaf is a reactor.Handler that does nothing.
type deaf struct{}

func (deaf) Data(p []byte) int { return len(p) }
func (deaf) PeerClosed()       {}
func (deaf) Drained()          {}
func (deaf) Closed(error)      {}
