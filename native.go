package weir

import (
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"

	"weir/plugin"
)

// Native mounts the native handler that was registered under that name with
// [plugin.Register]. It panics if there is none, so that a missing package is
// noticed when the server is built and not at the first request, and if it is
// one of WebSockets, for which there is ws.Native.
//
// The handler runs off the loops, at most [plugin.Handler].Limit calls at once;
// beyond them the response is 503 with Retry-After.
func Native(name string) Handler {
	h, ok := plugin.Lookup(name)
	switch {
	case !ok:
		panic(fmt.Sprintf("weir: no native handler %q is registered; there are %q: is its package imported?", name, plugin.Names()))
	case h.WebSocket != nil:
		panic(fmt.Sprintf("weir: native handler %q serves WebSockets: mount it with ws.Native", name))
	}
	return &native{h: h, running: runningCalls(name)}
}

var callCounts sync.Map // name of a native handler → *atomic.Int64

// runningCalls counts the calls of one native handler, wherever it is mounted.
func runningCalls(name string) *atomic.Int64 {
	n, _ := callCounts.LoadOrStore(name, new(atomic.Int64))
	return n.(*atomic.Int64)
}

// native is one mounting of a native handler.
type native struct {
	h       plugin.Handler
	running *atomic.Int64 // shared by all mountings of the name
}

func (n *native) Serve(w *Response, r *Request) {
	if w.ex.onLoop {
		w.ex.fail(ErrBlockingOnLoop)
		return
	}
	if n.running.Add(1) > int64(n.h.Limit) {
		n.running.Add(-1)
		w.Refuse(errNativeBusy)
		return
	}
	sink := &nativeSink{w: w, s: &w.ex.stream, running: n.running}
	defer sink.leave()
	n.call(w, r, sink)
}

func (n *native) call(w *Response, r *Request, sink *nativeSink) {
	call := &nativeCall{r: r}
	if n.h.Unary != nil {
		if err := n.h.Unary(call, nativeReply{w}); err != nil {
			w.ex.fail(err)
		}
		return
	}
	if w.Stream().Cause() != nil {
		return // refused, or the client has already disconnected
	}
	if err := n.h.Stream(call, sink); err != nil && !errors.Is(err, sink.s.Cause()) {
		w.ex.fail(err)
	}
}

// nativeCall is a Request as a plugin.Call.
type nativeCall struct {
	r     *Request
	query url.Values
}

func (c *nativeCall) Method() string               { return c.r.Method() }
func (c *nativeCall) Path() []byte                 { return c.r.PathBytes() }
func (c *nativeCall) PathValue(name string) string { return c.r.PathValue(name) }
func (c *nativeCall) RawQuery() []byte             { return c.r.RawQueryBytes() }
func (c *nativeCall) Header(name string) string    { return c.r.Header().Get(name) }
func (c *nativeCall) Body() []byte                 { return c.r.Body() }
func (c *nativeCall) Done() <-chan struct{}        { return c.r.ex.doneChan() }

func (c *nativeCall) Query(name string) string {
	if c.query == nil {
		c.query = c.r.Query()
	}
	return c.query.Get(name)
}

// nativeReply is a Response as a plugin.Reply.
type nativeReply struct{ w *Response }

func (n nativeReply) SetStatus(code int)                 { n.w.SetStatus(code) }
func (n nativeReply) SetHeader(name, value string) error { return n.w.header.TrySet(name, value) }
func (n nativeReply) Write(p []byte) (int, error)        { return n.w.Write(p) }

// nativeSink is a Stream as a plugin.Sink.
type nativeSink struct {
	w       *Response
	s       *Stream
	running *atomic.Int64 // calls of the handler, this one among them
}

// leave counts the call out when its handler returns; one that was detached,
// when its stream ends.
func (n *nativeSink) leave() {
	ex := n.w.ex
	l := ex.lock()
	if n.s.detached && !ex.over() {
		ex.slot = n.running
		l.unlock()
		return
	}
	l.unlock()
	n.running.Add(-1)
}

func (n *nativeSink) Detach()           { n.s.Detach() }
func (n *nativeSink) Abort(cause error) { n.s.Abort(cause) }

func (n *nativeSink) Send(p []byte) error    { return n.s.Send(p) }
func (n *nativeSink) TrySend(p []byte) error { return n.s.TrySend(p) }
func (n *nativeSink) Cancelled() bool        { return n.s.Ended() && n.s.Cause() != nil }
func (n *nativeSink) Done() <-chan struct{}  { return n.s.Done() }
func (n *nativeSink) Close() error           { return n.s.Close() }

func (n *nativeSink) Cause() error {
	if cause := n.s.Cause(); !errors.Is(cause, ErrStreamEnded) {
		return cause
	}
	return nil
}

// Flush sends the head, if nothing else was sent yet.
func (n *nativeSink) Flush() error { return n.s.Commit() }

func (n *nativeSink) SetStatus(code int) {
	_ = n.headOpen(func() error { n.w.SetStatus(code); return nil }) // SetStatus itself says so in the log
}

func (n *nativeSink) SetHeader(name, value string) error {
	return n.headOpen(func() error { return n.w.header.TrySet(name, value) })
}

// headOpen changes the head under the lock under which it is committed.
func (n *nativeSink) headOpen(change func() error) error {
	l := n.s.ex.lock()
	defer l.unlock()
	if n.s.ex.over() {
		return ErrHeadSent
	}
	return change()
}
