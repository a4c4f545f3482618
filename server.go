package weir

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"weir/http1"
	"weir/internal/budget"
	"weir/reactor"
)

// HalfClose controls what happens when a client shuts down its write side.
type HalfClose uint8

const (
	HalfCloseGone  HalfClose = iota // it counts as disconnected: streams end, handlers are notified
	HalfCloseAllow                  // it waits for the response
)

// A Server serves HTTP/1.1. Set its fields before it starts and do not change
// them afterwards; the zero value of each, except Handler, is a good default.
// Its methods are safe for concurrent use.
type Server struct {
	// Handler responds to requests; usually a *[Mux], or a *[SwapMux]. Any other
	// runs on a goroutine for each request.
	Handler Handler

	// OnHeaders is called when a head has arrived, on the event loop, where it
	// must not block. If it returns false, what it made of w is the response,
	// and the body is not read. 100 Continue is sent only after it returned
	// true.
	OnHeaders func(w *Response, r *Request) bool

	// OnError is called once for each response that fails, for any reason but a
	// disconnect of the client. Error responses that handlers and OnHeaders
	// make themselves are not failures.
	//
	// It is called before the error response is sent, and may give it another
	// status, other fields and a body. err is the reason: *http1.ParseError,
	// *chunked.Error, ErrBodyTooLarge, ErrTimeout, ErrNotFound,
	// ErrMethodNotAllowed, ErrNotImplemented, ErrBadPath, ErrBusy,
	// ErrServerClosed, *PanicError, or the error of the handler, generator or
	// source, or what Abort was called with. If the request head could not be
	// parsed, only r.RemoteAddr is set.
	//
	// When the response had begun, w.Committed reports true: w.Status and
	// w.Stats describe what was sent, and changes to w have no effect. Here err
	// may also be ErrSlowClient. OnError is then called on the event loop,
	// where a handler may still be running on its goroutine.
	//
	// It may run on an event loop, must not block, and is called concurrently
	// for several requests.
	OnError func(w *Response, r *Request, err error)

	Limits    Limits
	Timeouts  Timeouts
	HalfClose HalfClose
	Loops     int            // event loops; GOMAXPROCS by default
	Logger    *slog.Logger   // failed responses (see OnError) and the like; slog.Default by default; no request waits for its Handle
	Trace     *Trace         // nil = none
	TLS       *TLS           // nil = none
	System    reactor.System // the kernel; for tests and tools that bring another one, as weirtest does

	routes     *SwapMux // nil for a Handler that has none
	fallback   *Route
	headLimits http1.Limits
	reactor    *reactor.Reactor
	tls        *reactor.TLS // nil = none
	tlsAddrs   []net.Addr   // guarded by mu
	http2      *http2       // nil = HTTP/2 is not offered
	shards     []*shard
	stats      stats
	bodies     *budget.Budget
	stamp      atomic.Pointer[dateStamp]
	failures   [4]logBudget // by level
	handlers   atomic.Int64
	conns      atomic.Int64

	mu       sync.Mutex
	started  bool
	hurry    context.CancelFunc // of the shutdown: it is to cut at once; nil before
	report   DrainReport
	deadline atomic.Pointer[time.Time] // nil before shutdown
	draining chan struct{}             // closed when shutdown takes no new requests any more
	refused  atomic.Int64
	visits   visits
	progress chan struct{} // has a token when the last connection has closed
	closed   chan struct{} // closed when shutdown is complete
}

type dateStamp struct {
	second int64
	text   []byte
}

// Serve listens on the addresses, serves until ctx is done and then shuts down
// within Timeouts.Drain and Mercy. It returns nil after that, or why it could
// not start. Addresses are ":8080", "127.0.0.1:0" or
// "unix:/run/weir.sock?mode=0660"; with "tls:" in front, as in
// "tls:0.0.0.0:8443", the server speaks TLS there. With "?proxy=10.0.0.0/8"
// behind it connections begin with the PROXY protocol, as
// [reactor.Reactor.Listen] describes, and Request.RemoteAddr is what it says.
func (s *Server) Serve(ctx context.Context, addrs ...string) error {
	if err := s.Start(addrs...); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-s.draining:
	}
	_, err := s.Shutdown(context.Background())
	return err
}

// Start is [Server.Serve] except that it returns when the server accepts
// connections. [Server.Shutdown] ends it. Without an address it returns an
// error, unless the server has a System of its own, whose connections need
// none.
func (s *Server) Start(addrs ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started {
		return errors.New("weir: the server was started before; make a new one")
	}
	if err := s.check(addrs); err != nil {
		return err
	}
	if err := s.prepare(); err != nil {
		return err
	}
	for _, addr := range addrs {
		if err := s.listen(addr); err != nil {
			s.reactor.Close()
			s.http2.end()
			return err
		}
	}
	s.started = true
	return nil
}

