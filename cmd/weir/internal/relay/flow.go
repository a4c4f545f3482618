package relay

import (
	"fmt"
	"sync"
	"time"

	"weir"
	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/target"
	"weir/reactor"
)

// flow is one request on its way through the gateway. It lives on one loop, and
// joins three machines, each of which has a file of its own:
//
//	upload   the request's body, from the client to the upstream
//	attempt  one target and the call to it; another one replaces it on failover
//	reply    what the client has been promised of the response
//
// What each piece of a response needs comes first in it and in the attempt, so
// that it lies close together.
type flow struct {
	state
	attempt attempt
	upload  upload
	voice   voice
	route   target.Itinerary
	record  Record
	noted   int64 // bytes that were reported to the server as kept
}

// state is what a flow does not keep for the next request.
type state struct {
	x      *weir.LoopExchange
	loop   *reactor.Loop
	g      *Gateway
	over   bool // nothing more happens but closed
	handed bool // to a native handler
	remote bool // something of it may run off the loop
	alone  bool // another target was not tried, since the request is no longer kept
	reply  reply
	clock  clock

	w        *weir.Response
	r        *weir.Request
	endpoint *dialect.Endpoint
	model    *Model // that was requested
	leg      *Model // whose target it is, the same one or a fallback
	attempts int
	refusal  *refusal // the last one that was not passed on
}

// flows are those without a request. One that served a request on one loop
// from its beginning to its end serves another one.
var flows sync.Pool

// take returns a flow for a request that begins.
func (g *Gateway) take(e *dialect.Endpoint, x *weir.LoopExchange, codings []string) *flow {
	f, _ := flows.Get().(*flow)
	if f == nil {
		f = new(flow)
	}
	f.g, f.endpoint, f.x, f.w, f.r, f.loop = g, e, x, x.Response(), x.Request(), x.Loop()
	f.attempt.f, f.reply.f, f.upload.f = f, f, f
	f.clock.base = f.loop.Now()
	f.upload.begin(codings)
	f.clock.timer.Init((*lateTask)(f))
	return f
}

// spareHead is the size up to which memory is kept for the next request.
const spareHead = 4 << 10

// recycle lets the memory serve another request, after one whose response is
// complete. Goroutines of an upstream that is not called on the loop, or of a
// decoder, may still return.
func (f *flow) recycle() {
	if f.remote || f.attempt.idleBytes() > spareHead {
		return
	}
	clear(f.attempt.out.Fields)
	f.attempt.begin(nil)
	f.upload.clear()
	f.route = f.route.Spare()
	f.state, f.record, f.noted = state{}, Record{}, 0
	flows.Put(f)
}

// next sends the request to the next target. If there is none, the client gets
// why the last one failed, or why no upstream is available.
func (f *flow) next(cause error) {
	choice, why := f.route.Next(f.loop.Now())
	if why != target.Granted {
		f.giveUp(cause, why)
		return
	}
	f.leg = f.model.legs[choice.Leg]
	f.attempts++
	f.clock.clear(limitHold)
	f.attempt.begin(&f.leg.Targets[choice.Target])
	f.record.Upstream, f.record.Attempts = f.attempt.target.Upstream.Name, f.attempts
	if f.attempts == 1 {
		f.clock.set(f.loop, limitTotal, f.attempt.target.Upstream.Timeouts.Total)
		f.reply.await()
	}
	f.attempt.send()
}

// mayGoOn reports whether another target can be tried now.
func (f *flow) mayGoOn() bool {
	if !f.route.More(f.loop.Now()) {
		return false
	}
	f.alone = f.alone || !f.upload.repeatable()
	return !f.alone
}

// elsewhere gives up the current attempt for another target, if there is one
// and nothing of the model's was sent to the client (G2).
func (f *flow) elsewhere(why error) bool {
	if f.reply.begun() || reactor.LocalShortage(why) || !f.mayGoOn() {
		return false
	}
	f.blame(why, f.attempt.reason(why))
	f.attempt.hangUp()
	f.next(why)
	return true
}

// blame reports that the attempt failed. The route decides what that means for
// the upstream.
func (f *flow) blame(why error, r target.Reason) {
	f.route.Fails(r, f.loop.Now())
	if r == target.Shortage {
		f.g.Observer.Short(why)
		return
	}
	f.g.Observer.Failed(Attempt{Request: f.r, Model: f.record.Model, Upstream: f.attempt.target.Upstream, Number: f.attempts, Reason: r, Err: why})
}

