package ws_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/weirtest"
	"weir/ws"
)

// watcher is a Handler that notes what it is called with.
type watcher struct {
	mu       sync.Mutex
	conn     *ws.Conn
	messages []string
	ends     []error
	message  func(c *ws.Conn, kind ws.Kind, p []byte)
}

func (w *watcher) OnMessage(c *ws.Conn, kind ws.Kind, p []byte) {
	w.mu.Lock()
	w.messages = append(w.messages, fmt.Sprintf("%s %s", kind, p))
	w.mu.Unlock()
	if w.message != nil {
		w.message(c, kind, p)
	}
}

func (w *watcher) OnClose(c *ws.Conn, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends = append(w.ends, err)
}

func (w *watcher) seen() ([]string, []error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.messages, w.ends
}

// watched serves /ws by w.
func watched(inline bool, o ws.Options, w *watcher) *weir.Mux {
	o.Inline = inline
	m := new(weir.Mux)
	m.HandleLoop("/ws", ws.Handle(o, func(c *ws.Conn, _ *weir.Request) ws.Handler {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.conn = c
		return w
	}))
	return m
}

// both runs f for handlers on the loop and on a goroutine.
func both(t *testing.T, f func(t *testing.T, inline bool)) {
	for name, inline := range map[string]bool{"inline": true, "goroutine": false} {
		t.Run(name, func(t *testing.T) { f(t, inline) })
	}
}

// W13: a ping every 20 s; a peer from which nothing has come until the next is disconnected.
func TestPing(t *testing.T) {
	both(t, func(t *testing.T, inline bool) {
		var w watcher
		at(t, watched(inline, ws.Options{}, &w), nil, func(d *table) {
			c := d.opened()
			for range 5 {
				d.Tick(19 * time.Second)
				if got := c.Received(); got != "" {
					t.Errorf("got %q before the time", got)
				}
				d.Tick(time.Second)
				if got := said(c.Received()); got != line(fin|opPing, "") {
					t.Fatalf("got %q, want a ping", got)
				}
				c.Send(frame(fin|opPong, ""))
			}
			d.Tick(20 * time.Second)
			c.Received()
			c.Send(text("also a sign of life"))
			d.Tick(20 * time.Second)
			if _, ends := w.seen(); c.Err() != nil || len(ends) != 0 {
				t.Errorf("got %v, %v", c.Err(), ends)
			}
			d.Tick(20 * time.Second)
			if _, ends := w.seen(); len(ends) != 1 || !errors.Is(ends[0], weir.ErrClientGone) || !errors.Is(ends[0], ws.ErrNoPong) || ws.CodeOf(ends[0]) != ws.Abnormal {
				t.Errorf("got %v, want ErrNoPong, once", ends)
			}
			if c.Received(); c.Err() == nil {
				t.Error("the connection is open")
			}
			if st := d.srv.Stats(); st.StreamsCancelled != 1 || st.StreamsActive != 0 {
				t.Errorf("got %+v", st)
			}
		})
	})
}

// W14: idle and lifetime end a connection with 1001; messages in either direction keep it from being idle.
func TestIdleAndLifetime(t *testing.T) {
	both(t, func(t *testing.T, inline bool) {
		var w watcher
		at(t, watched(inline, ws.Options{Idle: time.Minute, Ping: -1}, &w), nil, func(d *table) {
			c := d.opened()
			for i := range 4 {
				d.Tick(50 * time.Second)
				if i%2 == 0 {
					c.Send(text("x"))
				} else if err := w.conn.Send(ws.Text, []byte("y")); err != nil {
					t.Error(err)
				}
			}
			got, passed := "", time.Duration(0)
			for ; passed < 3*time.Minute && !strings.Contains(got, "close"); passed += time.Second {
				got += said(c.Received())
				d.Tick(time.Second)
			}
			if got != echo(opText, "y")+echo(opText, "y")+"close 1001\n" || passed < time.Minute || passed > 2*time.Minute {
				t.Errorf("got %s after %v", got, passed)
			}
			c.Send(closing(1001, ""))
			if c.Received(); c.Err() != io.EOF {
				t.Errorf("got %v, want FIN", c.Err())
			}
		})
		w = watcher{}
		at(t, watched(inline, ws.Options{Lifetime: time.Hour, Ping: -1}, &w), nil, func(d *table) {
			c := d.opened()
			d.Tick(50 * time.Minute)
			if got := c.Received(); got != "" {
				t.Errorf("got %q", got)
			}
			d.Tick(11 * time.Minute)
			if got := said(c.Received()); got != "close 1001\n" || c.Err() != io.EOF {
				t.Errorf("got %s and %v, want 1001, and FIN though the client does not answer", got, c.Err())
			}
			if _, ends := w.seen(); len(ends) != 1 || ws.CodeOf(ends[0]) != ws.GoingAway {
				t.Errorf("got %v", ends)
			}
		})
	})
}

