package relay

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"weir/client"
	"weir/cmd/weir/internal/front"
	"weir/cmd/weir/internal/openai"
	"weir/cmd/weir/internal/target"
	"weir/http1"
	"weir/reactor"
)

// Head implements client.Receiver. Status and fields stay open until enough
// events have come (G2).
func (f *flow) Head(h *http1.Response) {
	if f.stage != asking {
		return
	}
	f.route.Responds(h.Status())
	f.g.Observer.Responded(f.target.Upstream, f.loop.Now().Sub(f.asked))
	kind, _ := h.Body(f.r.Method())
	f.answer.events = kind != http1.BodyNone && h.Status() < 300 && http1.IsMediaType(h.Get("Content-Type"), "text/event-stream")
	switch {
	case retryable(h.Status()) && f.reject(h):
		return
	case f.alive && !f.answer.events: // the client has been promised a stream
		f.disappoint(h)
		return
	}
	f.stage = holding
	f.awaitEvent()
	if !f.alive {
		f.head(h)
	}
	if f.answer.events && f.leg.Hold.Events > 0 {
		f.clock.set(f.loop, limitHold, f.leg.Hold.Wait)
	} else if f.answer.events {
		f.release()
		f.commit()
	}
}

// head makes the response's head from the upstream's.
func (f *flow) head(h *http1.Response) {
	f.w.SetStatus(h.Status())
	answerFields(f.w, h, front.ID(f.r))
	f.mark()
	f.sign()
	if retryable(h.Status()) { // what could be tried was tried
		f.w.Header().Set("X-Should-Retry", "false")
	}
	if f.answer.events { // G13
		f.w.Header().Set("Cache-Control", "no-cache, no-transform")
		f.w.Header().Set("X-Accel-Buffering", "no")
		return
	}
	if kind, n := h.Body("GET"); kind == http1.BodyLength { // also to HEAD, where none follows
		f.w.SetContentLength(n) // parsed: not negative
	}
}

// sign adds what was tried for the response, and how long that took (G14).
func (f *flow) sign() {
	if f.attempts == 0 {
		return
	}
	now := f.loop.Now()
	if now.Before(f.asked) {
		now = f.asked // it failed in the turn in which it was sent
	}
	f.w.Header().Set("X-Weir-Upstream", f.record.Upstream)
	f.w.Header().Set("X-Weir-Attempts", strconv.Itoa(f.attempts))
	if only := f.withheld(); only != nil {
		f.w.Header().Set("X-Weir-Not-Retried", only.code)
	}
	timing := appendMilliseconds(append(make([]byte, 0, 64), "upstream;dur="...), now.Sub(f.asked))
	timing = appendMilliseconds(append(timing, ", weir;dur="...), f.asked.Sub(f.since))
	f.w.Header().Set("Server-Timing", string(timing))
}

func appendMilliseconds(dst []byte, d time.Duration) []byte {
	return strconv.AppendFloat(dst, float64(d)/float64(time.Millisecond), 'f', 3, 64)
}

// Body implements client.Receiver: a piece of the response, passed on unchanged
// (G1).
func (f *flow) Body(p []byte) {
	if f.stage == declined {
		f.listen(p)
		return
	}
	if f.stage != holding && f.stage != relaying {
		return
	}
	a := &f.answer
	if a.events && !f.look(p) {
		return
	}
	if f.stage == holding && a.events && a.count < f.leg.Hold.Events {
		a.held = append(a.held, p...)
		if p = nil; len(a.held) <= f.g.MaxEvent && f.account() { // more is not held: no line is too long
			return
		}
	}
	f.release()
	f.step(f.target.Upstream.Timeouts.Idle, errIdle)
	f.silence()
	f.push(p)
}

// release ends the holding: what was held is sent, with the head.
func (f *flow) release() {
	if f.stage != holding {
		return
	}
	f.stage = relaying
	if !f.uploading() {
		f.kept.forget() // it is not sent again
	}
	f.refusal = nil
	f.clock.clear(limitHold)
	f.route.Works(f.w.Status(), f.loop.Now())
	if held := f.answer.held; len(held) > 0 {
		f.answer.held = nil
		f.push(held)
	}
	f.account()
}

// commit sends the head if there is no event with which one write could send
// it.
func (f *flow) commit() {
	if f.stage == relaying && f.answer.events {
		f.x.Commit()
	}
}