// failed handles a failed attempt: another target is tried, or the client gets
// an error.
func (f *flow) failed(err error) {
	switch {
	case f.over:
		return
	case f.attempt.finished(): // what happens now is nothing to the client
		f.complete()
		return
	case f.elsewhere(err):
		return
	}
	f.blame(err, f.attempt.reason(err))
	f.giveUp(err, target.NoneLeft)
}

// giveUp sends the client the upstream's failure, or why no upstream is
// available.
func (f *flow) giveUp(err error, why target.Why) {
	switch {
	case f.refusal != nil:
		f.record.Err = f.refusal.err
		f.explain()
		f.passRefusal(f.refusal)
	case err == nil:
		fault, cause := unavailable(why)
		f.record.Err = cause
		f.conclude(fault, cause)
	default:
		f.record.Err = err
		fault := failure(err)
		if only := f.withheld(); only != nil {
			f.record.Err = fmt.Errorf("%w; %w", err, only)
			fault.Code, fault.Message = only.code, fault.Message+" No other server was tried, because "+only.why+"."
		}
		f.conclude(fault, err)
	}
}

// refuse responds without an upstream, or without a further one.
func (f *flow) refuse(fault *dialect.Fault) { f.conclude(fault, fault) }

// conclude ends the request with an error.
func (f *flow) conclude(fault *dialect.Fault, cause error) {
	wait := f.route.Wait(f.loop.Now())
	f.stop()
	f.reply.fail(fault, cause, wait)
}

// withheld returns why a failure is final although another target could have
// been tried; nil if none could.
func (f *flow) withheld() *lone {
	switch {
	case f.alone:
		return errReplay
	case f.route.Withheld():
		return errBudget
	}
	return nil
}

// explain notes why a refusal is the response.
func (f *flow) explain() {
	if only := f.withheld(); only != nil {
		f.record.Err = only
	}
}

// streams reports whether the client is to be sent a stream, as far as is known.
func (f *flow) streams() bool { return f.upload.peek.Streams(f.endpoint.Streams) }

// stamp is what events of the gateway's own say.
func (f *flow) stamp() dialect.Stamp {
	return dialect.Stamp{Model: f.record.Asked, Time: f.loop.Now()}
}

// downstream is a flow as the server calls it.
type downstream flow

func (d *downstream) Data(p []byte)  { (*flow)(d).upload.arrive(p, nil) }
func (d *downstream) End(err error)  { (*flow)(d).upload.arrive(nil, err) }
func (d *downstream) Drained()       { (*flow)(d).reply.drained() }
func (d *downstream) Closed(c error) { (*flow)(d).closed(c) }

// closed is the end of the request: with a cause when the client disconnected
// (G3).
func (f *flow) closed(cause error) {
	f.ended(cause)
	if cause == nil && !f.handed {
		f.x.Release()
		f.recycle()
	}
}

func (f *flow) ended(cause error) {
	rec := &f.record
	rec.Request, rec.Stream = f.r, f.streams()
	if f.handed {
		rec.Answered(f.w, f.clock.base, cause)
		f.g.Observer.Ended(rec)
		return
	}
	left := !f.over && departed(cause)
	if cause != nil {
		f.route.Drop() // it was not the upstream that ended it
	}
	asking := f.attempt.call != nil
	f.stop()
	if left && asking {
		f.g.Observer.HungUp(time.Since(f.loop.Now()))
	}
	rec.Took, rec.Left = time.Since(f.clock.base), left
	rec.First, rec.Bytes = f.reply.first, f.reply.bytes
	rec.Status, rec.Events = f.w.Status(), f.attempt.count
	if rec.Err == nil {
		rec.Err = cause
	}
	f.g.Observer.Ended(rec)
}

// stop ends what runs on the upstream's side.
func (f *flow) stop() {
	f.over = true
	f.upload.stop()
	f.clock.stop(f.loop)
	f.attempt.hangUp()
	f.route.End(f.loop.Now())
}

// lateTask is a flow of which a deadline may have passed.
type lateTask flow

func (t *lateTask) Run() { (*flow)(t).deadline() }

func (f *flow) deadline() {
	for !f.over {
		which, ok := f.clock.passed(f.loop.Now())
		if !ok {
			f.clock.rearm(f.loop)
			return
		}
		f.late(which)
	}
}

func (f *flow) late(which limit) {
	switch which {
	case limitHold:
		f.attempt.heldEnough()
	case limitAlive:
		f.reply.keepAlive()
	case limitRetry:
		f.next(errStatus)
	case limitTotal:
		f.route.Stop()
		f.failed(errTotal)
	case limitStep:
		f.attempt.overdue()
	}
}
