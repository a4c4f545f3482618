package ws_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/plugin"
	"weir/weirtest"
	"weir/ws"
)

// natives is a native handler that a test has set.
var natives struct {
	sync.Mutex
	open func(c plugin.Call, s plugin.Socket) (plugin.Receiver, error)
}

func init() {
	open := func(c plugin.Call, s plugin.Socket) (plugin.Receiver, error) {
		natives.Lock()
		f := natives.open
		natives.Unlock()
		return f(c, s)
	}
	plugin.Register("test/socket", plugin.Handler{WebSocket: open, Subprotocols: []string{"v2.chat", "chat"}})
	plugin.Register("test/few", plugin.Handler{WebSocket: open, Limit: 2})
	plugin.Register("test/stream", plugin.Handler{Stream: func(plugin.Call, plugin.Sink) error { return nil }})
}

// receiver is a plugin.Receiver made of functions.
type receiver struct {
	message func(kind plugin.MessageKind, p []byte) error
	closed  chan string
}

func (r *receiver) Message(kind plugin.MessageKind, p []byte) error {
	if r.message == nil {
		return nil
	}
	return r.message(kind, p)
}

func (r *receiver) Closed(code int, reason string) {
	r.closed <- strings.TrimSpace(fmt.Sprintf("%d %s", code, reason))
	close(r.closed) // it must come once
}

// atNative runs f with a server of the native handler of that name at /ws/{id},
// which is what open makes of a WebSocket.
func atNative(t *testing.T, name string, set func(*weir.Server), open func(c plugin.Call, s plugin.Socket) (plugin.Receiver, error), f func(d *table)) {
	t.Helper()
	natives.Lock()
	natives.open = open
	natives.Unlock()
	m := new(weir.Mux)
	m.HandleLoop("GET /ws/{id}", ws.Native(name, ws.Options{Inline: true, Subprotocols: []string{"other"}}))
	m.HandleLoop("GET /too/{id}", ws.Native(name, ws.Options{}))
	at(t, m, set, f)
}

// nativeAt opens a WebSocket at a path, and returns the client and the head of
// the response.
func (d *table) nativeAt(path string, fields ...string) (c *weirtest.Client, head string) {
	d.Helper()
	c = d.Dial()
	c.Send(ask(path, fields...))
	head, rest, _ := strings.Cut(c.Received(), "\r\n\r\n")
	if strings.HasPrefix(head, "HTTP/1.1 101 ") && rest != "" {
		d.Errorf("got %q behind the head", rest)
	}
	return c, head
}

