package weir

import (
	"errors"

	"weir/internal/h1"
)

// upward is an exchange as its HTTP/1.1 connection drives it. Its methods are
// called on the loop.
type upward exchange

// Begin routes the request and calls OnHeaders. What the handler may still read
// when the turn is over is copied.
func (u *upward) Begin(raw []byte, hasBody bool) (served bool, err error) {
	ex, r, sh := (*exchange)(u), &u.req, u.shard
	r.raw, r.view = raw, true
	r.header.parsed = &r.head
	sh.requests.Add(1)
	rt := sh.find(r)
	if rt.mode != inline && rt.mode != early || hasBody {
		r.keep()
	}
	r.route = rt
	ex.traceStart()
	switch {
	case sh.conns.Refusing():
		u.srv.refused.Add(1)
		return false, ErrServerClosed
	case !r.view && !ex.takeHead():
		return false, ErrBodiesFull
	case u.srv.OnHeaders == nil:
		return true, nil
	}
	return ex.admitted(), nil
}

// admitted calls OnHeaders.
func (ex *exchange) admitted() (yes bool) {
	ex.enterLoop()
	returned := ex.call("OnHeaders", func() { yes = ex.srv.OnHeaders(&ex.res, &ex.req) }, ex.crash)
	ex.offload = nil // it is for handlers
	switch {
	case returned && yes && !ex.over():
		ex.onLoop = false
		return true
	case returned: // it says no, or has ended the response
		ex.handled()
	}
	ex.leaveLoop()
	return false
}

// Plan chooses by the route what becomes of the body.
func (u *upward) Plan(whole, ask bool) (plan h1.Plan, err error) {
	ex, r := (*exchange)(u), &u.req
	rt, length, limit := r.route, r.head.ContentLength(), r.route.bodyLimit(u.srv)
	switch {
	case rt.mode == early:
		return plan, nil
	case limit > 0 && length > limit:
		return plan, ErrBodyTooLarge
	case rt.buffers() && !u.srv.bodies.Fits(length):
		return plan, ErrBodiesFull
	}
	if plan.Limit = limit; length < 0 {
		plan.Trailer = r.takeTrailer()
	}
	r.gathers = rt.gated && !whole
	plan.Body, plan.AtHead = ex.bodyFor(rt.mode, ask)
	return plan, nil
}

// Serve runs the handler: here, or on a goroutine, of which there is a bounded
// number.
func (u *upward) Serve() (left bool, err error) {
	ex, srv, rt := (*exchange)(u), u.srv, u.req.route
	if rt.inline() {
		ex.enterLoop()
		ex.serve(rt.handler)
		ex.leaveLoop()
		return false, nil
	}
	if srv.handlers.Add(1) > int64(srv.Limits.Handlers) {
		srv.handlers.Add(-1)
		ex.req.reader = nil
		return false, errHandlersBusy
	}
	ex.counted = true
	if ex.req.reader != nil {
		ex.turn().Later((*serveTask)(ex))
	} else {
		go ex.serve(rt.handler)
	}
	return true, nil
}

// serveTask starts the handler of a request whose body is arriving, behind what
// of it the loop has read already: a body that is there whole is so for the
// handler.
type serveTask exchange

func (t *serveTask) Run()     { go (*exchange)(t).serve(t.req.route.handler) }
func (t *serveTask) Dropped() { t.Run() }

// Refuse makes err the response. While a handler runs it has the Response in
// its hands: then the error is reported to it, and sent when it returns.
func (u *upward) Refuse(err error) (refused bool) {
	ex := (*exchange)(u)
	running := ex.req.reader != nil
	if !running {
		ex.traceStart() // a head that could not be parsed has none yet
		ex.loop.endBody(err)
		ex.forgetBody()
	}
	l := ex.lock()
	switch {
	case ex.final():
		refused = ex.over() && !ex.cutOff()
		l.unlock()
		if !refused {
			return false
		}
	case running && !ex.served:
		if ex.cause == nil {
			ex.cause = err
		}
		l.refuseStream(err)
		l.tell()
		l.unlockOnLoop()
	default: // also where the handler left a detached stream
		ex.served = true
		l.refuseStream(err)
		l.answerError(statusOf(err), err)
	}
	ex.endBody(err)
	return true
}

// Drained continues what waits for the client.
func (u *upward) Drained() {
	ex := (*exchange)(u)
	l := ex.lock()
	p := ex.stream.pump
	l.unlock()
	if p != nil {
		p.post()
	}
	ex.loop.drained()
}

// Draining notifies a handler on the loop that requests are refused now.
func (u *upward) Draining() { (*exchange)(u).loop.draining() }

// Streaming implements Server.HalfClose, and so does Depart.
func (u *upward) Streaming() bool {
	if u.srv.HalfClose == HalfCloseAllow {
		return false
	}
	l := (*exchange)(u).lock()
	defer l.unlock()
	return u.stream.id != 0
}

func (u *upward) Depart() {
	ex := (*exchange)(u)
	if u.srv.HalfClose != HalfCloseAllow && ex.depart(ErrClientGone) {
		u.srv.stats.told(ex.turn().Now())
	}
}

func (u *upward) Cut(cause error) {
	ex := (*exchange)(u)
	at := ex.turn().Now()
	if ex.cut(cause) && ex.req.route != nil && isDisconnect(cause) {
		u.srv.stats.told(at)
	}
	ex.endBody(cause)
}

// Shows is about the framing of the body: it shows where that ends, or nothing
// was sent.
func (u *upward) Shows(cause error) bool {
	ex := (*exchange)(u)
	l := ex.lock()
	defer l.unlock()
	return !ex.begun() || l.shownCut() && !errors.Is(cause, ErrClientGone)
}

// shownCut reports whether the framing of a body that has begun shows that it
// is not whole.
func (l locked) shownCut() bool {
	ex := l.ex
	return ex.stream.chunks || ex.length.known() && ex.sent.Bytes < ex.length.n() || ex.pipe != nil && ex.pipe.shown
}

func (u *upward) Report() { (*exchange)(u).reportCut() }

func (u *upward) Closed(cause error) {
	u.Cut(departure(cause))
	(*exchange)(u).stopBeat()
	u.Report()
}

// Done calls what waits for the end before the exchange is used again. Nothing
// does if the response was made here at once, unless it was given away.
func (u *upward) Done() {
	ex := (*exchange)(u)
	ex.stopBeat()
	if !ex.Sealed() || ex.stream.given || ex.hooks != nil || ex.loop.receiver != nil {
		ex.runHooks()
	}
	ex.shard.recycle(ex)
}

// enterLoop and leaveLoop are around what of the user's runs on the loop.
func (ex *exchange) enterLoop() { ex.onLoop, ex.Ended = true, ex.conn.Loop().Now() }

// leaveLoop has the loop write the output at the end of the turn. A response
// that continues outlives the buffer that its request was parsed in.
func (ex *exchange) leaveLoop() {
	if ex.Sealed() && !ex.stream.given { // nobody else has it
		ex.onLoop = false
		return
	}
	ex.conn.Wire().Lock()
	ex.onLoop = false
	over := ex.over()
	if ex.req.view && (!over || ex.cutOff()) {
		ex.req.keep()
		locked{ex}.oweHead()
	}
	ex.conn.Leave(&ex.Exchange)
	if p := ex.stream.pump; p != nil && !over {
		p.start(ex)
	}
}

var _ h1.Handler = (*upward)(nil)
