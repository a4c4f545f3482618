package weir

import (
	"net"
	"net/netip"
)

// A Trace observes requests: an access log, metrics or spans need nothing else.
// Its functions are called in the order of the stations of a request, one at a
// time, with no lock of the server held; a nil one is not called. They run
// where the event happens, on a loop, the handler's goroutine or a producer's,
// and must not block. A panic is logged and does not affect the response.
type Trace struct {
	// Start is called when the head of a request is complete and routed, before
	// OnHeaders, or when a head is refused; then little more of r than
	// RemoteAddr is set. The other functions are called with what it returns;
	// with a [Key] a handler gets it, too.
	Start func(r *Request) (state any)
	// Head is called when the head of the response is committed.
	Head func(r *Request, state any, sent ResponseStats)
	// Chunk is called for each chunk of a stream, of that many bytes. When a
	// producer runs far ahead of Chunk, one call may stand for several of them.
	Chunk func(r *Request, state any, sent ResponseStats, bytes int)
	// End is called once, last, for each request that Start was called for:
	// cause is nil if the response is complete, else why it is not, or the
	// reason for an error response. sent.Status distinguishes these: it is 0 if
	// there was no response.
	End func(r *Request, state any, sent ResponseStats, cause error)
	// Refused is called for each connection that is refused with 503 because
	// there is no place for it, before a request of it is read. remote is the
	// zero value if it is not known, listen the address of the listener.
	Refused func(remote netip.AddrPort, listen net.Addr)
}

// refusedConn calls Trace.Refused.
func (s *Server) refusedConn(remote netip.AddrPort, listen net.Addr) {
	if s.Trace == nil || s.Trace.Refused == nil {
		return
	}
	returned := false
	defer func() {
		if !returned {
			_ = s.panicked("Trace.Refused", "", recover()) // it is logged
		}
	}()
	s.Trace.Refused(remote, listen)
	returned = true
}

// traced is the trace of one request. Stations are noted under the output's
// lock, in their order, and reported by the goroutine that releases it: one at
// a time, which also reports what others note meanwhile.
type traced struct {
	hooks *Trace
	state any
	live  bool // Start was called; the loop's

	// Guarded by the output's lock.
	waiting []station
	busy    bool      // a goroutine reports
	spare   []station // for waiting
}

// stationsKept bounds the stations that wait for a function that blocks.
const stationsKept = 1 << 10

type station struct {
	kind  stationKind
	sent  ResponseStats
	bytes int
	cause error
}

type stationKind uint8

const (
	atHead stationKind = iota
	atChunk
	atEnd
)

// traceStart begins the trace of a request, once. On the loop, without a lock.
func (ex *exchange) traceStart() {
	hooks := ex.srv.Trace
	if hooks == nil || ex.trace != nil && ex.trace.live {
		return
	}
	if ex.trace == nil {
		ex.trace = &traced{hooks: hooks}
	}
	t := ex.trace
	t.live = true
	if hooks.Start != nil {
		ex.call("Trace.Start", func() { t.state = hooks.Start(&ex.req) }, nil)
	}
}

func (l locked) traceHead() {
	if ex, t := l.ex, l.ex.trace; t != nil && t.hooks.Head != nil {
		l.note(station{kind: atHead, sent: ex.sent})
	}
}

func (l locked) traceChunk(n int) {
	if ex, t := l.ex, l.ex.trace; t != nil && t.hooks.Chunk != nil {
		l.note(station{kind: atChunk, sent: ex.sent, bytes: n})
	}
}

func (l locked) traceEnd() {
	if ex, t := l.ex, l.ex.trace; t != nil && t.hooks.End != nil {
		l.note(station{kind: atEnd, sent: ex.sent, cause: ex.cause})
	}
}

// note adds a station.
func (l locked) note(s station) {
	ex := l.ex
	t := ex.trace
	if !t.live {
		return
	}
	if n := len(t.waiting); n >= stationsKept && s.kind == atChunk && t.waiting[n-1].kind == atChunk {
		s.bytes += t.waiting[n-1].bytes
		t.waiting[n-1] = s
	} else {
		t.waiting = append(t.waiting, s)
	}
	if !t.busy {
		ex.noted |= noteTrace
	}
}

// runTrace reports the stations that wait, until there are no more. The caller
// has made the trace busy.
func (ex *exchange) runTrace() {
	t := ex.trace
	for {
		l := ex.lock()
		todo := t.waiting
		if t.busy = len(todo) > 0; !t.busy {
			l.unlock()
			return
		}
		t.waiting, t.spare = t.spare[:0], nil
		l.unlock()
		for i := range todo {
			ex.traceStation(&todo[i])
		}
		clear(todo)    // of causes
		t.spare = todo // which no other goroutine touches while the trace is busy
	}
}

func (ex *exchange) traceStation(s *station) {
	t := ex.trace
	switch s.kind {
	case atHead:
		ex.call("Trace.Head", func() { t.hooks.Head(&ex.req, t.state, s.sent) }, nil)
	case atChunk:
		ex.call("Trace.Chunk", func() { t.hooks.Chunk(&ex.req, t.state, s.sent, s.bytes) }, nil)
	case atEnd:
		ex.call("Trace.End", func() { t.hooks.End(&ex.req, t.state, s.sent, s.cause) }, nil)
	}
}

// reset prepares the trace of a pooled exchange for its next request.
func (t *traced) reset() {
	if t != nil {
		*t = traced{hooks: t.hooks, waiting: t.waiting[:0], spare: t.spare[:0]}
	}
}