// W15: Close waits for the peer's, for CloseTimeout; nothing that comes in between is delivered, and nothing is sent behind it.
func TestClose(t *testing.T) {
	both(t, func(t *testing.T, inline bool) {
		for _, answers := range []bool{true, false} {
			var w watcher
			at(t, watched(inline, ws.Options{}, &w), nil, func(d *table) {
				c := d.opened()
				if err := w.conn.Close(1006, ""); err == nil {
					t.Error("1006 was sent")
				}
				_ = w.conn.Send(ws.Binary, []byte("last"))
				if err := w.conn.Close(4321, "bye"); err != nil {
					t.Error(err)
				}
				for _, err := range []error{w.conn.Close(ws.Normal, ""), w.conn.Send(ws.Text, nil), w.conn.TrySend(ws.Text, nil)} {
					if err != ws.ErrClosed {
						t.Errorf("got %v, want ErrClosed", err)
					}
				}
				c.Send(text("late") + frame(opText, "later"))
				if got := said(c.Received()); got != echo(opBinary, "last")+"close 4321\n" || c.Err() != nil {
					t.Errorf("got %s and %v", got, c.Err())
				}
				if answers {
					c.Send(frame(fin|opCont, "") + closing(4321, ""))
				} else {
					d.Tick(5 * time.Second)
				}
				if got := c.Received(); got != "" || c.Err() != io.EOF {
					t.Errorf("got %q and %v, want FIN", got, c.Err())
				}
				messages, ends := w.seen()
				if len(messages) != 0 || len(ends) != 1 || ws.CodeOf(ends[0]) != 4321 || w.conn.Err() != ends[0] {
					t.Errorf("got %q and %v", messages, ends)
				}
				select {
				case <-w.conn.Done():
				default:
					t.Error("Done is open")
				}
			})
		}
	})
}

// W16: a peer that goes without Close is 1006 to the handler, once; messages that came whole are delivered before.
func TestPeerGone(t *testing.T) {
	both(t, func(t *testing.T, inline bool) {
		for name, leave := range map[string]func(c *weirtest.Client){
			"FIN": func(c *weirtest.Client) { _ = c.CloseWrite() },
			"RST": func(c *weirtest.Client) { synctest.Wait(); c.Reset() },
		} {
			t.Run(name, func(t *testing.T) {
				var w watcher
				at(t, watched(inline, ws.Options{}, &w), nil, func(d *table) {
					c := d.opened()
					c.Send(text("whole") + frame(opText, "begun"))
					leave(c)
					d.Settle()
					messages, ends := w.seen()
					if len(messages) != 1 || messages[0] != "text whole" {
						t.Errorf("got %q", messages)
					}
					if len(ends) != 1 || !errors.Is(ends[0], weir.ErrClientGone) || ws.CodeOf(ends[0]) != ws.Abnormal {
						t.Errorf("got %v, want ErrClientGone, once", ends)
					}
					if err := w.conn.Send(ws.Text, nil); !errors.Is(err, weir.ErrClientGone) {
						t.Errorf("got %v from Send", err)
					}
				})
			})
		}
	})
}

