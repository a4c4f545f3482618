package ws_test

import (
	"errors"
	"io"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"weir"
	"weir/weirtest"
	"weir/ws"
)

// W17: the panic is the cause of the end, also if the peer's Close follows in the same segment.
func TestPanicIsTheCause(t *testing.T) {
	both(t, func(t *testing.T, inline bool) {
		w := watcher{message: func(*ws.Conn, ws.Kind, []byte) { panic("luck") }}
		at(t, watched(inline, ws.Options{}, &w), nil, func(d *table) {
			c := d.opened()
			c.Send(text("x") + text("y") + closing(1000, ""))
			if got := said(c.Received()); got != "close 1011\n" || c.Err() != io.EOF {
				t.Errorf("got %s and %v, want 1011 and FIN", got, c.Err())
			}
			messages, ends := w.seen()
			var panicked *weir.PanicError
			if len(messages) != 1 || len(ends) != 1 || !errors.As(ends[0], &panicked) || w.conn.Err() != ends[0] {
				t.Errorf("got %q and %v, want the panic, once", messages, ends)
			}
			if err := w.conn.Send(ws.Text, nil); !errors.As(err, &panicked) {
				t.Errorf("got %v from Send", err)
			}
		})
	})
}

// W9, W16, W17: an inline connection whose message a goroutine inflates ends as others do, by a panic or by its peer.
func TestEndWhileInflating(t *testing.T) {
	long := frame(fin|rsv1|opBinary, deflated(sample(64<<10, 1)))
	if len(long) < 4<<10 {
		t.Fatalf("got %d bytes, want a message that is not inflated on the loop", len(long))
	}
	for _, tt := range []struct {
		name    string
		message func(c *ws.Conn, kind ws.Kind, p []byte)
		do      func(c *weirtest.Client)
		want    string
	}{
		{"panic", func(*ws.Conn, ws.Kind, []byte) { panic("luck") }, func(*weirtest.Client) {}, "close 1011\n"},
		{"close", func(c *ws.Conn, _ ws.Kind, _ []byte) { _ = c.Close(4000, "") }, func(*weirtest.Client) {}, "close 4000\n"},
		{"Close behind it", nil, func(c *weirtest.Client) { c.Send(closing(1000, "")) }, closed1000},
		{"FIN behind it", nil, func(c *weirtest.Client) { _ = c.CloseWrite() }, ""},
		{"RST behind it", nil, func(c *weirtest.Client) { c.Reset() }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := watcher{message: tt.message}
			at(t, watched(true, ws.Options{Deflate: true}, &w), nil, func(d *table) {
				c := d.opened("Sec-WebSocket-Extensions: permessage-deflate")
				c.Send(long + long)
				tt.do(c)
				d.Tick(10 * time.Second)
				if got := said(c.Received()); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
				if messages, ends := w.seen(); len(ends) != 1 || len(messages) > 2 || tt.message != nil && len(messages) != 1 {
					t.Errorf("got %d messages and %v", len(messages), ends)
				}
			})
		})
	}
}

// W17: a handler that ends its goroutine, as testing's FailNow does, is one that panics.
func TestGoexit(t *testing.T) {
	w := watcher{message: func(*ws.Conn, ws.Kind, []byte) { runtime.Goexit() }}
	at(t, watched(false, ws.Options{}, &w), nil, func(d *table) {
		c := d.opened()
		c.Send(text("x") + text("y"))
		if got := said(c.Received()); got != "close 1011\n" || c.Err() != io.EOF {
			t.Errorf("got %s and %v, want 1011 and FIN", got, c.Err())
		}
		var panicked *weir.PanicError
		if messages, ends := w.seen(); len(messages) != 1 || len(ends) != 1 || !errors.As(ends[0], &panicked) {
			t.Errorf("got %q and %v, want the end, once", messages, ends)
		}
	})
}

// W6: a message behind one that cannot be inflated is not delivered.
func TestNothingBehindAFailure(t *testing.T) {
	both(t, func(t *testing.T, inline bool) {
		var w watcher
		at(t, watched(inline, ws.Options{Deflate: true}, &w), nil, func(d *table) {
			c := d.opened("Sec-WebSocket-Extensions: permessage-deflate")
			c.Send(text("one") + frame(fin|rsv1|opText, "\xff\xff") + text("two"))
			d.Settle()
			messages, ends := w.seen()
			if len(messages) != 1 || len(ends) != 1 || ws.CodeOf(ends[0]) != ws.InvalidData {
				t.Errorf("got %q and %v, want one message and 1007", messages, ends)
			}
			if err := w.conn.Send(ws.Text, nil); ws.CodeOf(err) != ws.InvalidData {
				t.Errorf("got %v from Send, want the cause", err)
			}
		})
	})
}