// check fills in the defaults, and returns an error if what is set makes no
// sense.
func (s *Server) check(addrs []string) error {
	mux, isMux := s.Handler.(*Mux)
	sw, isSwitch := s.Handler.(*SwapMux)
	f, isFunc := s.Handler.(HandlerFunc)
	switch {
	case s.Handler == nil, isMux && mux == nil, isSwitch && sw == nil, isFunc && f == nil:
		return errors.New("weir: Server.Handler is nil")
	case s.Loops < 0:
		return fmt.Errorf("weir: Server.Loops is %d; want a positive number, or 0 for GOMAXPROCS", s.Loops)
	case s.HalfClose > HalfCloseAllow:
		return fmt.Errorf("weir: Server.HalfClose is %d; want HalfCloseGone or HalfCloseAllow", s.HalfClose)
	}
	if err := s.Limits.fillIn(); err != nil {
		return err
	}
	s.Timeouts.fillIn()
	if err := s.TLS.check(addrs); err != nil {
		return err
	}
	if len(addrs) == 0 && s.System == nil {
		return errors.New(`weir: no address to listen on; want one such as ":8080" or "unix:/run/weir.sock"`)
	}
	return nil
}

// prepareRouting makes what the server needs with or without event loops.
func (s *Server) prepareRouting() {
	s.headLimits = s.Limits.head()
	s.bodies = budget.New(s.Limits.Bodies)
	s.routes = nil
	switch h := s.Handler.(type) {
	case *SwapMux:
		s.routes = h
	case *Mux:
		s.routes = new(SwapMux)
		s.routes.Set(h)
	}
	s.fallback = &Route{handler: s.Handler}
	s.draining, s.closed = make(chan struct{}), make(chan struct{})
}

func (s *Server) prepare() (err error) {
	s.prepareRouting()
	s.progress = make(chan struct{}, 1)
	s.shards = nil
	if s.tls, err = s.secure(); err != nil {
		return err
	}
	s.reactor, err = reactor.New(reactor.Config{
		Loops:      s.Loops,
		HighMark:   s.Limits.HighMark,
		LowMark:    s.Limits.LowMark,
		WriteStall: s.Timeouts.WriteStall,
		Linger:     s.Timeouts.Linger,
		MaxConns:   s.Limits.Conns,
		Refusal:    []byte(connRefusal),
		Refused:    s.refusedConn,
		Logger:     s.Logger,
		System:     s.System,
		Setup:      func(l *reactor.Loop) { s.shards = append(s.shards, newShard(s, l)) },
		Accept:     func(rc *reactor.Conn) reactor.Handler { return s.shards[rc.Loop().ID()].accept(rc) },
	})
	if err == nil && s.http2 != nil {
		s.http2.start(s.log())
	}
	return err
}

const connRefusal = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Type: text/plain; charset=utf-8\r\n" +
	"Content-Length: 21\r\nConnection: close\r\n\r\ntoo many connections\n"

// Addrs returns the addresses that the server listens on, with the port that it
// got for port 0.
func (s *Server) Addrs() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.started {
		return nil
	}
	return s.reactor.Addrs()
}

// Reactor returns the server's event loops, nil before Start. It is for tests
// and tools, and for clients that live on those loops.
func (s *Server) Reactor() *reactor.Reactor { return s.reactor }

// log returns Logger as loops may use it: nothing waits for its handler.
func (s *Server) log() *slog.Logger {
	switch {
	case s.reactor != nil:
		return s.reactor.Logger()
	case s.Logger != nil:
		return s.Logger
	}
	return slog.Default() // without loops its handler may be waited for
}

// mux is what requests are routed by now; nil without one.
func (s *Server) mux() *Mux {
	if s.routes == nil {
		return nil
	}
	return s.routes.Mux()
}

// find routes a request by m, if there is one.
func (s *Server) find(m *Mux, r *Request) *Route {
	switch method := r.head.Method(); {
	case string(method) == "CONNECT":
		return notImplemented
	case len(r.head.Target()) == 1 && r.head.Target()[0] == '*':
		return serverOptions
	case m != nil:
		return m.find(r)
	}
	return s.fallback
}

// date is the Date field's value for the second that now is in.
func (s *Server) date(now time.Time) []byte {
	stamp := s.stamp.Load()
	if stamp == nil || stamp.second != now.Unix() {
		stamp = &dateStamp{now.Unix(), http1.AppendDate(nil, now)}
		s.stamp.Store(stamp)
	}
	return stamp.text
}

// takeSlot counts a stream in. It returns the limit that does not allow one more.
func (s *Server) takeSlot(rt *Route) error {
	if n := s.stats.active.Add(1); s.Limits.Streams > 0 && n > int64(s.Limits.Streams) {
		s.stats.active.Add(-1)
		return errStreamsBusy
	}
	if rt.maxStreams > 0 && rt.streams.Add(1) > rt.maxStreams {
		s.freeSlot(rt)
		return errRouteBusy
	}
	s.stats.total.Add(1)
	return nil
}

func (s *Server) freeSlot(rt *Route) {
	s.stats.active.Add(-1)
	if rt.maxStreams > 0 {
		rt.streams.Add(-1)
	}
}

type reactorTask = reactor.TaskFunc
