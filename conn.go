package weir

import (
	"errors"
	"time"

	"weir/chunked"
	"weir/http1"
	"weir/reactor"
)

// phase is what a connection waits for.
//
//	idle ──> head ──> expecting ──> body ──> responding ──> idle …
//	                                             └──> behind ──^
//
// Any of them may be left out, and over follows on any. A handler that reads
// its body while it arrives runs from expecting or body on.
type phase uint8

const (
	phaseIdle       phase = iota // a request, of which no byte is here
	phaseHead                    // the rest of its head
	phaseExpecting               // that the body is wanted: the client waits for 100 Continue
	phaseBody                    // the rest of the body
	phaseResponding              // the response; the request is complete
	phaseBehind                  // that the client takes more of its responses; nothing is read
	phaseOver                    // nothing any more: the connection is closing
)

// arriving reports whether the body of a request is.
func (p phase) arriving() bool { return p == phaseExpecting || p == phaseBody }

// serving reports whether there is a request whose head is complete.
func (p phase) serving() bool { return p.arriving() || p == phaseResponding }

// alarm is what the timer of a connection stands for.
type alarm uint8

const (
	atDeadline alarm = iota // of the phase, or an earlier one of it
	atReview                // soon: a look whether a handler's goroutine has responded
	atCut                   // shutdown: the moment to be cut
)

// conn is the server's side of one HTTP/1.1 connection (RFC 9112): a state
// machine that makes no system call and is driven by its loop. It serves one
// request at a time; what is pipelined behind it stays unconsumed.
type conn struct {
	srv   *Server
	shard *shard
	rc    *reactor.Conn

	ex         *exchange // the current request; nil in idle and behind
	phase      phase
	alarm      alarm
	prev, next *conn

	input   int64 // bytes taken from the server's budget for what was not consumed
	timer   reactor.Timer
	since   time.Time // idle: of its beginning; head: of its first byte
	bodyDue time.Time // body: when more of it must have come, see earn
	ahead   int       // body: bytes of a TLS record that have earned before they were shown
	pause   time.Time // expecting, body: since when the handler has been behind
}

func (c *conn) loop() *reactor.Loop { return c.rc.Loop() }

// lock is exchange.lock, for each request.
func (c *conn) lock(ex *exchange) locked {
	c.rc.Lock()
	return locked{ex}
}

// Data implements reactor.Handler: bytes have arrived, or the loop continues
// with unconsumed ones.
func (c *conn) Data(p []byte) (consumed int) {
	for {
		n, more := c.step(p[consumed:])
		consumed += n
		if !more {
			break
		}
	}
	if rest := len(p) - consumed; (rest > fewInput || c.input > 0) && !c.keepInput(rest) {
		c.dropInput()
		return len(p)
	}
	return consumed
}

// step makes one move and reports whether another is possible.
func (c *conn) step(p []byte) (n int, more bool) {
	switch c.phase {
	case phaseIdle, phaseHead:
		return c.readHead(p)
	case phaseExpecting, phaseBody:
		if c.ex.loop.ex != nil && !c.pause.IsZero() {
			return 0, false // paused before the first piece
		}
		return c.readBody(p)
	case phaseResponding:
		if len(p) == 0 && !c.ex.sealed && !c.rc.InputEnded() {
			return 0, false // look again when there is something to do
		}
		if c.answered() {
			return 0, c.nextRequest(len(p))
		}
		if len(p) >= c.srv.Limits.Pipelined {
			c.rc.Pause()
		}
	}
	return 0, false
}

// answered reports whether the response is complete, and if not, requests that
// the loop be notified.
func (c *conn) answered() bool {
	ex := c.ex
	if ex.over() {
		return !ex.cutOff() // which does not change any more
	}
	l := ex.lock()
	defer l.unlock()
	if ex.over() {
		return !ex.cutOff()
	}
	ex.awaited = true
	return false
}

func (c *conn) readHead(p []byte) (n int, more bool) {
	if len(p) == 0 {
		return 0, false
	}
	if c.ex == nil {
		c.ex = c.shard.exchange(c)
	}
	ex := c.ex
	n, err := ex.req.head.Parse(p, &c.srv.headLimits)
	switch {
	case err != nil:
		c.refuse(err)
		return 0, false
	case n == 0:
		c.awaitHead()
		return 0, false
	}
	ex.req.raw = p[:n]
	if c.begin(ex, p[n:]) {
		return n, true
	}
	return n, c.phase != phaseOver
}