// W15: the peer has closed, and the handler closes too without having read that: nothing is left to wait for.
func TestCloseBehindThePeers(t *testing.T) {
	m := new(weir.Mux)
	leave := make(chan struct{})
	m.HandleFunc("/ws", func(w *weir.Response, r *weir.Request) {
		c, err := ws.Accept(w, r, ws.Options{})
		if err != nil {
			t.Error(err)
			return
		}
		_, _, _ = c.Read()
		_ = c.Close(4000, "")
		<-leave
	})
	at(t, m, nil, func(d *table) {
		leave = make(chan struct{})
		c := d.opened()
		c.Send(text("one") + text("two") + closing(1000, ""))
		if got := said(c.Received()); got != "close 4000\n" || c.Err() != io.EOF {
			t.Errorf("got %s and %v, want 4000 and FIN", got, c.Err())
		}
		close(leave)
	})
}

// W15: the longest CloseTimeout is not the shortest.
func TestCloseTimeoutWithoutEnd(t *testing.T) {
	for _, limit := range []time.Duration{-1, math.MaxInt64} {
		var w watcher
		at(t, watched(true, ws.Options{CloseTimeout: limit, Ping: limit}, &w), nil, func(d *table) {
			c := d.opened()
			d.Tick(time.Second)
			_ = w.conn.Close(ws.Normal, "") // it is open
			d.Tick(time.Hour)
			if got := said(c.Received()); got != closed1000 || c.Err() != nil {
				t.Errorf("got %s and %v after an hour, want it open", got, c.Err())
			}
			c.Send(closing(1000, ""))
		})
	}
}

// W15: a Send that waits ends by Close, which another goroutine calls.
func TestCloseEndsSend(t *testing.T) {
	var w watcher
	at(t, watched(false, ws.Options{Ping: -1}, &w), func(s *weir.Server) { s.Limits.HighMark = 16 << 10 }, func(d *table) {
		c := d.opened()
		c.SetWindow(0)
		sent := make(chan error, 1)
		go func() {
			for {
				if err := w.conn.Send(ws.Binary, make([]byte, 1000)); err != nil {
					sent <- err
					return
				}
			}
		}()
		d.Settle()
		if err := w.conn.Close(ws.Normal, ""); err != nil {
			t.Error(err)
		}
		if err := <-sent; err != ws.ErrClosed {
			t.Errorf("got %v, want ErrClosed", err)
		}
		c.SetWindow(1 << 20)
		if got := said(c.Received()); !strings.HasSuffix(got, closed1000) {
			t.Errorf("got %s, want a Close behind the messages", got)
		}
	})
}

// W3: the pong that an empty ping is owed comes when the peer has caught up.
func TestPongIsOwed(t *testing.T) {
	both(t, func(t *testing.T, inline bool) {
		var w watcher
		at(t, watched(inline, ws.Options{Ping: -1}, &w), func(s *weir.Server) { s.Limits.HighMark = 16 << 10 }, func(d *table) {
			c := d.opened()
			c.SetWindow(0)
			for w.conn.TrySend(ws.Binary, make([]byte, 1000)) == nil {
			}
			c.Send(frame(fin|opPing, ""))
			d.Settle()
			c.SetWindow(1 << 20)
			if got := said(c.Received()); !strings.HasSuffix(got, line(fin|opPong, "")) {
				t.Errorf("got %s, want a pong at the end", got)
			}
		})
	})
}