// W17: a handler that panics is 1011 to its peer, and costs one connection.
func TestPanic(t *testing.T) {
	serve := map[string]func(m *weir.Mux){
		"accept": func(m *weir.Mux) {
			m.HandleFunc("/ws", func(w *weir.Response, r *weir.Request) {
				if c, err := ws.Accept(w, r, ws.Options{}); err == nil {
					_, _, _ = c.Read()
					panic("luck")
				}
			})
		},
	}
	for name, inline := range map[string]bool{"inline": true, "goroutine": false} {
		serve[name] = func(m *weir.Mux) {
			m.HandleLoop("/ws", ws.Handle(ws.Options{Inline: inline}, func(*ws.Conn, *weir.Request) ws.Handler {
				return ws.OnMessage(func(*ws.Conn, ws.Kind, []byte) { panic("luck") })
			}))
		}
		serve[name+", in open"] = func(m *weir.Mux) {
			m.HandleLoop("/ws", ws.Handle(ws.Options{Inline: inline}, func(*ws.Conn, *weir.Request) ws.Handler { panic("luck") }))
		}
	}
	for name, mount := range serve {
		t.Run(name, func(t *testing.T) {
			m := new(weir.Mux)
			mount(m)
			var errs []error
			var mu sync.Mutex
			at(t, m, func(s *weir.Server) {
				s.OnError = func(_ *weir.Response, _ *weir.Request, err error) { mu.Lock(); errs = append(errs, err); mu.Unlock() }
			}, func(d *table) {
				c := d.open(text("x"))
				_, frames, _ := strings.Cut(c.Received(), "\r\n\r\n")
				if said(frames) != "close 1011\n" || c.Err() != io.EOF {
					t.Errorf("got %s and %v, want 1011 and FIN", said(frames), c.Err())
				}
				mu.Lock()
				defer mu.Unlock()
				if p, ok := errors.AsType[*weir.PanicError](errors.Join(errs...)); len(errs) != 1 || !ok || p.Value != "luck" {
					t.Errorf("OnError was called with %v", errs)
				}
				if st := d.srv.Stats(); st.StreamsFailed != 1 || st.StreamsActive != 0 {
					t.Errorf("got %+v", st)
				}
			})
		})
	}
}

// W18: on a shutdown each connection is closed with 1001, at a moment of its own within the time of the drain.
func TestDrain(t *testing.T) {
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			at(t, echoes(way, ws.Options{}), func(s *weir.Server) { s.Timeouts.Drain = 30 * time.Second }, func(d *table) {
				var clients []*weirtest.Client
				for range 20 {
					clients = append(clients, d.opened())
				}
				clients[0].Send(text("still served"))
				report := d.Drain()
				moments := map[int]bool{}
				for s := range 30 {
					for _, c := range clients {
						got := said(c.Received())
						if strings.HasSuffix(got, "close 1001\n") {
							moments[s] = true
							c.Send(closing(1001, ""))
						}
					}
					d.Tick(time.Second)
				}
				if len(moments) < 5 {
					t.Errorf("got %d moments, want them spread", len(moments))
				}
				d.Tick(time.Second)
				if r := <-report; r.Cut != 0 || r.Drained != 20 {
					t.Errorf("got %+v", r)
				}
			})
		})
	}
}

