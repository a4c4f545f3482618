package relay

import (
	"errors"
	"time"

	"weir/client"
	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/target"
	"weir/http1"
)

// stage is how far an attempt has come.
type stage uint8

const (
	idle      stage = iota // there is none, or it has ended
	asking                 // the upstream has not responded
	declined               // it refuses: the rest of its response
	sniffing               // its response is to be a stream, and does not say so
	gathering              // its response is changed when it is whole
	holding                // its response, until there is something of the model's in it
	relaying
)

// attempt is one target and the call to it. Its methods Head, Body, Drained and
// Done are the call's Receiver. Its memory serves the next one.
type attempt struct {
	f        *flow
	rewriter *rewriter // nil = the events pass as they are
	course
	reader dialect.Reader

	held  []byte    // of the response, until it is relayed
	tail  []byte    // of an event behind the end mark, until it is whole
	asked time.Time // when the request was sent
	begun time.Time // when the wait for the first event began
	made  made
	out   client.Request // as it is sent
}

// course is how far an attempt has come.
type course struct {
	stage   stage
	judged  bool // the response is events, which are looked at
	ripe    bool // enough of it was held
	model   bool // there was something of the model's
	failed  bool // it has sent an error in the stream
	call    *client.Call
	target  *Target
	count   int   // events that are complete
	limited error // what it means when the step takes too long
}

// begin makes a an attempt at another target; nil = none as yet.
func (a *attempt) begin(t *Target) {
	a.course = course{target: t}
	a.held, a.tail, a.rewriter = a.held[:0], a.tail[:0], a.rewriter.spare()
	a.out = client.Request{Fields: a.out.Fields[:0], Buffer: a.out.Buffer[:0]}
	a.made.text, a.made.fields = a.made.text[:0], a.made.fields[:0]
}

// idleBytes is the memory that the next attempt would keep.
func (a *attempt) idleBytes() int {
	return cap(a.out.Buffer) + cap(a.held) + cap(a.tail) + cap(a.made.text)
}

// send sends the request to the target.
func (a *attempt) send() {
	f := a.f
	now := f.loop.Now()
	a.stage, a.asked, a.begun = asking, now, now
	a.awaitConnection()
	up := a.target.Upstream
	body, length := f.upload.outgoing(a.target)
	fields := up.AppendCredentials(a.out.Fields[:0], f.endpoint.Dialect, f.r.Header())
	a.out = client.Request{
		Method: f.r.Method(), Path: f.r.PathBytes(), Query: f.g.carriers().withoutKeys(f.r.RawQueryBytes()),
		Fields: f.g.fields(fields, f.r, &a.made),
		Length: length, Body: body, More: f.upload.long, Buffer: a.out.Buffer,
	}
	f.remote = f.remote || !up.OnLoop()
	call, err := up.Do(f.loop, &a.out, a)
	if err != nil {
		f.failed(err)
		return
	}
	a.call = call
	f.upload.handOn()
	a.asked = time.Now() // and not the turn's time: the time since is the gateway's own
	f.g.Observer.Asked(a.asked.Sub(now))
}

// again sends the request once more to the same target, on another connection
// (G6): the upstream closed a connection that was idle, and had perhaps not seen
// the request. It returns false if that cannot be done.
func (a *attempt) again() bool {
	call := a.call
	if call == nil || !call.Reused() || !a.f.upload.repeatable() || a.f.reply.begun() {
		return false
	}
	a.drop()
	a.send()
	return true
}

// step sets how long the next step of the upstream may take.
func (a *attempt) step(d time.Duration, meaning error) {
	a.limited = meaning
	a.f.clock.set(a.f.loop, limitStep, d)
}

// first is how long the upstream may take for its first event, or for the head
// of a response that is not a stream, and what it means if it takes longer (G5).
func (a *attempt) first() (time.Duration, error) {
	limits := &a.target.Upstream.Timeouts
	if a.f.streams() {
		return limits.FirstEvent, errFirstEvent
	}
	return limits.Whole, errWhole
}

// awaitConnection sets how long the connection may take, but no longer than
// until the first event is due, which counts from the same moment.
func (a *attempt) awaitConnection() {
	limit := a.target.Upstream.Timeouts.Connect
	if first, _ := a.first(); limit <= 0 || 0 < first && first < limit {
		limit = first
	}
	a.step(limit, errConnect)
}

