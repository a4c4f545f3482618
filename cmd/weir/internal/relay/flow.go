package relay

import (
	"sync"
	"time"

	"weir"
	"weir/client"
	"weir/cmd/weir/internal/openai"
	"weir/cmd/weir/internal/target"
	"weir/reactor"
	"weir/sse"
)

// stage is how far a request has come.
type stage uint8

const (
	gathering stage = iota // the request's body
	asking                 // an upstream, which has not responded; or waiting to try again
	declined               // it refuses: the rest of its response
	holding                // the head of its response, until the first events
	relaying
	over
)

// flow is one request on its way through the gateway. It lives on one loop.
// What each piece of a response needs comes first, so that it lies close
// together.
type flow struct {
	stage  stage
	paused bool // the client is behind, the upstream waits
	alive  bool // the head was sent with a keep-alive comment, not with a response
	handed bool // to a native handler
	remote bool // an upstream was tried that is not called on the loop
	alone  bool // another target was not tried, since the request is no longer kept

	g       *Gateway
	loop    *reactor.Loop
	x       *weir.LoopExchange
	target  *Target
	call    *client.Call
	answer  answer
	limited error // what it means when the step takes too long
	clock   clock
	record  Record

	route    target.Itinerary
	model    *Model // that was requested
	leg      *Model // whose target it is, the same one or a fallback
	attempts int
	refusal  *refusal // the last one that was not passed on

	w     *weir.Response
	r     *weir.Request
	since time.Time // of the request's head
	asked time.Time // when the upstream was
	begun time.Time // when the wait for the first event began
	peek  openai.Peek
	upload
	made made
	out  client.Request // as it is sent
}

// flows are those without a request. One that served a request on one loop
// from its beginning to its end serves another one.
var flows sync.Pool

// take returns a flow for a request that begins.
func (g *Gateway) take(x *weir.LoopExchange) *flow {
	f, _ := flows.Get().(*flow)
	if f == nil {
		f = new(flow)
	}
	f.g, f.x, f.w, f.r, f.loop = g, x, x.Response(), x.Request(), x.Loop()
	r := f.r
	f.since, f.length = f.loop.Now(), r.ContentLength()
	f.clock.base = f.since
	f.clock.timer.Init((*lateTask)(f))
	return f
}

// spareHead is the size up to which memory is kept for the next request.
const spareHead = 4 << 10

// recycle lets the memory serve another request, after one whose response is
// complete. Goroutines of an upstream that is not called on the loop may still
// return.
func (f *flow) recycle() {
	if f.remote || cap(f.out.Buffer)+cap(f.answer.held)+cap(f.made.text) > spareHead {
		return
	}
	f.kept.forget()
	f.peek.Reset()
	clear(f.out.Fields)
	*f = flow{
		peek: f.peek, upload: upload{kept: f.kept},
		answer: answer{held: f.answer.held[:0]},
		route:  f.route.Spare(),
		out:    client.Request{Fields: f.out.Fields[:0], Buffer: f.out.Buffer[:0]},
		made:   made{f.made.text[:0], f.made.fields[:0]},
	}
	flows.Put(f)
}

// answer is what is known of the upstream's response.
type answer struct {
	events bool // it is an event stream
	frames sse.Framer
	held   []byte // until enough events are complete
	count  int    // events that are complete
	done   bool   // [DONE] has passed
	first  bool   // the first event has been looked at
}

// ask sends the request to the next target. If there is none, the client gets
// why the last one failed, or why no upstream is available.
func (f *flow) ask(cause error) {
	choice, why := f.route.Next(f.loop.Now())
	if why != target.Granted {
		f.giveUp(cause, why)
		return
	}
	f.leg = f.model.legs[choice.Leg]
	f.target = &f.leg.Targets[choice.Target]
	f.send()
}

func (f *flow) send() {
	now := f.loop.Now()
	f.stage, f.answer, f.asked, f.begun = asking, answer{held: f.answer.held[:0]}, now, now
	f.attempts++
	f.record.Upstream, f.record.Attempts = f.target.Upstream.Name, f.attempts
	f.awaitConnection()
	if f.attempts == 1 {
		f.clock.set(f.loop, limitTotal, f.target.Upstream.Timeouts.Total)
		f.silence()
	}
	body, length := f.outgoing()
	f.out = client.Request{
		Method: f.r.Method(), Path: f.r.PathBytes(), Query: f.g.carriers().withoutKeys(f.r.RawQueryBytes()),
		Fields: f.g.fields(f.out.Fields[:0], f.r, &f.made),
		Length: length, Body: body, More: f.long, Buffer: f.out.Buffer,
	}
	f.remote = f.remote || !f.target.Upstream.OnLoop()
	call, err := f.target.Upstream.Do(f.loop, &f.out, f)
	if err != nil {
		f.failed(err)
		return
	}
	f.call = call
	f.handOn()
	f.asked = time.Now() // and not the turn's time: the time since is the gateway's own
	f.g.Observer.Asked(f.asked.Sub(now))
}

// step sets how long the next step of the upstream may take.
func (f *flow) step(d time.Duration, meaning error) {
	f.limited = meaning
	f.clock.set(f.loop, limitStep, d)
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
		d = max(1, d-f.loop.Now().Sub(f.begun)) // at the next tick, if it has passed
	}
	f.step(d, errFirstEvent)
}

// silence starts to count until a comment to the client is due again.
func (f *flow) silence() {
	switch every := f.leg.Keepalive; {
	case every == 0:
	case f.peek.Stream:
		f.clock.set(f.loop, limitAlive, every)
	default:
		f.clock.clear(limitAlive)
	}
}

// downstream is a flow as the server calls it: upstreams call the flow itself,
// by the same names.
type downstream flow

func (d *downstream) Data(p []byte)  { (*flow)(d).body(p, nil) }
func (d *downstream) End(err error)  { (*flow)(d).body(nil, err) }
func (d *downstream) Drained()       { (*flow)(d).resume() }
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
	if f.handed {
		f.record.Request, f.record.Stream = f.r, f.peek.Stream
		f.record.Answered(f.w, f.since, cause)
		f.g.Observer.Ended(&f.record)
		return
	}
	left := f.stage != over && departed(cause)
	if cause != nil {
		f.route.Drop() // it was not the upstream that ended it
	}
	asking := f.call != nil
	f.stop()
	if left && asking {
		f.g.Observer.HungUp(time.Since(f.loop.Now()))
	}
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
	f.clock.stop(f.loop)
	f.hangUp()
	f.route.End(f.loop.Now())
}

// hangUp ends the current call; its Done is ignored.
func (f *flow) hangUp() {
	f.route.Leave()
	if call := f.call; call != nil {
		f.call = nil
		call.Cancel()
	}
}
