package weir

import (
	"sync/atomic"

	"weir/internal/memlimit"
)

// This file counts the bytes of requests that a server keeps (Limits.Bodies).
// One counter is for all of them, and each that takes from it is the only one
// to give back:
//
//	head       a long one, copied          until the request has ended
//	body       buffered for a handler      until the handler has returned
//	queue      of a BodyReader             until the request has ended and its handler returned
//	Keep       by a handler on the loop    until the request has ended
//	input      of a connection, unconsumed until it is consumed or the connection closes
//
// What is counted is memory, not length: a slice of bytes by its capacity.

// budget is a bound on bytes that many requests keep together. Safe for
// concurrent use.
type budget struct {
	limit   int64
	refused atomic.Uint64 // times that take has failed
	_       [64]byte      // what follows changes all the time
	used    atomic.Int64
	_       [64]byte
}

// leastBudget is what requests may keep even in a process that has hardly any
// memory left.
const leastBudget = 4 << 20

// newBudget returns a budget of limit bytes: 0 is a quarter of the memory that
// the process may use, negative is without limit.
func newBudget(limit int64) *budget {
	switch {
	case limit == 0:
		limit = max(leastBudget, memlimit.Bytes()/4)
	case limit < 0:
		limit = 1<<63 - 1
	}
	return &budget{limit: limit}
}

// take counts n bytes in. It reports false, and counts nothing, if they are too
// many.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) <= b.limit {
		return true
	}
	b.used.Add(-n)
	b.refused.Add(1)
	return false
}

// give counts n bytes out.
func (b *budget) give(n int64) {
	if n > 0 {
		b.used.Add(-n)
	}
}

// fits reports whether n bytes could be taken now.
func (b *budget) fits(n int64) bool { return n <= b.limit-b.used.Load() }

// grow returns p with room for n more bytes, and takes what its capacity grows
// by. It reports false if that is too much. most is the length that p may
// reach; negative = not known.
func (b *budget) grow(p []byte, n int, most int64) ([]byte, bool) {
	need := len(p) + n
	if need <= cap(p) {
		return p, true
	}
	size := max(need, 2*cap(p))
	if most >= 0 {
		size = max(need, int(min(int64(size), most)))
	}
	if !b.take(int64(size - cap(p))) {
		return p, false
	}
	return append(make([]byte, 0, size), p...), true
}

// Keep notes that the handler keeps n bytes for this request now, in place of
// what it noted before: what a [LoopHandler] has gathered of the body, for
// instance. All requests of a server together keep at most [Limits].Bodies. If
// n would be too much, Keep changes nothing and reports false, as it does once
// the request has ended; the handler should respond with 503 then. The end of
// the request frees what was noted. Keep is safe for concurrent use.
func (r *Request) Keep(n int64) bool {
	ex := r.ex
	if ex == nil {
		return true // a clone
	}
	l := ex.lock()
	defer l.unlock()
	switch more := n - ex.kept; {
	case ex.over():
		return n == 0
	case more > 0 && !ex.srv.bodies.take(more):
		return false
	case more < 0:
		ex.srv.bodies.give(-more)
	}
	ex.kept = n
	return true
}

// longHead is the size of the copy of a head, if it is a long one.
func (ex *exchange) longHead() int64 {
	if n := cap(ex.req.copied); n > keptHead {
		return int64(n)
	}
	return 0
}

// takeHead counts the copy of a long head, if there is room for it.
func (ex *exchange) takeHead() bool {
	n := ex.longHead()
	if n > 0 && !ex.srv.bodies.take(n) {
		return false
	}
	ex.headKept = n
	return true
}

// oweHead counts the copy of a long head whose request is served already.
func (l locked) oweHead() {
	ex := l.ex
	ex.headKept = ex.longHead()
	ex.srv.bodies.used.Add(ex.headKept)
}

// growBody makes room for a further piece of a body that is buffered.
func (ex *exchange) growBody(n int) bool {
	body, ok := ex.srv.bodies.grow(ex.req.body, n, ex.req.head.ContentLength())
	ex.held += int64(cap(body) - cap(ex.req.body))
	ex.req.body = body
	return ok
}

// forgetBody lets go of a buffered body. It is for the loop until the handler
// is called, and then for the handler's goroutine.
func (ex *exchange) forgetBody() {
	if ex.held > 0 {
		ex.srv.bodies.give(ex.held)
		ex.held, ex.req.body = 0, nil
	}
}

// fewInput is how much of a connection's unconsumed input is not counted: a
// part of an ordinary head.
const fewInput = 4 << 10

// keepInput counts what of a connection's input is not consumed by now, and
// reports false if there is no room for it.
func (c *conn) keepInput(rest int) bool {
	more := -c.input
	if rest > fewInput && c.phase != phaseOver {
		more += int64(rest)
	}
	switch {
	case more > 0 && !c.srv.bodies.take(more):
		return false
	case more < 0:
		c.srv.bodies.give(-more)
	}
	c.input += more
	return true
}

// dropInput discards input for which there is no room. A request that is
// arriving is refused. Requests that wait behind a response are not served: the
// connection closes with that response.
func (c *conn) dropInput() {
	switch {
	case c.ex == nil:
		c.close()
	case c.phase == phaseResponding:
		l := c.ex.lock()
		c.ex.close = true
		l.unlock()
		c.rc.Pause()
	default:
		c.refuse(ErrBodiesFull)
	}
	c.keepInput(0)
}

// forgetKept gives back what a request that has ended has kept.
func (l locked) forgetKept() {
	ex := l.ex
	ex.srv.bodies.give(ex.kept + ex.headKept)
	ex.kept, ex.headKept = 0, 0
	if b := ex.req.reader; b != nil && ex.served {
		b.drop()
	}
}