// awaitEvent sets when the first event is due, counted from the asking, or from
// when the upstream last took a part of a long body.
func (a *attempt) awaitEvent() {
	d, meaning := a.first()
	if d > 0 {
		d = max(1, d-a.f.loop.Now().Sub(a.begun)) // at the next tick, if it has passed
	}
	a.step(d, meaning)
}

// awaitPiece sets how long the upstream may be silent.
func (a *attempt) awaitPiece() { a.step(a.target.Upstream.Timeouts.Idle, errIdle) }

// overdue is a step of the upstream that has not come in time: the connection,
// the first event, or the next piece.
func (a *attempt) overdue() {
	f := a.f
	switch {
	case a.stage == declined:
		f.heard(false)
		return
	case a.finished(): // it does not end the body of its response
		f.complete()
		return
	}
	now := f.loop.Now()
	linked := a.call != nil && a.call.Connected()
	if linked && f.upload.running() && !f.upload.full { // it waits for the client, who has limits of its own
		a.begun = now
		if a.limited == errIdle {
			a.awaitPiece()
		} else {
			a.awaitEvent()
		}
		return
	}
	first, meaning := a.first()
	switch passed := now.Sub(a.begun); {
	case a.limited == errIdle:
		f.failed(errIdle)
	case first > 0 && passed >= first:
		f.failed(meaning)
	case linked:
		a.awaitEvent()
	default:
		f.failed(errConnect)
	}
}

// Head implements client.Receiver. Status and fields stay open until there is
// something of the model's (G2).
func (a *attempt) Head(h *http1.Response) {
	f := a.f
	if a.stage != asking {
		return
	}
	if h.Status() == 408 && !h.KeepAlive() && a.again() {
		return
	}
	f.route.Responds(h.Status())
	f.g.Observer.Responded(a.target.Upstream, f.loop.Now().Sub(a.asked))
	if f.retryable(h.Status()) && f.reject(h) {
		return
	}
	switch shape := f.shapeOf(h); {
	case shape == shapeEvents:
		a.judged, a.stage = true, holding
		a.reader.Reset(f.endpoint)
		a.rewrite()
		a.awaitEvent()
	case shape == shapeUnclear:
		a.stage = sniffing
		a.awaitPiece()
	case f.reply.promise == promisedStream:
		f.disappoint(h, shape)
		return
	case f.gathers(h, shape):
		a.stage = gathering
		a.awaitPiece()
	default:
		a.stage = holding
		a.awaitPiece()
	}
	if f.reply.promise == promisedNothing {
		f.reply.head(h, a.judged)
	}
	if a.judged && f.leg.Hold.Events == 0 {
		a.release()
		f.reply.commit()
	}
}

// Drained implements client.Receiver: the request's body may continue.
func (a *attempt) Drained() {
	if a.f.over {
		return
	}
	a.begun = a.f.loop.Now()
	a.f.upload.drained()
}

// Done implements client.Receiver: the call has ended.
func (a *attempt) Done(err error) {
	f := a.f
	if errors.Is(err, client.ErrCancelled) {
		return // it was hung up on
	}
	if errors.Is(err, client.ErrNoResponse) && a.again() {
		return
	}
	a.call = nil
	switch {
	case a.stage == declined:
		f.heard(err == nil)
	case a.judged:
		a.close(err)
	case err != nil:
		f.failed(err)
	case a.stage == sniffing:
		a.sniffed()
	case a.stage == gathering:
		a.gathered()
	default:
		a.release()
		f.complete()
	}
}

// finished reports whether the client was sent a whole response, or the
// upstream's own word that there will be none.
func (a *attempt) finished() bool {
	return a.stage == relaying && a.judged && (a.failed || a.reader.Ended())
}

// complete ends a response that is complete (G4).
func (f *flow) complete() {
	if f.over {
		return
	}
	f.stop()
	f.x.End()
}

// reason is what a failure counts as. The time for the whole exchange may have
// been used by others than the upstream, unless it has got the request and sent
// nothing.
func (a *attempt) reason(err error) target.Reason {
	f := a.f
	r := reasonOf(err, f.reply.begun())
	if r == target.TooLate && f.attempts == 1 && a.stage == asking && !f.upload.running() && a.call != nil && a.call.Connected() {
		return target.Silent
	}
	return r
}

// hangUp ends the current call, and the attempt.
func (a *attempt) hangUp() {
	a.f.route.Leave()
	a.drop()
}

// drop ends the current call; its Done is ignored.
func (a *attempt) drop() {
	if call := a.call; call != nil {
		a.call = nil
		call.Cancel()
	}
	a.stage = idle
}
