package ws

import (
	"errors"
	"time"

	"weir"
	"weir/reactor"
)

// A Handler serves one connection. With [Options].Inline its methods are called
// on the connection's loop and must not block; otherwise they are called on a
// goroutine, which there is only while there is something to do. Either way they
// are called one at a time.
type Handler interface {
	// OnMessage is called with each message, which is valid until it returns
	// and may be changed. Text is UTF-8.
	OnMessage(c *Conn, kind Kind, p []byte)
	// OnClose is called once, last, with what c.Err returns.
	OnClose(c *Conn, err error)
}

// Handle returns the handler of a route, for [weir.Mux.HandleLoop], whose
// requests become connections that live on the event loop: one that rests costs
// no goroutine and no buffer. open is called when a request was accepted; it
// returns the Handler, or nil to close the connection with 1008. r is valid
// until open returns.
//
// What is called blocks, or not, as [Options].Inline says. A goroutine for what
// may block is the default; inline handlers are for what takes microseconds, and
// save the hand-over.
//
// A request that is not a good handshake gets 400, 403 for its Origin, 405, or
// 426; beyond [weir.Limits].Streams, or the MaxStreams of the route, it gets 503.
// Handle panics if the options make no sense, so that this is noticed when the
// server is built.
func Handle(o Options, open func(c *Conn, r *weir.Request) Handler) weir.LoopHandler {
	set, err := o.settle()
	if err != nil {
		panic(err)
	}
	return &server{set, open}
}

// An opener is the function given to Handle.
type opener func(c *Conn, r *weir.Request) Handler

type server struct {
	*settings
	open opener
}

// ServeLoop implements weir.LoopHandler.
func (s *server) ServeLoop(x *weir.LoopExchange) weir.BodyReceiver {
	w, r := x.Response(), x.Request()
	o, ok := s.agree(w, r)
	if !ok {
		return nil
	}
	p, err := w.Upgrade("websocket")
	if err != nil {
		s.refuse(w, err)
		return nil
	}
	c := newConn(s.settings, p, r, &o)
	c.link.(*pipeLink).x = x
	if s.Inline {
		c.open(s.open, r)
	} else {
		c.mode = working
		c.enqueue(item{request: r.Clone(), open: s.open})
	}
	c.startChores()
	return (*receiver)(c)
}

func (c *Conn) open(open opener, r *weir.Request) {
	defer c.rescue()
	if c.handler = open(c, r); c.handler == nil {
		_ = c.Close(PolicyViolation, "") // it may be closed already
	}
}

// Accept makes the request's connection a WebSocket, for a handler on a
// goroutine of its own: it calls [Conn.Read] and Send, and the connection ends
// when Serve returns, with 1000 if it was not closed before, and with 1011 if
// Serve panics. Pings are answered in between, whether or not the handler reads.
//
// If it returns an error, the response is made already: see [Handle].
func Accept(w *weir.Response, r *weir.Request, o Options) (*Conn, error) {
	set, err := o.settle()
	if err != nil {
		return nil, err
	}
	return set.accept(w, r)
}

func (s *settings) accept(w *weir.Response, r *weir.Request) (*Conn, error) {
	o, ok := s.agree(w, r)
	if !ok {
		return nil, ErrHandshake
	}
	p, err := w.UpgradeLoop("websocket")
	if err != nil {
		s.refuse(w, err)
		return nil, err
	}
	c := newConn(s, p, r, &o)
	c.mode = reading
	c.queue.ready = make(chan struct{}, 1)
	p.Receive(func(x *weir.LoopExchange) weir.BodyReceiver {
		c.link.(*pipeLink).x = x
		c.startChores()
		return (*receiver)(c)
	})
	return c, nil
}

// ErrHandshake is returned by [Accept] for a request that is not a good
// handshake, or whose origin may not connect.
var ErrHandshake = errors.New("ws: the request was refused")

// agree checks the request, and sets the fields of the response. If it reports
// false, the response is made.
func (s *settings) agree(w *weir.Response, r *weir.Request) (o offer, ok bool) {
	o, no := s.check(r)
	if no != nil {
		s.Stats.refused.Add(1)
		no.send(w)
		return o, false
	}
	o.respond(w)
	return o, true
}

