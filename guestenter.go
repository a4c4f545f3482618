package weir

import (
	"errors"
	"time"
)

// This file is what the turn of a guest does: with its request until a handler
// has it, and with what becomes of its client.

// enter is the part of a request from its head to its handler.
func (g *visit) enter() {
	switch ex := g.ex; {
	case !g.admitted():
	case g.body == nil, ex.req.route.mode == early:
		g.dispatch(ex)
	default:
		g.takeBody()
	}
}

// admitted asks OnHeaders.
func (g *visit) admitted() (yes bool) {
	f := g.srv.OnHeaders
	if f == nil {
		return true
	}
	ex := g.ex
	ex.onLoop, ex.Ended = true, g.turn().Now()
	returned := ex.call("OnHeaders", func() { yes = f(&ex.res, &ex.req) }, ex.crash)
	ex.offload = nil // it is for handlers
	yes = returned && yes && !ex.over()
	if returned && !yes {
		ex.handled()
	}
	g.inlineOver(!yes)
	return yes
}

// takeBody decides what becomes of the request body.
func (g *visit) takeBody() {
	ex := g.ex
	r, limit := &ex.req, ex.req.route.bodyLimit(g.srv)
	length := r.head.ContentLength()
	switch {
	case limit > 0 && length > limit:
		g.refuse(ErrBodyTooLarge)
		return
	case r.route.buffers() && !g.srv.bodies.Fits(length):
		g.refuse(ErrBodiesFull)
		return
	}
	g.body.want(limit)
	r.trailing = length < 0
	r.gathers = r.route.gated
	switch {
	case g.home != nil:
		g.upload = newGuestUpload(g)
	case r.gathers, r.route.mode == whileArriving:
		r.reader = g.body
	default:
		if err := g.body.readAll(); err != nil {
			g.spoil(err)
			return
		}
	}
	g.dispatch(ex)
}

// dispatch runs the handler.
func (g *visit) dispatch(ex *exchange) {
	if ex.req.route.inline() {
		ex.onLoop, ex.Ended = true, g.turn().Now()
		ex.serve(ex.req.route.handler)
		g.inlineOver(true)
		return
	}
	if g.srv.handlers.Add(1) > int64(g.srv.Limits.Handlers) {
		g.srv.handlers.Add(-1)
		ex.req.reader = nil
		g.refuse(errHandlersBusy)
		return
	}
	ex.counted = true
	go ex.serve(ex.req.route.handler)
}

// inlineOver has the output of an inline handler written, and starts its pump
// if the response is the handler's.
func (g *visit) inlineOver(final bool) {
	l := g.ex.lock()
	g.ex.onLoop = false
	p := g.ex.stream.pump
	if g.ex.over() {
		p = nil
	}
	l.later()
	if p != nil && final {
		p.start(g.ex)
	}
}

// refuse makes an error the response to a request that cannot be served. If
// another has begun, it is cut.
func (g *visit) refuse(err error) {
	ex := g.ex
	ex.traceStart()
	ex.loop.endBody(err)
	ex.forgetBody()
	l := ex.lock()
	switch {
	case ex.over():
		l.unlockOnLoop()
	case ex.begun():
		l.unlockOnLoop()
		g.abort(ex, err)
	default:
		ex.served = true
		if err != errHandlersBusy { // there may be a body that was not read
			g.last(l)
		}
		l.refuseStream(err)
		l.answerError(statusOf(err), err)
	}
}

// spoil makes an error of the body the response, or, when one has begun, cuts
// that, and so it does when the client has disconnected. Safe for concurrent
// use, but for a LoopHandler, and before the handler runs, only on the turn.
func (g *visit) spoil(err error) {
	ex := g.ex
	switch {
	case errors.Is(err, ErrClientGone):
		g.lose(err)
	case ex.req.reader != nil:
		g.spoilRunning(err)
	default:
		g.refuse(err)
	}
}

// lose ends a request whose client has disconnected before it was complete: at
// once, since the handler may be about to return. Safe for concurrent use.
func (g *visit) lose(err error) {
	at := time.Now()
	l := g.ex.lock()
	first := !g.ex.told
	l.breakOff(err)
	l.unlock()
	if first {
		g.srv.stats.told(at)
	}
	g.abort(g.ex, err)
}

// spoilRunning is spoil while a handler runs that reads the body.
func (g *visit) spoilRunning(err error) {
	ex := g.ex
	l := ex.lock()
	switch {
	case ex.over():
		l.unlock()
	case ex.begun():
		l.unlock()
		g.abort(ex, err)
	default:
		if ex.cause == nil {
			ex.cause = err
		}
		g.last(l) // the body was not read
		l.refuseStream(err)
		if ex.served { // and left a detached stream
			l.answerError(statusOf(err), err)
			return
		}
		l.tell()
		l.unlock()
	}
}

// disconnected reports to the handler that the client has disconnected. As on a
// reactor a stream ends by that, and so does a request whose body has not
// arrived, while another response is still written: the client may have shut
// only its sending side.
func (g *visit) disconnected() {
	if g.aborted.Load() != nil {
		return // which is why
	}
	if arriving, said := g.body.arriving(); arriving {
		if !said {
			g.lose(ErrClientGone)
		}
		return
	}
	at := time.Now()
	l := g.ex.lock()
	stream := g.ex.stream.id != 0
	l.unlockOnLoop()
	first := false
	if stream {
		first = g.ex.cut(ErrClientGone)
		g.signal()
	} else {
		first = g.ex.depart(ErrClientGone)
	}
	if first {
		g.srv.stats.told(at)
	}
	g.ex.endBody(ErrClientGone)
}

// conclude is the turn's part of the end: err is why the response is not
// complete.
func (g *visit) conclude(err error) {
	ex := g.ex
	if err != nil {
		if at := time.Now(); ex.cut(err) && ex.req.route != nil {
			g.srv.stats.told(at)
		}
		ex.endBody(err)
	}
	if g.upload != nil {
		g.upload.stop()
	}
	ex.stopBeat()
	ex.reportCut()
}