// W50, W51: the request is the call's, messages come and go in order, and each
// side's Close is what Closed is called with.
func TestNative(t *testing.T) {
	r := &receiver{closed: make(chan string, 2)}
	var socket plugin.Socket
	open := func(c plugin.Call, s plugin.Socket) (plugin.Receiver, error) {
		socket = s
		r.message = func(kind plugin.MessageKind, p []byte) error {
			if string(p) == "who" {
				p = fmt.Appendf(nil, "%s %s %s %s %s %s %d", c.Method(), c.Path(), c.PathValue("id"), c.RawQuery(), c.Query("q"), c.Header("X-Test"), len(c.Body()))
			}
			return s.Send(kind, p)
		}
		return r, nil
	}
	atNative(t, "test/socket", nil, open, func(d *table) {
		c, head := d.nativeAt("/ws/a%20b?q=c%20d", "X-Test: there", "Sec-WebSocket-Protocol: other, chat, v2.chat")
		if !strings.Contains(head, "Sec-WebSocket-Protocol: v2.chat") || socket.Subprotocol() != "v2.chat" {
			t.Errorf("got %q and %q, want the handler's preferred subprotocol", head, socket.Subprotocol())
		}
		c.Send(text("who") + binaryOf("\xff") + text("last"))
		if got, want := said(c.Received()), "text \"GET /ws/a%20b a b q=c%20d c d there 0\"\nbinary \"\\xff\"\ntext \"last\"\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if err := errors.Join(socket.Send(plugin.Binary, nil), socket.TrySend(plugin.Text, []byte("zwölf"))); err != nil {
			t.Error(err)
		}
		for _, bad := range []error{socket.Send(plugin.Text, []byte("\xff")), socket.Send(9, []byte("x")), socket.Close(1006, ""), socket.Close(-1, ""),
			socket.Close(70_000, ""), socket.Close(1000, strings.Repeat("x", 124)), socket.Close(1000, "\xff")} {
			if bad == nil || errors.Is(bad, plugin.ErrClosed) {
				t.Errorf("got %v, want an error of its own", bad)
			}
		}
		if got := said(c.Received()); got != "binary \"\"\ntext \"zwölf\"\n" {
			t.Errorf("got %q", got)
		}
		c.Send(closing(4001, "bye"))
		if got := <-r.closed; got != "4001 bye" {
			t.Errorf("got Closed %q, want the client's", got)
		}
		if got := said(c.Received()); got != "close 4001\n" {
			t.Errorf("got %q, want its code back", got)
		}
		<-socket.Done()
		var end *ws.CloseError
		for name, err := range map[string]error{"Send": socket.Send(plugin.Text, nil), "TrySend": socket.TrySend(plugin.Text, nil), "Close": socket.Close(1000, ""), "Cause": socket.Cause()} {
			if !errors.As(err, &end) || end.Code != 4001 {
				t.Errorf("%s after the end: got %v, want the client's Close", name, err)
			}
		}
	})
}

// W51: the handler closes, from any goroutine: sending returns ErrClosed from then on,
// closing again nil, and there is no cause.
func TestNativeCloses(t *testing.T) {
	r := &receiver{closed: make(chan string, 2)}
	var socket plugin.Socket
	r.message = func(plugin.MessageKind, []byte) error {
		t.Error("got a message after Close")
		return nil
	}
	open := func(_ plugin.Call, s plugin.Socket) (plugin.Receiver, error) {
		socket = s
		return r, s.Send(plugin.Text, []byte("welcome"))
	}
	atNative(t, "test/socket", nil, open, func(d *table) {
		client := d.Dial()
		client.Send(ask("/ws/1"))
		_, frames, _ := strings.Cut(client.Received(), "\r\n\r\n")
		if got := said(frames); got != "text \"welcome\"\n" {
			t.Errorf("got %q, want what open has sent", got)
		}
		for range 3 {
			if err := socket.Close(4000, "over"); err != nil {
				t.Errorf("Close: got %v", err)
			}
		}
		if err := socket.Send(plugin.Text, []byte("late")); !errors.Is(err, plugin.ErrClosed) || socket.Cause() != nil {
			t.Errorf("got %v and the cause %v, want ErrClosed and none", err, socket.Cause())
		}
		client.Send(text("late") + closing(4000, ""))
		if got := <-r.closed; got != "4000 over" {
			t.Errorf("got Closed %q, want this side's", got)
		}
		if got := said(client.Received()); got != "close 4000\n" {
			t.Errorf("got %q", got)
		}
		<-socket.Done()
		if err := socket.Close(1000, ""); err != nil || socket.Cause() != nil {
			t.Errorf("got %v and %v, want nil after its own Close", err, socket.Cause())
		}
	})
}

// A client that disconnects without a Close is 1006, and the cause is known; one
// that is behind does not delay TrySend.
func TestNativeLost(t *testing.T) {
	for name, end := range map[string]func(c *weirtest.Client){
		"closed": func(c *weirtest.Client) { c.Close() },
		"reset":  func(c *weirtest.Client) { c.Reset() },
	} {
		t.Run(name, func(t *testing.T) {
			r := &receiver{closed: make(chan string, 2)}
			var socket plugin.Socket
			open := func(_ plugin.Call, s plugin.Socket) (plugin.Receiver, error) { socket = s; return r, nil }
			atNative(t, "test/socket", nil, open, func(d *table) {
				c, _ := d.nativeAt("/ws/1")
				end(c)
				if got := <-r.closed; got != "1006" {
					t.Errorf("got Closed %q, want 1006", got)
				}
				<-socket.Done()
				if err := socket.Send(plugin.Text, nil); !errors.Is(err, weir.ErrClientGone) || !errors.Is(socket.Cause(), weir.ErrClientGone) {
					t.Errorf("got %v and %v, want ErrClientGone", err, socket.Cause())
				}
			})
		})
	}
}