// refuse makes the response to a request that could not be upgraded.
func (s *settings) refuse(w *weir.Response, err error) {
	s.Stats.refused.Add(1)
	switch { // else the response is made
	case errors.Is(err, weir.ErrUpgrade):
		w.Header().Clear()
		w.Error(400, "the connection cannot be upgraded")
	case errors.Is(err, weir.ErrBlockingOnLoop):
		w.Header().Clear()
		w.Error(500, "ws: Accept is for handlers on a goroutine")
	}
}

// serverConn is a connection and what it stands on, in one piece of memory.
type serverConn struct {
	Conn
	pipe pipeLink
}

func newConn(s *settings, p *weir.Pipe, r *weir.Request, o *offer) *Conn {
	c := &serverConn{}
	c.link, c.set = &c.pipe, s
	c.protocol, c.deflate, c.remote = o.subprotocol, o.deflate, r.RemoteAddr()
	c.dec = decoder{masked: true, deflate: o.deflate.on, limit: s.MaxMessage}
	s.Stats.open.Add(1)
	s.Stats.total.Add(1)
	c.pipe.pipe = p
	p.EndWith(closeNormal, closeFailed)
	return &c.Conn
}

// The Close frames of a connection that its handler has not closed.
var (
	closeNormal = appendFrame(finBit|0x8, appendClose(nil, Normal, ""))
	closeFailed = appendFrame(finBit|0x8, appendClose(nil, InternalError, ""))
)

var errReturned = &CloseError{Code: Normal}

func appendFrame(first byte, payload []byte) []byte {
	return append(appendHead(nil, first, len(payload)), payload...)
}

// handlerName is how the log names a handler that has panicked.
const handlerName = "WebSocket handler"

// pipeLink is a weir.Pipe as a link.
type pipeLink struct {
	pipe *weir.Pipe
	x    *weir.LoopExchange // the loop's
}

func (l *pipeLink) trySend(first byte, payload []byte) error {
	var head [maxHead]byte
	_, err := l.pipe.TrySendParts(appendHead(head[:0], first, len(payload)), payload)
	return err
}

func (l *pipeLink) trySendBatch(b *weir.Batch, frame []byte) error { return b.SendPipe(l.pipe, frame) }

func (l *pipeLink) sendLast(first byte, payload []byte) error {
	var head [maxHead]byte
	return l.pipe.SendLast(appendHead(head[:0], first, len(payload)), payload)
}

func (l *pipeLink) end() {
	l.pipe.EndWith(nil, nil) // a Close was sent, or is not to be
	_ = l.pipe.Close()       // ended before: then there is nothing to do
}

func (l *pipeLink) room() <-chan struct{} { return l.pipe.Room() }
func (l *pipeLink) abort(cause error)     { l.pipe.Abort(cause) }
func (l *pipeLink) crash(value any)       { l.pipe.Crash(handlerName, value) }
func (l *pipeLink) done() <-chan struct{} { return l.pipe.Done() }
func (l *pipeLink) loop() *reactor.Loop   { return l.pipe.Loop() }

func (l *pipeLink) behind() bool { return l.x.Backlogged() }
func (l *pipeLink) pause()       { l.x.PauseBody() }
func (l *pipeLink) resume()      { l.x.ResumeBody() }

// cause is a Close, too, if the handler of Accept has returned.
func (l *pipeLink) cause() error {
	ended := l.pipe.Ended() // first: from then on the cause is what it will be
	if err := l.pipe.Cause(); err != nil || !ended {
		return err
	}
	return errReturned
}

// keep does not complain of a connection that has ended.
func (l *pipeLink) keep(n int64) bool { return l.x.Keep(n) || l.pipe.Ended() }

func (l *pipeLink) drain() (at time.Time, ok bool) { return l.pipe.Deadline() }

// OnMessage is a function as a [Handler].
type OnMessage func(c *Conn, kind Kind, p []byte)

// OnMessage calls f.
func (f OnMessage) OnMessage(c *Conn, kind Kind, p []byte) { f(c, kind, p) }

// OnClose does nothing.
func (f OnMessage) OnClose(*Conn, error) {}