// awaitHead is a head of which only a part is here.
func (c *conn) awaitHead() {
	switch {
	case c.rc.InputEnded():
		c.close()
	case c.phase == phaseIdle:
		c.phase = phaseHead
		c.since = c.loop().Now()
		c.startTimer(c.since.Add(c.srv.Timeouts.Head))
	}
}

// statusOf returns the status of the response to a request that cannot be
// served.
func statusOf(err error) int {
	var (
		parse   *http1.ParseError
		framing *chunked.Error
	)
	switch {
	case errors.As(err, &parse):
		return parse.Status
	case errors.As(err, &framing):
		return framing.Status
	case errors.Is(err, ErrBodyTooLarge):
		return 413
	case errors.Is(err, ErrTimeout):
		return 408
	case errors.Is(err, ErrBusy), errors.Is(err, ErrBodiesFull), errors.Is(err, ErrServerClosed):
		return 503
	}
	return 500
}

// begin routes a request whose head is complete and decides what becomes of
// its body. rest is what has arrived behind the head.
func (c *conn) begin(ex *exchange, rest []byte) bool {
	r := &ex.req
	r.header.parsed, r.view = &r.head, true
	c.shard.requests.Add(1)
	route := c.shard.find(r)
	hasBody := r.head.Chunked() || r.head.ContentLength() > 0
	if route.mode != inline && route.mode != early || hasBody { // it outlives the buffer that it was parsed in
		r.keep()
	}
	r.route = route
	ex.traceStart()
	if c.shard.refusing {
		c.turnAway()
		return false
	}
	if !r.view && !ex.takeHead() {
		c.refuse(ErrBodiesFull)
		return false
	}
	if hasBody {
		return c.beginBody(ex, rest)
	}
	if !c.admitted(ex) {
		c.phase = phaseResponding
		return true
	}
	c.dispatch(ex)
	return true
}

// admitted calls OnHeaders. If it returns false, the response that it has made
// is sent.
func (c *conn) admitted(ex *exchange) (yes bool) {
	f := c.srv.OnHeaders
	if f == nil {
		return true
	}
	ex.onLoop, ex.ended = true, c.loop().Now()
	switch returned := ex.call("OnHeaders", func() { yes = f(&ex.res, &ex.req) }, ex.crash); {
	case returned && yes && !ex.over():
		ex.onLoop = false
		return true
	case returned: // it says no, or has ended the response
		ex.handled()
	}
	c.inlineOver(ex)
	return false
}

// dispatch runs the handler of a request that is complete.
func (c *conn) dispatch(ex *exchange) {
	c.phase = phaseResponding
	if c.rc.InputEnded() && c.srv.HalfClose != HalfCloseAllow {
		ex.depart(ErrClientGone)
	}
	if ex.req.route.inline() {
		c.serveInline(ex)
		return
	}
	c.dispatchTo(ex)
}

// dispatchTo runs the handler on a goroutine.
func (c *conn) dispatchTo(ex *exchange) {
	if c.countHandler(ex) {
		go ex.serve(ex.req.route.handler)
	}
}

// countHandler counts a handler that is to have a goroutine. With too many of
// them it refuses the request and returns false.
func (c *conn) countHandler(ex *exchange) bool {
	srv := c.srv
	if srv.handlers.Add(1) > int64(srv.Limits.Handlers) {
		srv.handlers.Add(-1)
		ex.req.reader = nil
		c.refuse(ErrBusy)
		return false
	}
	if c.alarm == atDeadline && c.phase == phaseResponding {
		c.alarm = atReview
		c.startTimer(c.loop().Now().Add(reviewAfter))
	}
	ex.counted = true
	return true
}

// serveInline runs the handler here.
func (c *conn) serveInline(ex *exchange) {
	ex.onLoop, ex.ended = true, c.loop().Now()
	ex.serve(ex.req.route.handler)
	c.inlineOver(ex)
}