func TestNativeBacklog(t *testing.T) {
	r := &receiver{closed: make(chan string, 2)}
	var socket plugin.Socket
	open := func(_ plugin.Call, s plugin.Socket) (plugin.Receiver, error) { socket = s; return r, nil }
	atNative(t, "test/socket", nil, open, func(d *table) {
		client := d.Dial()
		client.Send(ask("/ws/1"))
		client.Received()
		client.SetWindow(0)
		var err error
		for range 100 {
			if err = socket.TrySend(plugin.Binary, make([]byte, 64<<10)); err != nil {
				break
			}
		}
		if !errors.Is(err, plugin.ErrBacklog) {
			t.Errorf("got %v, want ErrBacklog", err)
		}
		sent := make(chan error, 1)
		go func() { sent <- socket.Send(plugin.Text, []byte("x")) }()
		synctest.Wait()
		if len(sent) > 0 {
			t.Error("Send has not waited")
		}
		client.Reset()
		if err := <-sent; !errors.Is(err, weir.ErrClientGone) {
			t.Errorf("got %v, want that the client has disconnected", err)
		}
		<-r.closed
	})
}

// W52: what a handler does wrong is 1011 for its own client, and Closed is called once
// if there is a Receiver; the log has the error.
func TestNativeFails(t *testing.T) {
	bad := errors.New("the model fell over")
	tests := []struct {
		name    string
		open    func(s plugin.Socket) error // what it returns; nil: it opens
		message func(plugin.MessageKind, []byte) error
		want    string // frames
		closed  string // "" = not called
		quiet   bool   // nothing is logged
	}{
		{name: "open fails", open: func(plugin.Socket) error { return bad }, want: "close 1011\n"},
		{name: "open panics", open: func(plugin.Socket) error { panic(bad) }, want: "close 1011\n"},
		{name: "open closes and fails", open: func(s plugin.Socket) error { return errors.Join(s.Close(plugin.ClosePolicy, "not you"), bad) }, want: "close 1008\n", quiet: true},
		{name: "Message fails", message: func(plugin.MessageKind, []byte) error { return bad }, want: "close 1011\n", closed: "1011"},
		{name: "Message panics", message: func(plugin.MessageKind, []byte) error { panic(bad) }, want: "close 1011\n", closed: "1011"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &receiver{closed: make(chan string, 2)}
			calls := 0
			r.message = func(kind plugin.MessageKind, p []byte) error {
				if calls++; calls > 1 {
					t.Error("got a message behind the one that failed")
				}
				return tt.message(kind, p)
			}
			open := func(_ plugin.Call, s plugin.Socket) (plugin.Receiver, error) {
				if tt.open != nil {
					return nil, tt.open(s)
				}
				return r, nil
			}
			var logged strings.Builder
			var mu sync.Mutex
			set := func(s *weir.Server) { s.Logger = slog.New(slog.NewTextHandler(&lockedWriter{&mu, &logged}, nil)) }
			atNative(t, "test/socket", set, open, func(d *table) {
				client := d.Dial()
				client.Send(ask("/ws/1") + text("one") + text("two"))
				_, frames, _ := strings.Cut(client.Received(), "\r\n\r\n")
				if got := said(frames); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				client.Close()
				d.Settle()
				synctest.Wait()
				got := ""
				if len(r.closed) > 0 {
					got = <-r.closed
				}
				if got != tt.closed {
					t.Errorf("got Closed %q, want %q", got, tt.closed)
				}
			})
			mu.Lock()
			defer mu.Unlock()
			if strings.Contains(logged.String(), bad.Error()) == tt.quiet {
				t.Errorf("got the log %q", logged.String())
			}
		})
	}
}

