package relay

import (
	"time"

	"weir"
	"weir/cmd/weir/internal/breaker"
	"weir/cmd/weir/internal/openai"
	"weir/cmd/weir/internal/upstream"
	"weir/sse"
)

// stage is how far a request has come.
type stage uint8

const (
	gathering stage = iota // the request's body
	asking                 // an upstream, which has not answered; or waiting to ask again
	declined               // it refuses: the rest of what it says
	holding                // the head of its answer, until the first events
	relaying
	over
)

// flow is one request on its way through the gateway. It lives on one loop.
type flow struct {
	g *Gateway
	w *weir.Response
	r *weir.Request
	s *weir.Stream

	stage stage
	peek  openai.Peek
	upload

	route     itinerary
	target    *Target
	attempts  int
	pass      breaker.Pass
	unsettled bool // the breaker was not told how the attempt went
	call      upstream.Call
	answer    answer
	refusal   *refusal // the last one that was not passed on
	clock     clock
	limited   error  // what it means when the step takes too long
	paused    bool   // the client is behind, the upstream waits
	room      func() // resume, made once
	alive     bool   // the head went out with a keep-alive comment, not with an answer

	handed bool // to a native handler

	since  time.Time // of the request's head
	asked  time.Time
	begun  time.Time // when the wait for the first event began
	record Record
}

// answer is what is known of the upstream's answer.
type answer struct {
	events bool // it is an event stream
	frames sse.Framer
	held   []byte // until enough events are complete
	count  int    // events that are complete
	done   bool   // [DONE] has gone by
	first  bool   // the first event has been looked at
}

// ask sends the request to the next target. If there is none, the client is
// told why the last one failed, or, without any, that all are taken.
func (f *flow) ask(why error) {
	for now := f.w.Loop().Now(); ; {
		if f.target = f.route.choose(now); f.target == nil {
			f.giveUp(why)
			return
		}
		var ok bool
		if f.pass, ok = f.target.Upstream.Breaker.Allow(now); ok {
			break // else another request is its trial
		}
		f.route.left++
	}
	f.unsettled = true
	f.send()
}

// outcome is what an attempt says about its upstream.
type outcome uint8

const (
	success outcome = iota
	failure
	neither // the client left, or another answer than an error was not wanted any more (G3)
)

// settle tells the breaker how the attempt went, once.
func (f *flow) settle(o outcome) {
	if !f.unsettled {
		return
	}
	f.unsettled = false
	switch b := f.target.Upstream.Breaker; o {
	case success:
		b.Success(f.pass)
	case failure:
		b.Failure(f.pass, f.w.Loop().Now())
	default:
		b.Cancel(f.pass)
	}
}

func (f *flow) send() {
	now := f.w.Loop().Now()
	f.stage, f.answer, f.asked, f.begun = asking, answer{held: f.answer.held[:0]}, now, now
	f.attempts++
	f.record.Upstream, f.record.Attempts = f.target.Upstream.Name, f.attempts
	f.awaitConnection()
	if f.attempts == 1 {
		f.clock.set(f.w.Loop(), limitTotal, f.target.Upstream.Timeouts.Total)
		f.silence()
	}
	body, length := f.outgoing()
	call, err := f.target.Upstream.Do(f.w.Loop(), &upstream.Request{
		Method: f.r.Method(), Path: f.path(), Fields: requestFields(f.r),
		Length: length, Body: body, More: f.long,
	}, f)
	if err != nil {
		f.failed(err)
		return
	}
	f.call = call
	f.handOn()
	f.g.Observer.Asked(time.Since(now))
}

func (f *flow) path() string {
	p := string(f.r.Path())
	if q := f.r.RawQuery(); len(q) > 0 {
		p += "?" + string(q)
	}
	return p
}

// step sets how long the next step of the upstream may take.
func (f *flow) step(d time.Duration, meaning error) {
	f.limited = meaning
	f.clock.set(f.w.Loop(), limitStep, d)
}

// awaitConnection sets how long the connection may take, but no longer than
// until the first event is due, which counts from the same moment.
func (f *flow) awaitConnection() {
	limit, first := f.target.Upstream.Timeouts.Connect, f.target.Upstream.Timeouts.FirstEvent
	if limit <= 0 || 0 < first && first < limit {
		limit = first
	}
	f.step(limit, errConnect)
}

// awaitEvent sets when the first event is due, counted from the asking, or from
// when the upstream last took a part of a long body.
func (f *flow) awaitEvent() {
	d := f.target.Upstream.Timeouts.FirstEvent
	if d > 0 {
		d = max(1, d-f.w.Loop().Now().Sub(f.begun)) // at the next tick, if it has passed
	}
	f.step(d, errFirstEvent)
}

// silence starts to count until the client should hear something again.
func (f *flow) silence() {
	if f.peek.Stream {
		f.clock.set(f.w.Loop(), limitAlive, f.route.model.Keepalive)
	} else {
		f.clock.clear(limitAlive)
	}
}

// ended is told once, when the answer has ended: with a cause when the client
// left (G3).
func (f *flow) ended(cause error) {
	if f.handed { // this is another goroutine
		f.record.Request, f.record.Stream = f.r, f.peek.Stream
		f.record.Answered(f.w, f.since, cause)
		f.g.Observer.Ended(&f.record)
		return
	}
	left := f.stage != over && cause != nil
	f.stop()
	rec := &f.record
	rec.Request, rec.Took, rec.Left = f.r, time.Since(f.since), left
	rec.Stream, rec.Status, rec.Events = f.peek.Stream, f.w.Status(), f.answer.count
	if rec.Err == nil {
		rec.Err = cause
	}
	f.g.Observer.Ended(rec)
}

// stop ends what runs on the upstream's side.
func (f *flow) stop() {
	f.stage = over
	f.kept.forget()
	f.clock.stop(f.w.Loop())
	f.hangUp()
}

// hangUp ends the present call; its Done is not listened to.
func (f *flow) hangUp() {
	f.settle(neither)
	if call := f.call; call != nil {
		f.call = nil
		call.Cancel()
	}
}
