package weir

// This file counts the bytes of requests that a server keeps (Limits.Bodies).
// One counter is for all of them, and each that takes from it is the only one
// to give back:
//
//	head       a long one, copied          until the request has ended
//	body       buffered for a handler      until the handler has returned
//	queue      of a Pipe                   until the pipe has ended
//	queue      of a BodyReader             until the request has ended and its handler returned
//	Keep       by a handler on the loop    until the request has ended
//	input      of a connection, unconsumed until it is consumed or the connection closes

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
	case more > 0 && !ex.srv.bodies.Take(more):
		return false
	case more < 0:
		ex.srv.bodies.Give(-more)
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
	if n > 0 && !ex.srv.bodies.Take(n) {
		return false
	}
	ex.headKept = n
	return true
}

// oweHead counts the copy of a long head whose request is served already.
func (l locked) oweHead() {
	ex := l.ex
	ex.headKept = ex.longHead()
	ex.srv.bodies.Owe(ex.headKept)
}

// growBody makes room for a further piece of a body that is buffered.
func (ex *exchange) growBody(n int) bool {
	body, ok := ex.srv.bodies.Grow(ex.req.body, n, ex.req.head.ContentLength())
	ex.held += int64(cap(body) - cap(ex.req.body))
	ex.req.body = body
	return ok
}

// forgetBody lets go of a buffered body. It is for the loop until the handler
// is called, and then for the handler's goroutine.
func (ex *exchange) forgetBody() {
	if ex.held > 0 {
		ex.srv.bodies.Give(ex.held)
		ex.held, ex.req.body = 0, nil
	}
}

// forgetKept gives back what a request that has ended has kept.
func (l locked) forgetKept() {
	ex := l.ex
	ex.srv.bodies.Give(ex.kept + ex.headKept)
	ex.kept, ex.headKept = 0, 0
	if b := ex.req.reader; b != nil && ex.served {
		b.drop()
	}
}