// lockedWriter is for a log that is written on other goroutines.
type lockedWriter struct {
	mu *sync.Mutex
	to *strings.Builder
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

// A handler without a Receiver only sends.
func TestNativeWithoutReceiver(t *testing.T) {
	var socket plugin.Socket
	open := func(_ plugin.Call, s plugin.Socket) (plugin.Receiver, error) { socket = s; return nil, nil }
	atNative(t, "test/socket", nil, open, func(d *table) {
		c, _ := d.nativeAt("/ws/1")
		c.Send(text("dropped"))
		if err := socket.Send(plugin.Text, []byte("hello")); err != nil {
			t.Error(err)
		}
		if got := said(c.Received()); got != "text \"hello\"\n" {
			t.Errorf("got %q", got)
		}
		c.Send(closing(1000, ""))
		<-socket.Done()
	})
}

// W50: while Message runs little more is read, and nobody else waits.
func TestNativeBlocks(t *testing.T) {
	var release chan struct{} // made in the bubble
	open := func(c plugin.Call, s plugin.Socket) (plugin.Receiver, error) {
		return &receiver{closed: make(chan string, 2), message: func(kind plugin.MessageKind, p []byte) error {
			if c.PathValue("id") == "slow" {
				<-release
			}
			return s.Send(kind, p[:1])
		}}, nil
	}
	atNative(t, "test/socket", nil, open, func(d *table) {
		release = make(chan struct{})
		slow, _ := d.nativeAt("/ws/slow")
		quick, _ := d.nativeAt("/ws/quick")
		for range 20 {
			slow.Send(binaryOf(strings.Repeat("s", 4000)))
		}
		quick.Send(text("q"))
		if got := said(quick.Received()); got != "text \"q\"\n" {
			t.Errorf("got %q, want that nobody waits", got)
		}
		if got := slow.Received(); got != "" {
			t.Errorf("got %q, want nothing yet", said(got))
		}
		close(release)
		d.Settle()
		if got := strings.Count(said(slow.Received()), "binary \"s\""); got != 20 {
			t.Errorf("got %d echoes, want 20", got)
		}
	})
}

// W53: beyond the limit the response is 503; a place is free again when Closed has
// returned, or the handler has failed, or the handshake is refused.
func TestNativeLimit(t *testing.T) {
	var hold chan struct{} // made in the bubble
	open := func(c plugin.Call, s plugin.Socket) (plugin.Receiver, error) {
		switch c.PathValue("id") {
		case "panic":
			panic("as asked")
		case "fail":
			return nil, errors.New("as asked")
		}
		return &receiver{closed: make(chan string, 2), message: func(plugin.MessageKind, []byte) error { <-hold; return nil }}, nil
	}
	atNative(t, "test/few", nil, open, func(d *table) {
		hold = make(chan struct{})
		full := func(want bool) {
			t.Helper()
			c, head := d.nativeAt("/too/x")
			if got := strings.HasPrefix(head, "HTTP/1.1 503 ") && strings.Contains(head, "Retry-After"); got != want {
				t.Errorf("got %q, want 503: %v", head, want)
			}
			c.Close()
			d.Settle()
		}
		one, _ := d.nativeAt("/ws/1")
		full(false)
		for _, id := range []string{"panic", "fail"} {
			c := d.Dial()
			c.Send(ask("/ws/" + id))
			if _, frames, _ := strings.Cut(c.Received(), "\r\n\r\n"); said(frames) != "close 1011\n" {
				t.Errorf("%s: got %q, want 1011", id, said(frames))
			}
			c.Close()
			d.Settle()
		}
		bad := d.Dial()
		bad.Send("GET /ws/1 HTTP/1.1\r\nHost: test\r\n\r\n")
		if got := bad.Received(); !strings.HasPrefix(got, "HTTP/1.1 426 ") {
			t.Errorf("got %q, want 426", got)
		}
		two, _ := d.nativeAt("/too/2") // over all mountings
		full(true)
		two.Send(text("hold"))
		two.Close()
		d.Settle()
		full(true) // its goroutine has not come to the end
		close(hold)
		d.Settle()
		full(false)
		one.Close()
		d.Settle()
		full(false)
	})
}

// A shutdown closes with 1001, and the handler has time to end.
func TestNativeDrain(t *testing.T) {
	r := &receiver{closed: make(chan string, 2)}
	var socket plugin.Socket
	open := func(_ plugin.Call, s plugin.Socket) (plugin.Receiver, error) { socket = s; return r, nil }
	atNative(t, "test/socket", nil, open, func(d *table) {
		c, _ := d.nativeAt("/ws/1")
		drained := make(chan error, 1)
		go func() {
			_, err := d.srv.Shutdown(context.Background())
			drained <- err
		}()
		got := ""
		for range 60 { // what a client has not read when it is cut is lost
			time.Sleep(time.Second)
			got += said(c.Received())
			if err := socket.Send(plugin.Text, nil); strings.Contains(got, "close") && ws.CodeOf(err) != ws.GoingAway {
				t.Errorf("Send: got %v, want the cause", err)
			}
		}
		got = strings.ReplaceAll(got, "text \"\"\n", "")
		if got := strings.ReplaceAll(got, "ping \"\"\n", ""); got != "close 1001\n" {
			t.Errorf("got %q, want 1001", got)
		}
		if got := <-r.closed; got != "1001 the server shuts down" {
			t.Errorf("got Closed %q, want 1001", got)
		}
		if err := <-drained; err != nil {
			t.Error(err)
		}
	})
}

// W51: sending and closing from many goroutines at once: messages are whole, and
// nothing is sent behind the Close.
func TestNativeThreads(t *testing.T) {
	r := &receiver{closed: make(chan string, 2)}
	var socket plugin.Socket
	open := func(_ plugin.Call, s plugin.Socket) (plugin.Receiver, error) { socket = s; return r, nil }
	atNative(t, "test/socket", nil, open, func(d *table) {
		c, _ := d.nativeAt("/ws/1")
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for n := range 100 {
					if i == 7 && n == 50 {
						if err := socket.Close(1000, ""); err != nil {
							t.Error(err)
						}
					}
					if err := socket.Send(plugin.Text, fmt.Appendf(nil, "%d %d", i, n)); err != nil && !errors.Is(err, plugin.ErrClosed) {
						t.Errorf("got %v, want ErrClosed", err)
					}
				}
			})
		}
		all.Wait()
		frames := strings.Split(strings.TrimSpace(said(c.Received())), "\n")
		last := map[int]int{}
		for _, f := range frames[:len(frames)-1] {
			var i, n int
			if _, err := fmt.Sscanf(f, "text \"%d %d\"", &i, &n); err != nil || n != last[i] {
				t.Fatalf("got %q, %v behind %d", f, err, last[i])
			}
			last[i]++
		}
		if got := frames[len(frames)-1]; got != "close 1000" {
			t.Errorf("got %q last, want the Close", got)
		}
		c.Send(closing(1000, ""))
		<-r.closed
	})
}

// What cannot be mounted is noticed when the server is built.
func TestNativePanics(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    func()
		want string
	}{
		{"no such handler", func() { ws.Native("test/none", ws.Options{}) }, `no native handler "test/none"`},
		{"not one of WebSockets", func() { ws.Native("test/stream", ws.Options{}) }, "mount it with weir.Native"},
		{"nonsense", func() { ws.Native("test/socket", ws.Options{Queue: -1}) }, "Options.Queue"},
		{"a WebSocket's as another", func() { weir.Native("test/socket") }, "mount it with ws.Native"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, tt.want) {
					t.Errorf("got the panic %q, want %q", got, tt.want)
				}
			}()
			tt.f()
		})
	}
}
