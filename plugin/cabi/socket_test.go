//go:build cgo && unix

package cabi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"weir/plugin"
)

// websocket is a plugin.Socket that notes what it is called with.
type websocket struct {
	mu       sync.Mutex
	messages []string
	code     int // of Close
	reason   string
	cause    error
	done     chan struct{}
	full     chan struct{} // closed with the hundredth message
}

func newSocket() *websocket {
	return &websocket{done: make(chan struct{}), full: make(chan struct{})}
}

func (s *websocket) Send(kind plugin.MessageKind, p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.cause != nil:
		return s.cause
	case s.code != 0:
		return plugin.ErrClosed
	}
	if s.messages = append(s.messages, fmt.Sprintf("%d:%s", kind, p)); len(s.messages) == 100 {
		close(s.full)
	}
	return nil
}

func (s *websocket) TrySend(kind plugin.MessageKind, p []byte) error { return s.Send(kind, p) }

func (s *websocket) Close(code int, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.cause != nil:
		return s.cause
	case code == 1006 || len(reason) > 123:
		return errors.New("cannot be sent")
	case s.code == 0:
		s.code, s.reason = code, reason
		close(s.done)
	}
	return nil
}

func (s *websocket) Subprotocol() string   { return "" }
func (s *websocket) Done() <-chan struct{} { return s.done }

func (s *websocket) Cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}

// end is what the client does.
func (s *websocket) end(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cause = cause
	close(s.done)
}

func (s *websocket) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// told returns what the plugin says of its WebSockets: how many were opened and
// closed, the code and the reason of the last one, and what its number is good
// for by now.
func told(t *testing.T) string {
	t.Helper()
	var r reply
	if err := find(t, "socket/tell").Unary(call{}, &r); err != nil {
		t.Fatal(err)
	}
	return r.body.String()
}

// counts returns how many WebSockets the plugin has opened and closed.
func counts(t *testing.T) (opened, closed int) {
	t.Helper()
	if _, err := fmt.Sscanf(told(t), "%d %d", &opened, &closed); err != nil {
		t.Fatal(err)
	}
	return opened, closed
}

func TestSocketSubprotocols(t *testing.T) {
	if got := find(t, "socket/echo").Subprotocols; !slices.Equal(got, []string{"v2.chat", "chat"}) {
		t.Errorf("got %q, want both", got)
	}
}