// push passes bytes on; a client that is behind stops the upstream (G7).
func (f *flow) push(p []byte) {
	if len(p) == 0 || f.stage != relaying {
		return
	}
	room := f.x.Push(p)
	if !room && f.x.Err() != nil {
		return // closed is called soon
	}
	if f.record.First == 0 {
		f.record.First = f.loop.Now().Sub(f.since)
	}
	f.record.Bytes += int64(len(p))
	f.g.Observer.Relayed(time.Since(f.loop.Now()))
	if f.call != nil && !room {
		f.paused = true
		f.clock.clear(limitStep) // the upstream is not to blame
		f.call.Pause()
	}
}

func (f *flow) resume() {
	if !f.paused {
		return
	}
	f.paused = false
	if f.stage == relaying && f.call != nil {
		f.step(f.target.Upstream.Timeouts.Idle, errIdle)
		f.call.Resume()
	}
}

// look finds the events in p, without touching them. It returns false if the
// response has failed by what is in it.
func (f *flow) look(p []byte) bool {
	a := &f.answer
	start := 0
	for rest := p; len(rest) > 0; {
		n, complete := a.frames.Next(rest)
		rest = rest[n:]
		if a.frames.Longest() > f.g.MaxEvent { // G15
			f.failed(errLongEvent)
			return false
		}
		if !complete {
			break
		}
		end := len(p) - len(rest)
		if a.frames.HasData() {
			a.count++
			a.done = a.done || string(a.frames.ShortData()) == openai.Done
		}
		if a.frames.HasData() && !a.first {
			a.first = true
			if f.stage == holding && openai.IsErrorEvent(a.held, p[start:end]) {
				if f.another(errFirst) {
					return false
				}
				f.blame(errFirst, target.ErrorEvent) // it is passed on
				f.sign()
			}
		}
		start = end
	}
	return true
}

// another gives up the current attempt for another target, if there is one.
func (f *flow) another(why error) bool {
	if f.stage == relaying || reactor.LocalShortage(why) || !f.mayGoOn() {
		return false
	}
	f.blame(why, f.reason(why))
	f.hangUp()
	f.ask(why)
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
	f.g.Observer.Failed(Attempt{Request: f.r, Model: f.record.Model, Upstream: f.target.Upstream, Number: f.attempts, Reason: r, Err: why})
}

// reason is what a failure counts as. The time for the whole exchange may have
// been used by others than the upstream, unless it has got the request and sent
// nothing.
func (f *flow) reason(err error) target.Reason {
	r := reasonOf(err, f.stage == relaying)
	if r == target.TooLate && f.attempts == 1 && f.stage == asking && !f.uploading() && f.call != nil && f.call.Connected() {
		return target.Silent
	}
	return r
}

// Done implements client.Receiver: the call has ended.
func (f *flow) Done(err error) {
	if errors.Is(err, client.ErrCancelled) {
		return // it was hung up on
	}
	f.call = nil
	switch {
	case f.stage == declined:
		f.heard(err == nil)
	case err != nil:
		f.failed(err)
	case f.answer.events && !f.answer.done: // G4: a clean end without [DONE] is a broken stream
		f.failed(errNoDone)
	default:
		f.release()
		if f.stage == over {
			return
		}
		f.stop()
		f.x.End()
	}
}

// failed handles a failed attempt: another target is tried, or the client gets
// an error.
func (f *flow) failed(err error) {
	if f.stage == over {
		return
	}
	f.record.Err = err
	if f.another(err) {
		f.record.Err = nil
		return
	}
	f.blame(err, f.reason(err))
	f.giveUp(err, target.NoneLeft)
}

// giveUp sends the client the upstream's failure, or why no upstream is
// available.
func (f *flow) giveUp(err error, why target.Why) {
	switch {
	case f.refusal != nil:
		f.record.Err = nil
		f.explain()
		f.passRefusal(f.refusal)
	case err == nil:
		e, cause := unavailable(why)
		f.record.Err = cause
		f.conclude(e, cause)
	default:
		f.record.Err = err
		e := failure(err)
		if only := f.withheld(); only != nil {
			f.record.Err = fmt.Errorf("%w; %w", err, only)
			e.Code, e.Message = only.code, e.Message+" No other server was tried, because "+only.why+"."
		}
		f.conclude(e, err)
	}
}