// W21: a message counts until its handler is done with it, and so does what it is inflated to.
func TestMessagesInHandCount(t *testing.T) {
	for _, way := range []string{"goroutine", "accept"} {
		t.Run(way, func(t *testing.T) {
			var done chan struct{}
			hold := func() { <-done }
			m := new(weir.Mux)
			if way == "accept" {
				m.HandleFunc("/ws", func(w *weir.Response, r *weir.Request) {
					c, err := ws.Accept(w, r, ws.Options{Ping: -1})
					if err != nil {
						return
					}
					for {
						if _, _, err := c.Read(); err != nil {
							return
						}
						hold()
					}
				})
			} else {
				m.HandleLoop("/ws", ws.Handle(ws.Options{Ping: -1}, func(*ws.Conn, *weir.Request) ws.Handler {
					return ws.OnMessage(func(*ws.Conn, ws.Kind, []byte) { hold() })
				}))
			}
			at(t, m, func(s *weir.Server) { s.Limits.Bodies = 256 << 10 }, func(d *table) {
				done = make(chan struct{})
				one, two := d.opened(), d.opened()
				big := binaryOf(strings.Repeat("x", 150<<10))
				go func() { _, _ = io.WriteString(one, big) }()
				d.Settle()
				if n := d.srv.Stats().BodyBytes; n < 150<<10 {
					t.Errorf("got %d bytes kept while the handler has the message", n)
				}
				go func() { _, _ = io.WriteString(two, big) }()
				if got := said(two.Received()); got != "close 1013\n" {
					t.Errorf("got %s, want 1013", got)
				}
				close(done)
				d.Settle()
				if n := d.srv.Stats().BodyBytes; n != 0 || one.Err() != nil {
					t.Errorf("got %d bytes kept at rest, and %v", n, one.Err())
				}
			})
		})
	}
	bomb := frame(fin|rsv1|opBinary, deflated(strings.Repeat("x", 1<<20)))
	for _, way := range ways {
		at(t, echoes(way, ws.Options{Deflate: true}), func(s *weir.Server) { s.Limits.Bodies = 256 << 10 }, func(d *table) {
			c := d.opened("Sec-WebSocket-Extensions: permessage-deflate")
			c.Send(bomb)
			if got := said(c.Received()); got != "close 1013\n" {
				t.Errorf("%s: got %s for a bomb, want 1013", way, got)
			}
			d.Tick(10 * time.Second)
			if n := d.srv.Stats().BodyBytes; n != 0 {
				t.Errorf("%s: got %d bytes kept", way, n)
			}
		})
	}
}

// What cannot be done is an error at once: Read beside a Handler, a kind that is none, Accept on a loop.
func TestMisuse(t *testing.T) {
	both(t, func(t *testing.T, inline bool) {
		var w watcher
		at(t, watched(inline, ws.Options{}, &w), nil, func(d *table) {
			c := d.opened()
			if _, _, err := w.conn.Read(); err == nil {
				t.Error("Read has read what is the Handler's")
			}
			for _, kind := range []ws.Kind{0, 8, 0x81} {
				if w.conn.Send(kind, nil) == nil || w.conn.TrySend(kind, nil) == nil {
					t.Errorf("kind %d was sent", kind)
				}
			}
			func() {
				defer func() {
					if recover() == nil {
						t.Error("Broadcast has taken kind 0")
					}
				}()
				new(ws.Room).Broadcast(0, nil)
			}()
			if got := c.Received(); got != "" {
				t.Errorf("got %q", got)
			}
		})
	})
	m := new(weir.Mux)
	m.HandleFunc("GET /ws", func(w *weir.Response, r *weir.Request) {
		if _, err := ws.Accept(w, r, ws.Options{}); !errors.Is(err, weir.ErrBlockingOnLoop) {
			t.Errorf("got %v", err)
		}
	}).Inline()
	at(t, m, nil, func(d *table) {
		if got := d.open("").Received(); !strings.HasPrefix(got, "HTTP/1.1 500 ") || strings.Contains(got, "Sec-WebSocket-Accept") {
			t.Errorf("got %q, want 500", got)
		}
	})
}

// W26: members join, leave, broadcast, close and go at the same time, and none is left behind.
func TestRoomAtOnce(t *testing.T) {
	var room ws.Room
	var mu sync.Mutex
	var conns []*ws.Conn
	m := new(weir.Mux)
	m.HandleLoop("/ws", ws.Handle(ws.Options{}, func(c *ws.Conn, _ *weir.Request) ws.Handler {
		mu.Lock()
		conns = append(conns, c)
		mu.Unlock()
		return ws.OnMessage(func(*ws.Conn, ws.Kind, []byte) {})
	}))
	at(t, m, func(s *weir.Server) { s.Loops = 2 }, func(d *table) {
		for range 8 {
			d.opened()
		}
		var all sync.WaitGroup
		for i, c := range conns {
			all.Go(func() {
				for range 50 {
					_ = room.Join(c) // it may have ended
					room.Broadcast(ws.Text, []byte("hi"))
					room.Leave(c)
				}
				_ = room.Join(c) // the end is to undo it
				if i%2 == 0 {
					_ = c.Close(ws.Normal, "")
				}
			})
		}
		all.Wait()
	})
	if n := room.Len(); n != 0 {
		t.Errorf("got %d members when all are gone", n)
	}
}