// inlineOver makes the loop write an inline handler's output at the end of the
// turn. A response that continues outlives the buffer that its request was
// parsed in.
func (c *conn) inlineOver(ex *exchange) {
	l := c.lock(ex)
	ex.onLoop = false
	over := ex.over()
	ex.sealed = over
	if ex.req.view && (!over || ex.cutOff()) {
		ex.req.keep()
		l.oweHead()
	}
	c.rc.Defer()
	if p := ex.stream.pump; p != nil && !over {
		p.start()
	}
}

// refuse responds to a request that cannot be served, and closes the
// connection.
func (c *conn) refuse(err error) {
	ex := c.ex
	c.phase = phaseResponding
	if ex.req.reader != nil {
		c.refuseRunning(ex, err)
		ex.endBody(err)
		return
	}
	ex.traceStart() // a head that could not be parsed has none yet
	ex.loop.endBody(err)
	ex.forgetBody()
	status := statusOf(err)
	l := ex.lock()
	ex.close = ex.close || err != ErrBusy || ex.received > 0
	if ex.final() {
		c.spoilt(l, err)
		return
	}
	ex.served = true
	l.refuseStream(err)
	l.answerError(status, err)
	c.settle()
}

// refuseRunning is refuse while the handler runs and has the Response in its
// hands: that is reported to it, and when it returns the error response is sent
// instead of its own.
func (c *conn) refuseRunning(ex *exchange, err error) {
	l := ex.lock()
	if ex.final() {
		c.spoilt(l, err)
		return
	}
	if ex.cause == nil {
		ex.cause = err
	}
	l.refuseStream(err)
	ex.awaited = true
	if ex.served { // and left a detached stream
		l.answerError(statusOf(err), err)
		return
	}
	l.tell()
	l.unlockOnLoop()
}

// spoilt ends a connection whose request turned out bad after its response had
// begun. A complete response is still delivered. It releases the lock.
func (c *conn) spoilt(l locked, cause error) {
	ex := l.ex
	complete := progress(ex.state.Load()) == whole
	l.unlock()
	if complete {
		c.settle()
		return
	}
	ex.cut(cause)
	ex.endBody(cause)
	c.end(ex, cause)
}

// settle checks, on the loop, whether the current response is complete.
func (c *conn) settle() {
	if !c.phase.serving() || !c.answered() {
		return
	}
	if c.phase.arriving() && !c.ex.close {
		return // the body is still being skipped
	}
	if c.nextRequest(c.rc.Buffered()) {
		c.rc.Resume()
	}
}

// nextRequest ends a served request. It reports whether another one may be read
// now; left is how much of it has arrived. A client that does not read its
// responses gets no further ones: what it has not read is bounded.
func (c *conn) nextRequest(left int) bool {
	ex := c.ex
	c.lock(ex)
	last := ex.close
	c.since = ex.ended
	full := c.rc.Backlogged()
	hooks := ex.hooks != nil || ex.loop.receiver != nil
	c.rc.Unlock()
	c.ex = nil
	ex.stopBeat()
	if hooks {
		ex.runHooks() // before it is recycled
	}
	c.shard.recycle(ex)
	if last || c.rc.InputEnded() && left == 0 {
		c.close()
		return false
	}
	c.pause = time.Time{}
	if full {
		c.phase = phaseBehind
		c.rc.Pause()
	} else {
		c.phase = phaseIdle
		c.rc.Rest(c.since)
	}
	c.hasten()
	return !full
}

// hasten sees to it that the connection does not stay as long as usual without
// a request once they are refused.
func (c *conn) hasten() {
	if c.shard.refusing {
		c.startTimer(c.since.Add(c.shard.idle))
	}
}

// close closes the connection gracefully.
func (c *conn) close() {
	c.phase = phaseOver
	c.loop().StopTimer(&c.timer)
	c.rc.Close()
}

// leave closes a connection that has been quiet for its time, unless a request
// has arrived that no event has reported yet.
func (c *conn) leave() {
	c.rc.ReadNow()
	switch {
	case c.phase == phaseIdle:
		c.phase = phaseOver
		c.rc.CloseIdle()
	case c.phase != phaseOver && !c.timer.Running():
		c.startTimer(c.due(c.loop().Now()))
	}
}

