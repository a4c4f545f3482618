package ws

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"weir"
	"weir/plugin"
)

// Native returns the handler of a route, for [weir.Mux.HandleLoop], whose
// WebSockets the native handler serves that was registered under that name with
// [plugin.Register]. Its subprotocols take the place of the options', and its
// functions run on goroutines, as without [Options].Inline. Native panics if
// there is no such handler, if it is not one of WebSockets, or if the options
// make no sense, so that this is noticed when the server is built.
//
// At most [plugin.Handler].Limit WebSockets are open at once, over all routes;
// beyond them the response is 503 with Retry-After. Requests that are not a good
// handshake get what [Handle] says.
func Native(name string, o Options) weir.LoopHandler {
	h, ok := plugin.Lookup(name)
	switch {
	case !ok:
		panic(fmt.Sprintf("ws: no native handler %q is registered; there are %q: is its package imported?", name, plugin.Names()))
	case h.WebSocket == nil:
		panic(fmt.Sprintf("ws: native handler %q does not serve WebSockets: mount it with weir.Native", name))
	}
	running, _ := nativeCounts.LoadOrStore(name, new(atomic.Int64))
	n := &native{h: h, running: running.(*atomic.Int64)}
	o.Inline, o.Subprotocols = false, h.Subprotocols
	n.server = Handle(o, n.open)
	return n
}

var nativeCounts sync.Map // name of a native handler → *atomic.Int64

// native is one mounting of a native handler.
type native struct {
	h       plugin.Handler
	server  weir.LoopHandler
	running *atomic.Int64 // WebSockets of the handler, over all mountings of the name
}

// ServeLoop implements weir.LoopHandler.
func (n *native) ServeLoop(x *weir.LoopExchange) weir.BodyReceiver {
	if n.running.Add(1) > int64(n.h.Limit) {
		n.running.Add(-1)
		x.Response().Refuse(fmt.Errorf("%w: Limit of the native handler", weir.ErrBusy))
		return nil
	}
	receiver := n.server.ServeLoop(x)
	if receiver == nil {
		n.running.Add(-1)
	}
	return receiver
}

// open calls the handler for a new connection, on a goroutine.
func (n *native) open(c *Conn, r *weir.Request) Handler {
	s := &nativeSocket{c: c, native: n}
	returned := false
	defer func() {
		if !returned { // it has panicked, and OnClose is not called
			n.running.Add(-1)
		}
	}()
	receiver, err := n.h.WebSocket(&nativeCall{r: r, c: c}, s)
	returned = true
	if err != nil {
		s.fail(err)
	} else {
		s.receiver = receiver
	}
	return s
}

// nativeSocket is a Conn as a plugin.Socket, and the Handler of its messages.
type nativeSocket struct {
	c      *Conn
	native *native
	closed atomic.Bool // by the handler, with Close

	// For the goroutine that works.
	receiver plugin.Receiver // nil: messages are dropped
	failed   error           // of the handler's: it gets no more messages
}

// fail ends a connection whose handler has failed: the client gets 1011.
func (s *nativeSocket) fail(err error) {
	s.failed = err
	if !s.closed.Load() && s.c.Err() == nil {
		s.c.link.abort(err)
	}
}

// OnMessage implements Handler.
func (s *nativeSocket) OnMessage(_ *Conn, kind Kind, p []byte) {
	if s.receiver == nil || s.failed != nil || s.closed.Load() {
		return
	}
	if err := s.receiver.Message(plugin.MessageKind(kind), p); err != nil {
		s.fail(err)
	}
}

// OnClose implements Handler.
func (s *nativeSocket) OnClose(_ *Conn, err error) {
	defer s.native.running.Add(-1)
	if s.receiver == nil {
		return
	}
	code, reason := Abnormal, ""
	if e, ok := errors.AsType[*CloseError](err); ok {
		code, reason = e.Code, e.Reason
	} else if _, panicked := errors.AsType[*weir.PanicError](err); panicked || s.failed != nil && errors.Is(err, s.failed) {
		code = InternalError
	}
	s.receiver.Closed(int(code), reason)
}

var errNotText = errors.New("ws: native handler: text is not UTF-8")

func (s *nativeSocket) Send(kind plugin.MessageKind, p []byte) error {
	return s.send(kind, p, (*Conn).Send)
}

func (s *nativeSocket) TrySend(kind plugin.MessageKind, p []byte) error {
	return s.send(kind, p, (*Conn).TrySend)
}

func (s *nativeSocket) send(kind plugin.MessageKind, p []byte, send func(*Conn, Kind, []byte) error) error {
	switch {
	case kind == plugin.Text && !utf8.Valid(p):
		return errNotText
	case kind != plugin.Text && kind != plugin.Binary:
		return fmt.Errorf("ws: native handler: message kind %d, want plugin.Text or plugin.Binary", kind)
	}
	err := send(s.c, Kind(kind), p)
	switch {
	case err == nil, errors.Is(err, plugin.ErrBacklog):
		return err
	case s.closed.Load():
		return plugin.ErrClosed
	case err == ErrClosed: // by the server: the cause says why
		return cmp.Or(s.c.Err(), err)
	}
	return err
}

// Close returns nil also if the handler has closed before.
func (s *nativeSocket) Close(code int, reason string) error {
	if len(reason) > maxControl-2 || !utf8.ValidString(reason) || code < 0 || !Code(min(code, 5000)).sendable() {
		return fmt.Errorf("ws: native handler: Close with %d and a reason of %d bytes; want a code that may be sent and at most %d bytes of UTF-8", code, len(reason), maxControl-2)
	}
	if !s.closed.CompareAndSwap(false, true) {
		return nil
	}
	if s.c.Close(Code(code), reason) == nil {
		return nil
	}
	s.closed.Store(false)
	return s.c.Err()
}

func (s *nativeSocket) Subprotocol() string   { return s.c.Subprotocol() }
func (s *nativeSocket) Done() <-chan struct{} { return s.c.Done() }

// Cause is nil after the handler's Close.
func (s *nativeSocket) Cause() error {
	if s.closed.Load() {
		return nil
	}
	return s.c.Err()
}

// nativeCall is the request of a WebSocket as a plugin.Call.
type nativeCall struct {
	r     *weir.Request // a copy
	c     *Conn
	query url.Values
}

func (c *nativeCall) Method() string               { return c.r.Method() }
func (c *nativeCall) Path() []byte                 { return c.r.PathBytes() }
func (c *nativeCall) PathValue(name string) string { return c.r.PathValue(name) }
func (c *nativeCall) RawQuery() []byte             { return c.r.RawQueryBytes() }
func (c *nativeCall) Header(name string) string    { return c.r.Header().Get(name) }
func (c *nativeCall) Body() []byte                 { return nil }
func (c *nativeCall) Done() <-chan struct{}        { return c.c.Done() }

func (c *nativeCall) Query(name string) string {
	if c.query == nil {
		c.query = c.r.Query()
	}
	return c.query.Get(name)
}
