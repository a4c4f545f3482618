package weir

import (
	"context"
	"log/slog"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"weir/reactor"
)

// http2 is net/http's server for the connections that have chosen HTTP/2. It
// takes them from a listener that is a channel; the event loops carry their
// bytes.
type http2 struct {
	srv   http.Server
	conns chan net.Conn
	over  chan struct{} // closed when no more are taken
	close func()        // closes over
	idle  idlers
}

func newHTTP2(s *Server, h http.Handler) *http2 {
	p := &http2{conns: make(chan net.Conn), over: make(chan struct{})}
	p.idle.all = make(map[net.Conn]*idler)
	p.idle.by = make(map[*reactor.Conn]*idler)
	p.close = sync.OnceFunc(func() { close(p.over) })
	p.srv = http.Server{
		Handler:           h,
		MaxHeaderBytes:    s.Limits.Header,
		ReadHeaderTimeout: finite(s.Timeouts.Head),
		IdleTimeout:       finite(s.Timeouts.Idle),
		ConnState:         p.idle.note,
		HTTP2: &http.HTTP2Config{
			WriteByteTimeout:     finite(s.Timeouts.WriteStall),
			MaxConcurrentStreams: perConn(s.Limits.PerConn),

			MaxReceiveBufferPerStream:     streamInput,
			MaxReceiveBufferPerConnection: connInput,
		},
	}
	return p
}

// What net/http keeps of bodies that their handlers do not read: of a request as
// much as a connection of HTTP/1.1 has, and of all requests of a connection so
// many times that, that some of them do not hold up the others.
const (
	streamInput = bodyHigh
	connInput   = 4<<20 - 1 // the most that it allows
)

// perConn is a number of requests as net/http has it: 0 would be its default.
func perConn(n int) int {
	if n < 0 || n > math.MaxInt32 {
		return math.MaxInt32
	}
	return n
}

// finite is a timeout as net/http has them: 0 is none.
func finite(d time.Duration) time.Duration {
	if d == never {
		return 0
	}
	return d
}

func (p *http2) start(log *slog.Logger) {
	p.srv.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	go func() { _ = p.srv.Serve((*handedOver)(p)) }() // ErrServerClosed: its listener does not fail
}

// take gives the server a connection. It does not wait.
func (p *http2) take(rc *reactor.Conn) {
	c := rc.Detach()
	p.idle.add(c, rc)
	go func() {
		select {
		case p.conns <- c:
		case <-p.over:
			_ = c.Close() // nothing reads why it failed
		}
	}()
}

// drain lets the requests of all connections end; no more are taken.
func (p *http2) drain() {
	if p != nil {
		go func() { _ = p.srv.Shutdown(context.Background()) }()
	}
}

// end ends what still runs.
func (p *http2) end() {
	if p != nil {
		_ = p.srv.Close() // the reactor has closed its connections
	}
}

// handedOver is the listener.
type handedOver http2

func (l *handedOver) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}

func (l *handedOver) Close() error   { l.close(); return nil }
func (l *handedOver) Addr() net.Addr { return &net.TCPAddr{} }