// W19 (X110): a client that does not read is bounded, not read further, and disconnected after the stall time; nothing is lost until then.
func TestBackPressure(t *testing.T) {
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			var stats ws.Stats
			at(t, echoes(way, ws.Options{Stats: &stats, Ping: -1}), func(s *weir.Server) {
				s.Limits.HighMark = 16 << 10
				s.Timeouts.WriteStall = 10 * time.Second
			}, func(d *table) {
				c := d.opened()
				c.SetWindow(1000)
				p := strings.Repeat("x", 1000)
				const n = 2000
				go func() { _, _ = io.WriteString(c, strings.Repeat(binaryOf(p), n)) }()
				d.Tick(5 * time.Second)
				if st := d.srv.Stats(); st.PendingBytes > 64<<10 || st.BodyBytes > 512<<10 {
					t.Errorf("got %d bytes pending, %d kept", st.PendingBytes, st.BodyBytes)
				}
				if f := stats.Figures(); f.Received > 400 {
					t.Errorf("got %d messages while the client did not read", f.Received)
				}
				c.SetWindow(256 << 10)
				got := strings.Count(c.Received(), p)
				if got != n {
					t.Errorf("got %d messages, want %d", got, n)
				}
				if st := d.srv.Stats(); st.BodyBytes != 0 {
					t.Errorf("got %d bytes kept at rest", st.BodyBytes)
				}
				c.SetWindow(0)
				go func() { _, _ = io.WriteString(c, strings.Repeat(binaryOf(p), n)) }()
				d.Tick(11 * time.Second)
				if st := d.srv.Stats(); st.StreamsActive != 0 || st.StreamsCancelled != 1 {
					t.Errorf("got %+v, want it disconnected", st)
				}
				if f := stats.Figures(); f.Open != 0 || f.Total != 1 {
					t.Errorf("got %+v", f)
				}
			})
		})
	}
}

