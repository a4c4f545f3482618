package weir

import (
	"errors"
	"io"

	"weir/chunked"
	"weir/internal/h1"
	"weir/reactor"
)

// A follower is what is left of an exchange when its handler has returned, a
// Group feeds its response, and nobody else has anything of it: of 1,700 bytes,
// with the request, 320. The exchange can serve another request, and what a
// chunk needs lies close together. Its methods are called on the loop.
type follower struct {
	pump
	h1.Exchange
	conn   *h1.Conn
	shard  *shard
	route  *Route // whose stream it counts as, until it has ended
	id     uint64
	bytes  int64
	status uint16
	chunks bool
	told   bool // its end was reported
}

// lighten passes the response of p, which has begun, to a follower, if there is
// nobody who could ask for anything else of the exchange: no handler's hook, no
// Stream, no Trace, no OnError.
func (ex *exchange) lighten(p *pump) *follower {
	if ex.conn == nil {
		return nil
	}
	l := ex.lock()
	if !l.forgettable(p) {
		l.unlock()
		return nil
	}
	f := &follower{
		conn: ex.conn, shard: ex.shard, route: ex.stream.slot,
		id: ex.stream.id, bytes: ex.sent.Bytes, status: uint16(ex.sent.Status), chunks: ex.stream.chunks,
	}
	f.pump.to, f.pump.src, f.pump.member = f, p.src, p.member
	f.Init(f, nil)
	if !ex.conn.Pass(&ex.Exchange, &f.Exchange) {
		l.unlock()
		return nil
	}
	p.closed.Store(true) // the source is the follower's
	l.forgetKept()
	ex.stream = Stream{ex: ex, given: true}
	ex.told, ex.cause = true, ErrStreamEnded // for a handler that has kept what it must not keep
	ex.Become(h1.Whole)
	l.unlock()
	if ex.req.route.inline() {
		ex.stream.given = false
		ex.shard.recycle(ex)
	}
	return f
}

// forgettable reports whether nothing but its bytes matters of a response.
func (l locked) forgettable(p *pump) bool {
	ex, s := l.ex, &l.ex.stream
	switch {
	case p.member.group == nil, p.pace != nil, ex.Stage() != h1.Committed, !ex.served, ex.onLoop, ex.noted != 0, ex.told:
		return false
	case ex.srv.OnError != nil, ex.trace != nil, ex.done != nil, ex.ctx != nil, ex.hooks != nil, ex.listed:
		return false
	case ex.loop.ex != nil, ex.pipe != nil, ex.slot != nil, ex.kept > 0, ex.req.reader != nil, ex.length.known():
		return false
	}
	return !s.given && s.beat == nil && s.trailers == nil && s.refusal == nil && s.slot != nil
}

// The outlet.

func (f *follower) turn() turn      { return f.conn.Loop() }
func (f *follower) home() *shard    { return f.shard }
func (f *follower) scratch() []byte { return f.shard.scratch[:0] }

func (f *follower) pullFrom(p *pump) (again bool) {
	f.call("source", func() { again = p.pull() }, p.fail)
	return again
}

func (f *follower) closeFor(p *pump, cause error) {
	f.call("source's Close", func() { p.src.Close(cause) }, nil)
}

// call is exchange.call.
func (f *follower) call(what string, g func(), failed func(error)) (returned bool) {
	defer func() {
		if !returned {
			err := f.shard.srv.panicked(what, f.pattern(), recover())
			if failed != nil {
				failed(err)
			}
		}
	}()
	g()
	return true
}

func (f *follower) halted() bool {
	rc := f.conn.Wire()
	rc.Lock()
	defer rc.Unlock()
	return f.Over() || rc.Err() != nil || rc.Backlogged()
}

func (f *follower) sendLater(chunk []byte) (shut bool, err error) {
	rc := f.conn.Wire()
	rc.Lock()
	if f.Over() || rc.Err() != nil {
		rc.Unlock()
		return true, nil
	}
	b := rc.Buffer()
	if f.chunks {
		*b = chunked.AppendChunk(*b, chunk)
	} else {
		*b = append(*b, chunk...)
	}
	f.bytes += int64(len(chunk))
	rc.Defer()
	return false, nil
}

func (f *follower) complete() {
	rc := f.conn.Wire()
	rc.Lock()
	if f.Over() {
		rc.Unlock()
		return
	}
	if f.chunks {
		b := rc.Buffer()
		*b, _ = chunked.AppendTrailers(*b) // there are none
	}
	f.end(h1.Whole, nil)
	rc.Defer()
	f.conn.Completed(true)
}

func (f *follower) fail(err error) {
	rc := f.conn.Wire()
	rc.Lock()
	first := !f.Over()
	if first {
		f.end(h1.Broken, err)
	}
	rc.Unlock()
	if first {
		f.conn.Abort(&f.Exchange, err)
	}
}

// end notes that no byte may be added any more. The output is locked.
func (f *follower) end(s h1.Stage, cause error) {
	f.Ended = f.conn.Loop().Now()
	f.pump.cause = cause
	f.Become(s)
	f.shard.srv.stats.finished(cause)
	f.shard.srv.freeSlot(f.route)
}

func (f *follower) pattern() string { return f.route.pattern }

// The h1.Handler. Of a request there is nothing left.

func (f *follower) Begin([]byte, bool) (bool, error) { return false, io.ErrUnexpectedEOF }
func (f *follower) Plan(bool, bool) (h1.Plan, error) { return h1.Plan{}, io.ErrUnexpectedEOF }
func (f *follower) Serve() (bool, error)             { return false, io.ErrUnexpectedEOF }
func (f *follower) Refuse(error) (refused bool)      { return false }
func (f *follower) Depart()                          {}
func (f *follower) Draining()                        {}
func (f *follower) Done()                            {}
func (f *follower) Drained()                         { f.post() }
func (f *follower) Streaming() bool                  { return f.shard.srv.HalfClose != HalfCloseAllow }
func (f *follower) Shows(cause error) bool           { return f.chunks && !errors.Is(cause, ErrClientGone) }

func (f *follower) Cut(cause error) {
	at := f.conn.Loop().Now()
	rc := f.conn.Wire()
	rc.Lock()
	first := !f.Over()
	if first {
		f.end(h1.Broken, cause)
	}
	rc.Unlock()
	if !first {
		return
	}
	if f.endWith(cause, true); isDisconnect(cause) {
		f.shard.srv.stats.told(at)
	}
}

func (f *follower) Report() {
	cause := f.pump.cause
	if cause == nil || f.told || errors.Is(cause, ErrClientGone) {
		return
	}
	f.told = true
	f.shard.srv.logFailure("weir: response aborted", failure{f.pattern(), f.id, f.conn.Wire().RemoteAddr(), int(f.status), f.bytes, cause})
}

func (f *follower) Closed(cause error) {
	f.Cut(departure(cause))
	f.Report()
}

var (
	_ outlet          = (*follower)(nil)
	_ h1.Handler      = (*follower)(nil)
	_ reactor.Dropper = (*closeTask)(nil)
)