// refuse responds without an upstream, or without a further one.
func (f *flow) refuse(e *openai.Error) { f.conclude(e, e) }

// conclude ends the request with an error: with a response of its own while
// nothing was sent, in the stream's own form if events were, else by aborting
// the response, so that the part is never taken for the whole (G4).
func (f *flow) conclude(e *openai.Error, cause error) {
	late, events := f.stage == relaying || f.alive, f.answer.events || f.alive
	open := f.answer.frames.Open() && f.stage == relaying
	f.stop()
	switch {
	case !late:
		f.blank(e.Status)
		f.w.Header().Set("Content-Type", "application/json")
		f.sign()
		if e.Status == 503 {
			f.w.Header().Set("Retry-After", strconv.Itoa(seconds(f.route.Wait(f.loop.Now()))))
		}
		f.respond(e.Append(nil))
		return
	case !events:
		f.x.Abort(cause)
		return
	case open:
		f.x.Push([]byte("\n\n"))
	}
	f.x.Push(e.AppendEvent(nil))
	f.x.End()
}

// seconds is a time to wait in whole seconds, at least one.
func seconds(d time.Duration) int { return max(1, int((d+time.Second-1)/time.Second)) }

// blank begins a response of the gateway's own.
func (f *flow) blank(status int) {
	f.w.Header().Clear()
	f.w.SetStatus(status)
	f.identify()
}

// mark adds what every response has.
func (f *flow) mark() {
	if f.g.Mark != nil {
		f.g.Mark(f.w, f.r)
	}
}

// identify adds what every response has and the request's id, unless the
// upstream has one (G12).
func (f *flow) identify() {
	f.mark()
	if id := front.ID(f.r); id != "" && !f.w.Header().Has(front.RequestID) {
		f.w.Header().Set(front.RequestID, id)
	}
}

// respond makes body the whole response.
func (f *flow) respond(body []byte) {
	f.w.SetContentLength(int64(len(body)))
	f.x.Push(body)
	f.x.End()
}

// lateTask is a flow of which a deadline may have passed.
type lateTask flow

func (t *lateTask) Run() { (*flow)(t).deadline() }

func (f *flow) deadline() {
	for f.stage != over {
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
		f.release()
		f.commit()
	case limitAlive:
		f.keepAlive()
	case limitRetry:
		f.ask(errStatus)
	case limitTotal:
		f.route.Stop()
		f.failed(errTotal)
	case limitStep:
		f.overdue()
	}
}

// overdue is a step of the upstream that has not come in time: the connection,
// the first event, or the next piece.
func (f *flow) overdue() {
	if f.stage == declined {
		f.heard(false)
		return
	}
	now, first := f.loop.Now(), f.target.Upstream.Timeouts.FirstEvent
	linked := f.call != nil && f.call.Connected()
	if linked && f.uploading() && !f.full { // it waits for the client, who has limits of its own
		f.begun = now
		if f.limited == errIdle {
			f.step(f.target.Upstream.Timeouts.Idle, errIdle)
		} else {
			f.awaitEvent()
		}
		return
	}
	switch passed := now.Sub(f.begun); {
	case f.limited != errConnect && f.limited != errFirstEvent:
		f.failed(f.limited)
	case first > 0 && passed >= first:
		f.failed(errFirstEvent)
	case linked:
		f.awaitEvent()
	default:
		f.failed(errConnect)
	}
}

// keepAlive sends the client a comment while the upstream is silent. It commits
// the response's status: what fails later fails in the stream.
func (f *flow) keepAlive() {
	switch {
	case f.uploading(): // the client is not waiting yet
		f.silence()
		return
	case f.answer.frames.Open() && f.stage == relaying, f.stage == holding && !f.answer.events:
		return
	}
	if f.stage < relaying && !f.alive {
		f.alive = true
		if f.stage != holding { // an existing head may be of an earlier attempt
			f.blank(200)
		}
		f.w.Header().Set("Content-Type", "text/event-stream")
		f.w.Header().Set("Cache-Control", "no-cache, no-transform")
		f.w.Header().Set("X-Accel-Buffering", "no")
	}
	f.x.Push([]byte(": keep-alive\n\n"))
	f.silence()
}
