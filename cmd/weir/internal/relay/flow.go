package relay

import (
	"io"
	"time"

	"weir"
	"weir/cmd/weir/internal/balance"
	"weir/cmd/weir/internal/breaker"
	"weir/cmd/weir/internal/openai"
	"weir/cmd/weir/internal/upstream"
	"weir/sse"
)

// gatherLimit is how much of a request body is kept so that it can be sent
// whole, and again. What is longer is relayed while it arrives (G8).
const gatherLimit = 64 << 10

// stage is how far a request has come.
type stage uint8

const (
	gathering stage = iota // the request's body
	asking                 // an upstream, which has not answered; or waiting to ask again
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

	stage  stage
	peek   openai.Peek
	buf    []byte // the request's body as far as it is kept
	length int64  // of the request's body, -1 = not known
	size   int64  // of it, as far as it has arrived
	whole  bool   // the request's body has been sent from buf: it can be sent again

	route     itinerary
	target    *Target
	attempts  int
	pass      breaker.Pass
	unsettled bool // the breaker was not told how the attempt went
	call      upstream.Call
	answer    answer
	clock     clock
	limited   error  // what it means when the step takes too long
	paused    bool   // the client is behind, the upstream waits
	room      func() // resume, made once
	alive     bool   // the head went out with a keep-alive comment, not with an answer

	since  time.Time // of the request's head
	asked  time.Time
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

// body takes a piece of the request's body.
func (f *flow) body(p []byte, err error) {
	if f.stage == over {
		return
	}
	if f.size += int64(len(p)); f.size > f.g.MaxBody {
		f.refuse(openai.TooLarge(f.g.MaxBody))
		return
	}
	f.peek.Feed(p)
	switch {
	case err != nil && err != io.EOF:
		f.stop()
	case f.peek.Bad():
		f.refuse(openai.BadJSON())
	case f.stage == gathering:
		f.buf = append(f.buf, p...)
		f.gathered(err == io.EOF)
	default:
		f.upload(p, err == io.EOF)
	}
}

// upload passes a further piece of a long body on (G8).
func (f *flow) upload(p []byte, last bool) {
	if len(p) > 0 && !f.call.Write(p) {
		f.r.PauseBody()
	}
	if last {
		f.call.EndBody()
	}
}

// Drained is the upstream's: the request's body may go on.
func (f *flow) Drained() { f.r.ResumeBody() }

// gathered goes on as soon as enough of the request is known.
func (f *flow) gathered(end bool) {
	switch {
	case end && !f.peek.Complete():
		f.refuse(openai.BadJSON())
	case end && f.peek.Model == "":
		f.refuse(openai.MissingModel())
	case end || len(f.buf) >= gatherLimit && f.peek.Known():
		m := f.g.Models[f.peek.Model]
		if m == nil {
			f.refuse(openai.ModelNotFound(f.peek.Model))
			return
		}
		f.whole = end
		f.route = plan(m, f.key(m))
		f.record.Model, f.record.Stream = f.peek.Model, f.peek.Stream
		f.ask(nil)
	}
}

// key is what makes requests go to the same target.
func (f *flow) key(m *Model) balance.Key {
	switch {
	case m.ByHeader != "" && f.r.Header().Has(m.ByHeader):
		return balance.KeyOf(f.r.Header().Get(m.ByHeader))
	case m.ByPrefix:
		var p balance.Prefix
		p.Add(f.peek.Messages(f.buf))
		return p.Key()
	}
	return balance.KeyOf(f.peek.User)
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
	f.stage, f.answer, f.asked = asking, answer{held: f.answer.held[:0]}, now
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
		Length: length, Body: body, More: !f.whole,
	}, f)
	if err != nil {
		f.failed(err)
		return
	}
	f.call = call
	f.g.Observer.Asked(time.Since(now))
}

// outgoing is the body, or its kept beginning, with the model's name there.
func (f *flow) outgoing() (body []byte, length int64) {
	body, length = f.buf, f.length
	if f.whole {
		length = int64(len(body))
	}
	if name := f.target.Model; name != "" && name != f.peek.Model {
		body = f.peek.Rename(body, name)
		if length >= 0 {
			length += int64(len(body) - len(f.buf))
		}
	}
	return body, length
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

// awaitEvent sets when the first event is due, counted from the asking.
func (f *flow) awaitEvent() {
	d := f.target.Upstream.Timeouts.FirstEvent
	if d > 0 {
		d = max(1, d-f.w.Loop().Now().Sub(f.asked)) // at the next tick, if it has passed
	}
	f.step(d, errFirstEvent)
}

// silence starts to count until the client should hear something again.
func (f *flow) silence() {
	if f.peek.Stream {
		f.clock.set(f.w.Loop(), limitAlive, f.route.model.Keepalive)
	}
}

// ended is told once, when the answer has ended: with a cause when the client
// left (G3).
func (f *flow) ended(cause error) {
	left := f.stage != over && cause != nil
	f.stop()
	rec := &f.record
	rec.Request, rec.Took, rec.Left = f.r, time.Since(f.since), left
	rec.Status, rec.Events = f.w.Status(), f.answer.count
	if rec.Err == nil {
		rec.Err = cause
	}
	f.g.Observer.Ended(rec)
}

// stop ends what runs on the upstream's side.
func (f *flow) stop() {
	f.stage = over
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