// W20: a handler that does not take messages is not sent more than its queue; pings are answered all the same until then.
func TestQueue(t *testing.T) {
	begin := make(chan struct{})
	var got int
	m := new(weir.Mux)
	m.HandleFunc("/ws", func(w *weir.Response, r *weir.Request) {
		c, err := ws.Accept(w, r, ws.Options{Ping: -1})
		if err != nil {
			t.Error(err)
			return
		}
		<-begin
		for {
			_, p, err := c.Read()
			if err != nil {
				return
			}
			got += len(p)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		begin = make(chan struct{})
		srv := &weir.Server{Handler: m}
		d := &table{t, weirtest.Start(t, srv), srv}
		c := d.opened()
		c.Send(text("x") + frame(fin|opPing, "alive"))
		if got := said(c.Received()); got != line(fin|opPong, "alive") {
			t.Errorf("got %s, want a pong", got)
		}
		go func() { _, _ = io.WriteString(c, strings.Repeat(binaryOf(strings.Repeat("y", 1000)), 3000)) }()
		d.Settle()
		if n := srv.Stats().BodyBytes; n == 0 || n > 400<<10 {
			t.Errorf("got %d bytes kept", n)
		}
		close(begin)
		d.Settle()
		if got != 1+3000*1000 {
			t.Errorf("got %d bytes", got)
		}
		if n := srv.Stats().BodyBytes; n != 0 {
			t.Errorf("got %d bytes kept at rest", n)
		}
		c.Close()
	})
}

// W21: what all connections keep of messages is bounded by the server's budget: 1013.
func TestBudget(t *testing.T) {
	for _, way := range ways {
		at(t, echoes(way, ws.Options{}), func(s *weir.Server) { s.Limits.Bodies = 1 << 20 }, func(d *table) {
			c := d.opened()
			go func() { _, _ = io.WriteString(c, frame(fin|opBinary, strings.Repeat("x", 4<<20))) }()
			if got := said(c.Received()); got != "close 1013\n" {
				t.Errorf("%s: got %s, want 1013", way, got)
			}
			d.Tick(10 * time.Second)
			if n := d.srv.Stats().BodyBytes; n != 0 {
				t.Errorf("%s: got %d bytes kept", way, n)
			}
		})
	}
}

// W22: beyond the route's streams a request gets 503 before it is upgraded.
func TestCountLimit(t *testing.T) {
	m := new(weir.Mux)
	m.HandleLoop("/ws", ws.Handle(ws.Options{}, func(*ws.Conn, *weir.Request) ws.Handler { return new(watcher) })).MaxStreams(2)
	at(t, m, nil, func(d *table) {
		one, _ := d.opened(), d.opened()
		c := d.open("")
		if got := c.Received(); !strings.HasPrefix(got, "HTTP/1.1 503 ") || !strings.Contains(got, "Retry-After: ") || strings.Contains(got, "Sec-WebSocket-Accept") {
			t.Errorf("got %q, want 503", got)
		}
		one.Close()
		d.Settle()
		d.opened()
	})
}

// W23: a message above MaxMessage is refused wherever that shows: in the head, in the sum, behind inflating.
func TestMaxMessage(t *testing.T) {
	for _, way := range ways {
		for name, in := range map[string]string{
			"head":       frame(fin|opText, strings.Repeat("x", 101))[:2],
			"sum":        frame(opText, strings.Repeat("x", 60)) + frame(opCont, strings.Repeat("x", 41))[:2],
			"inflated":   frame(fin|rsv1|opText, deflated(strings.Repeat("x", 101))),
			"compressed": frame(fin|rsv1|opText, strings.Repeat("x", 101))[:2],
		} {
			at(t, echoes(way, ws.Options{MaxMessage: 100, Deflate: true}), nil, func(d *table) {
				c := d.opened("Sec-WebSocket-Extensions: permessage-deflate")
				c.Send(text(strings.Repeat("y", 100)) + frame(fin|rsv1|opText, deflated(strings.Repeat("z", 100))) + in)
				if got := said(c.Received()); got != echo(opText, strings.Repeat("y", 100))+echo(opText, strings.Repeat("z", 100))+"close 1009\n" || c.Err() != io.EOF {
					t.Errorf("%s, %s: got %s and %v", way, name, got, c.Err())
				}
			})
		}
	}
}

// W24: open sees the request and may refuse; a nil Handler is 1008.
func TestOpen(t *testing.T) {
	both(t, func(t *testing.T, inline bool) {
		m := new(weir.Mux)
		m.HandleLoop("/ws/{who}", ws.Handle(ws.Options{Inline: inline, Subprotocols: []string{"chat"}, Deflate: true}, func(c *ws.Conn, r *weir.Request) ws.Handler {
			if r.PathValue("who") == "nobody" {
				return nil
			}
			_ = c.Send(ws.Text, fmt.Appendf(nil, "hello %s, %s %v %v", r.PathValue("who"), c.Subprotocol(), c.Deflates(), c.RemoteAddr().IsValid()))
			return new(watcher)
		}))
		at(t, m, nil, func(d *table) {
			for path, want := range map[string]string{"/ws/you": echo(opText, "hello you, chat true true"), "/ws/nobody": "close 1008\n"} {
				c := d.Dial()
				c.Send(ask(path, "Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Extensions: permessage-deflate"))
				head, frames, _ := strings.Cut(c.Received(), "\r\n\r\n")
				if said(frames) != want {
					t.Errorf("%s: got %q and %s, want %s", path, head, said(frames), want)
				}
				c.Close()
			}
		})
	})
}

// W11: what open sends is behind the 101, and whole, however large.
func TestOpenSends(t *testing.T) {
	both(t, func(t *testing.T, inline bool) {
		for _, size := range []int{100, 4 << 10, 100_000} {
			p := strings.Repeat("x", size)
			m := new(weir.Mux)
			m.HandleLoop("/ws", ws.Handle(ws.Options{Inline: inline}, func(c *ws.Conn, _ *weir.Request) ws.Handler {
				if err := errors.Join(c.Send(ws.Binary, []byte(p)), c.Send(ws.Text, []byte("last"))); err != nil {
					t.Error(err)
				}
				return new(watcher)
			}))
			at(t, m, nil, func(d *table) {
				_, frames, _ := strings.Cut(d.open("").Received(), "\r\n\r\n")
				if got, want := said(frames), echo(opBinary, p)+echo(opText, "last"); got != want {
					t.Errorf("%d bytes: got %s, want %s", size, got, want)
				}
			})
		}
	})
}

// W25: Send is safe for concurrent use, and no frame gets into another.
func TestSendFromManyGoroutines(t *testing.T) {
	both(t, func(t *testing.T, inline bool) {
		var w watcher
		at(t, watched(inline, ws.Options{Deflate: true}, &w), nil, func(d *table) {
			c := d.opened("Sec-WebSocket-Extensions: permessage-deflate")
			var done sync.WaitGroup
			for i := range 8 {
				done.Go(func() {
					for k := range 50 {
						p := bytes.Repeat([]byte{byte('a' + i)}, (k*97)%6000)
						for w.conn.Send(ws.Binary, p) == weir.ErrBacklog {
							time.Sleep(time.Millisecond)
						}
					}
				})
			}
			var got strings.Builder
			for range 100 {
				got.WriteString(c.Received())
				d.Tick(time.Millisecond)
			}
			done.Wait()
			got.WriteString(c.Received())
			frames := said(got.String())
			if n := strings.Count(frames, "binary "); n != 400 || strings.Contains(frames, "rest") {
				t.Errorf("got %d messages, want 400", n)
			}
		})
	})
}

// W6: what comes behind a failure is drained, so that the client reads why, and is not reset.
func TestFailureIsRead(t *testing.T) {
	for _, way := range ways {
		at(t, echoes(way, ws.Options{}), nil, func(d *table) {
			c := d.opened()
			c.Send(text("one") + frame(fin|rsv2|opText, "bad"))
			for range 6 {
				c.Send(binaryOf(strings.Repeat("x", 10_000)))
				d.Settle()
			}
			if got := said(c.Received()); got != echo(opText, "one")+closed1002 || c.Err() != io.EOF {
				t.Errorf("%s: got %s and %v, want 1002 and FIN", way, got, c.Err())
			}
		})
	}
}

// W3 (X156): a flood of pings from a client that does not read is bounded, and each is answered when it reads.
func TestPingFlood(t *testing.T) {
	for _, way := range ways {
		at(t, echoes(way, ws.Options{Ping: -1}), func(s *weir.Server) { s.Limits.HighMark = 16 << 10 }, func(d *table) {
			const n = 5000
			c := d.opened()
			c.SetWindow(1000)
			go func() { _, _ = io.WriteString(c, strings.Repeat(frame(fin|opPing, strings.Repeat("p", 100)), n)) }()
			d.Settle()
			if st := d.srv.Stats(); st.PendingBytes > 32<<10 || st.BodyBytes > 256<<10 {
				t.Errorf("%s: got %d bytes pending, %d kept", way, st.PendingBytes, st.BodyBytes)
			}
			c.SetWindow(1 << 20)
			if got := strings.Count(said(c.Received()), "pong "); got != n {
				t.Errorf("%s: got %d pongs, want %d", way, got, n)
			}
		})
	}
}

// W15: a handler of Accept that returns has closed the connection with 1000.
func TestAcceptReturns(t *testing.T) {
	conns := make(chan *ws.Conn, 1)
	m := new(weir.Mux)
	m.HandleFunc("/ws", func(w *weir.Response, r *weir.Request) {
		if c, err := ws.Accept(w, r, ws.Options{}); err == nil {
			conns <- c
		}
	})
	synctest.Test(t, func(t *testing.T) {
		conns = make(chan *ws.Conn, 1)
		srv := &weir.Server{Handler: m}
		d := &table{t, weirtest.Start(t, srv), srv}
		c := d.open(text("not read"))
		_, frames, _ := strings.Cut(c.Received(), "\r\n\r\n")
		if said(frames) != closed1000 || c.Err() != io.EOF {
			t.Errorf("got %s and %v", said(frames), c.Err())
		}
		conn := <-conns
		if _, _, err := conn.Read(); err == nil {
			_, _, err = conn.Read()
			if ws.CodeOf(err) != ws.Normal || ws.CodeOf(conn.Err()) != ws.Normal || conn.Send(ws.Text, nil) == nil {
				t.Errorf("got %v and %v", err, conn.Err())
			}
		}
	})
}