// GiveUp implements reactor.Rester: there are too many connections. One between
// two requests is closed, unless the next has arrived and no event has reported
// it yet.
func (c *conn) GiveUp() bool {
	c.settle()
	if !c.quiet() {
		return false
	}
	c.rc.ReadNow()
	if !c.quiet() {
		return false
	}
	c.phase = phaseOver
	return true
}

// quiet reports whether no request, and no part of one, is here.
func (c *conn) quiet() bool { return c.phase == phaseIdle && c.rc.Buffered() == 0 }

// Drained implements reactor.Handler: a client that was behind has caught up.
func (c *conn) Drained() {
	if c.phase == phaseBehind {
		c.phase = phaseIdle
		c.since = c.loop().Now()
		c.rc.Rest(c.since)
		c.hasten()
		c.rc.Resume()
	}
	if c.ex == nil {
		return
	}
	l := c.ex.lock()
	p := c.ex.stream.pump
	l.unlock()
	if p != nil {
		p.post()
	}
	c.ex.loop.drained()
}

// PeerClosed implements reactor.Handler: the client has shut down its write
// side, or has disconnected. Which of the two cannot be known (RFC 9112 9.6): a
// stream ends, a handler is notified, and a buffered response is still
// delivered.
func (c *conn) PeerClosed() {
	at := c.loop().Now()
	switch c.phase {
	case phaseIdle, phaseHead, phaseBehind:
		if c.rc.InputEnded() {
			c.close()
		}
	case phaseExpecting, phaseBody:
		if c.pause.IsZero() && c.rc.InputEnded() || !c.pause.IsZero() && c.abandoned() {
			c.lost(at)
		}
	case phaseResponding:
		if c.answered() {
			if c.rc.InputEnded() && c.rc.Buffered() == 0 {
				c.settle()
			}
			return
		}
		if c.abandoned() {
			c.lost(at)
			return
		}
		if c.srv.HalfClose != HalfCloseAllow && c.ex.depart(ErrClientGone) {
			c.srv.stats.told(at)
		}
	}
}

// abandoned reports whether a client that sends no more counts as disconnected
// from its stream, whatever of its body is still to be read.
func (c *conn) abandoned() bool { return c.srv.HalfClose != HalfCloseAllow && c.streaming() }

// lost ends a request whose client has disconnected.
func (c *conn) lost(at time.Time) {
	ex := c.ex
	if c.phase.arriving() && ex.req.reader == nil { // else it is the handler's
		ex.forgetBody()
	}
	if ex.cut(ErrClientGone) {
		c.srv.stats.told(at)
	}
	ex.endBody(ErrClientGone)
	c.end(ex, ErrClientGone)
}

// end ends the connection of a response that will not be whole: a part of it
// must not be taken for the whole, but what was sent before is to arrive. The
// client sees from the framing of the body that its end is missing, if that is
// known; the connection is reset where it cannot, as with HTTP/1.0, and of a
// client that has disconnected, which takes nothing any more. One that does not
// take what is pending is reset after Timeouts.WriteStall.
func (c *conn) end(ex *exchange, cause error) {
	l := ex.lock()
	shown := !ex.begun() || l.shownCut() && !errors.Is(cause, ErrClientGone)
	l.unlock()
	if shown {
		c.close()
	} else {
		c.rc.Abort(cause)
	}
	ex.reportCut()
}

// shownCut reports whether the framing of a body that has begun shows that it
// is not whole.
func (l locked) shownCut() bool {
	ex := l.ex
	return ex.stream.chunks || ex.length.known() && ex.sent.Bytes < ex.length.n()
}

func (c *conn) streaming() bool {
	l := c.ex.lock()
	defer l.unlock()
	return c.ex.stream.id != 0
}

// Closed implements reactor.Handler: the connection has ended.
func (c *conn) Closed(cause error) {
	at := c.loop().Now()
	before := c.phase
	c.phase = phaseOver
	c.keepInput(0)
	c.loop().StopTimer(&c.timer)
	c.shard.remove(c)
	ex := c.ex
	if ex == nil {
		return
	}
	if before.arriving() && ex.req.reader == nil { // else it is the handler's
		ex.forgetBody()
	}
	cause = departure(cause)
	if ex.cut(cause) && ex.req.route != nil {
		c.srv.stats.told(at)
	}
	ex.endBody(cause)
	ex.stopBeat()
	ex.reportCut()
}