// W50, W51: a WebSocket's life in C: its messages, its end, and that its number is not
// alive after closed.
func TestSocket(t *testing.T) {
	opened, closed := counts(t)
	s := newSocket()
	r, err := find(t, "socket/echo").WebSocket(call{}, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []string{"one", "", "zwölf"} {
		if err := r.Message(plugin.Text, []byte(m)); err != nil {
			t.Error(err)
		}
	}
	if err := r.Message(plugin.Binary, []byte{0, 0xff}); err != nil {
		t.Error(err)
	}
	if got, want := s.got(), []string{"1:one", "1:", "1:zwölf", "2:\x00\xff"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := r.Message(plugin.Text, []byte("bye")); err != nil || s.code != 4001 || s.reason != "bye" {
		t.Errorf("got %v, %d %q, want the handler's close", err, s.code, s.reason)
	}
	r.Closed(4001, "bye")
	// -1 is WEIR_EHANDLE.
	if got, want := told(t), fmt.Sprintf("%d %d 4001 bye -1 -1 -1", opened+1, closed+1); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	wantNoneAlive(t)
}

// Every function with a WebSocket's number: the request's are for open, the
// other kinds' are refused, and so is what cannot be sent.
func TestSocketMisuse(t *testing.T) {
	s := newSocket()
	r, err := find(t, "socket/greet").WebSocket(call{}, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Message(plugin.Text, nil); err != nil {
		t.Error(err)
	}
	want := []string{
		"1:POST /x/7 value of id query q X-TestX-Test 0",
		"2:",
		"1:-7 -7 -7 -7 -7 -7 -7 -7 -7 0 | -5 -5 -5 -5 -5 -5 | 0",
		"1:-1",
	}
	if got := s.got(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	r.Closed(1000, "")
	var other reply
	if err := find(t, "socket/not").Unary(call{}, &other); err != nil || other.body.String() != "-7 -7 -7" {
		t.Errorf("a unary handler got %q, %v, want WEIR_EKIND", other.body.String(), err)
	}
	wantNoneAlive(t)
}

// A number after ws_close is WEIR_ECLOSED, and closing twice is nothing.
func TestSocketAfterClose(t *testing.T) {
	s := newSocket()
	r, err := find(t, "socket/echo").WebSocket(call{}, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Message(plugin.Text, []byte("again")); err != nil || s.code != 1000 || len(s.got()) != 0 {
		t.Errorf("got %v, %d and %q, want code 1000 and no message", err, s.code, s.got())
	}
	r.Closed(1000, "")
	wantNoneAlive(t)
}

func TestSocketErrors(t *testing.T) {
	gone := errors.New("gone")
	t.Run("a code of open's own", func(t *testing.T) {
		s := newSocket()
		r, err := find(t, "socket/refuse").WebSocket(call{}, s)
		if r != nil || err == nil || err.Error() != "cabi: handler socket/refuse returned 5" || s.code != 0 {
			t.Errorf("got %v, %v and code %d, want an error and no receiver", r, err, s.code)
		}
	})
	t.Run("open closes and fails", func(t *testing.T) {
		s := newSocket()
		r, err := find(t, "socket/refuse").WebSocket(asking{query: map[string]string{"q": "policy"}}, s)
		if r != nil || err == nil || s.code != 1008 || s.reason != "not you" {
			t.Errorf("got %v, %v and code %d, want 1008", r, err, s.code)
		}
	})
	t.Run("gone before open sends", func(t *testing.T) {
		s := newSocket()
		s.end(gone)
		if r, err := find(t, "socket/once").WebSocket(call{}, s); r != nil || !errors.Is(err, gone) {
			t.Errorf("got %v, %v, want the cause", r, err)
		}
	})
	t.Run("a code of message's own", func(t *testing.T) {
		s := newSocket()
		r, err := find(t, "socket/echo").WebSocket(call{}, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Message(plugin.Text, []byte("fail")); err == nil || err.Error() != "cabi: handler socket/echo returned 7" {
			t.Errorf("got %v, want the code", err)
		}
		s.end(gone)
		if err := r.Message(plugin.Text, []byte("x")); !errors.Is(err, gone) {
			t.Errorf("got %v, want the cause", err)
		}
		r.Closed(1006, strings.Repeat("x", 123))
		if got := told(t); !strings.Contains(got, " 1006 "+strings.Repeat("x", 123)+" ") {
			t.Errorf("got %q, want the code and the reason", got)
		}
	})
	wantNoneAlive(t)
}

// A handler without message and closed, which stores what is not a pointer.
func TestSocketWithoutMessage(t *testing.T) {
	s := newSocket()
	r, err := find(t, "socket/once").WebSocket(call{}, s)
	if err != nil || !slices.Equal(s.got(), []string{"1:once"}) {
		t.Fatalf("got %q, %v, want one message", s.got(), err)
	}
	if err := r.Message(plugin.Binary, []byte("x")); err != nil {
		t.Error(err)
	}
	r.Closed(1005, "")
	wantNoneAlive(t)
}

// W51: a thread of the plugin's sends until the client disconnects or closed is
// called, which waits for it.
func TestSocketThread(t *testing.T) {
	for _, cause := range []error{errors.New("gone"), nil} {
		s := newSocket()
		r, err := find(t, "socket/pushed").WebSocket(call{}, s)
		if err != nil {
			t.Fatal(err)
		}
		<-s.full
		if cause != nil {
			s.end(cause)
		} else if err := s.Close(1001, ""); err != nil {
			t.Error(err)
		}
		r.Closed(1006, "")
		if got := s.got(); len(got) < 100 || slices.ContainsFunc(got, func(m string) bool { return m != "1:tick" }) {
			t.Errorf("got %d messages, want whole ones", len(got))
		}
	}
	wantNoneAlive(t)
}

// Many at a time: each gets its own messages, and no handle is left.
func TestManySockets(t *testing.T) {
	echo := find(t, "socket/echo")
	opened, closed := counts(t)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for range 50 {
				s := newSocket()
				r, err := echo.WebSocket(call{}, s)
				if err != nil {
					t.Error(err)
					return
				}
				want := fmt.Sprint(i)
				if err := r.Message(plugin.Text, []byte(want)); err != nil || !slices.Equal(s.got(), []string{"1:" + want}) {
					t.Errorf("got %q, %v, want its own message", s.got(), err)
				}
				r.Closed(1000, "")
			}
		})
	}
	all.Wait()
	if o, c := counts(t); o != opened+800 || c != closed+800 {
		t.Errorf("got %d opened and %d closed, want 800 more than %d and %d", o, c, opened, closed)
	}
	wantNoneAlive(t)
}

// W51: threads that go on sending when closed has returned reach no other
// WebSocket, though the slots are used again and again.
func TestSocketGhosts(t *testing.T) {
	haunted := find(t, "socket/haunted")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 5 {
				s := newSocket()
				r, err := haunted.WebSocket(call{}, s)
				if err != nil {
					t.Error(err)
					return
				}
				<-s.full
				s.end(errors.New("gone"))
				r.Closed(1006, "")
				if got := slices.Compact(s.got()); len(got) != 1 || !strings.HasPrefix(got[0], "1:ghost of ") {
					t.Errorf("got %q, want the messages of its own thread", got)
				}
			}
		})
	}
	all.Wait()
	var r reply
	if err := find(t, "socket/lay").Unary(call{}, &r); err != nil || r.body.String() != "20 0" {
		t.Errorf("got %q, %v, want 20 threads, and no number that is alive again", r.body.String(), err)
	}
	wantNoneAlive(t)
}

// A panic on the server's side of a callback goes up through C, and the handle
// has ended.
func TestPanicInSocket(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("got no panic")
		}
		wantNoneAlive(t)
	}()
	_, _ = find(t, "socket/once").WebSocket(call{}, struct{ plugin.Socket }{})
}
