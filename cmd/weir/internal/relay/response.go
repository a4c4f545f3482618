package relay

import (
	"bytes"
	"time"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/target"
	"weir/http1"
)

// This file is the body of an upstream's response, until it is passed on. Until
// there is something of the model's in it, nobody has seen anything, and another
// target can be tried (G2).

// shape is what the body of a response is.
type shape uint8

const (
	shapeOpaque  shape = iota // bytes that only pass
	shapeEvents               // events of the endpoint's dialect
	shapeUnclear              // it was to be a stream, and does not say that it is one
	shapeCoded                // it has a content coding: nothing can be seen in it
)

// endWait is how long an upstream may take to end the body of a response that
// is complete.
const endWait = time.Second

// shapeOf returns what the body of a response is, by its head.
func (f *flow) shapeOf(h *http1.Response) shape {
	kind, _ := h.Body(f.r.Method())
	if kind == http1.BodyNone || h.Status() >= 300 {
		return shapeOpaque
	}
	if isCoded(h) {
		return shapeCoded
	}
	contentType, isJSON := h.Get("Content-Type"), http1.IsMediaType(h.Get("Content-Type"), "application/json")
	switch {
	case f.endpoint.Events(contentType):
		return shapeEvents
	case !f.streams():
		return shapeOpaque
	case isJSON && f.endpoint.Framing == dialect.Lines: // a whole response is a stream of one line
		return shapeEvents
	case isJSON, len(contentType) == 0, http1.IsMediaType(contentType, "text/plain"):
		return shapeUnclear
	}
	return shapeOpaque
}

// isCoded reports whether a body is not what its Content-Type says, but that in
// a content coding.
func isCoded(h *http1.Response) bool {
	coding := bytes.TrimSpace(h.Get("Content-Encoding"))
	return len(coding) > 0 && !is(coding, "identity")
}

// Body implements client.Receiver: a piece of the response.
func (a *attempt) Body(p []byte) {
	switch a.stage {
	case declined:
		a.f.listen(p)
		return
	case sniffing:
		a.sniff(p)
		return
	case gathering:
		a.gather(p)
		return
	case holding, relaying:
	default:
		return
	}
	if a.judged {
		a.events(p)
		return
	}
	a.release()
	a.relay(p)
}

// relay passes a piece on, unchanged (G1).
func (a *attempt) relay(p []byte) {
	if a.stage != relaying {
		return
	}
	a.awaitPiece()
	if len(p) == 0 { // the beginning of an event that is to be changed
		return
	}
	a.f.reply.silence()
	a.f.reply.push(p)
}

// events looks at a piece of a stream, and passes it on or holds it.
func (a *attempt) events(p []byte) {
	finished := a.finished()
	p, ok := a.look(p)
	if !ok {
		return
	}
	if a.stage == holding && !a.settled() {
		a.held = append(a.held, p...)
		if p = nil; len(a.held) <= a.f.g.MaxEvent && a.f.account() { // more is not held
			return
		}
	}
	a.release()
	a.relay(p)
	if a.finished() && !finished {
		a.step(endWait, errIdle)
	}
}

// look finds the events in p and returns what of it is to be passed on. It
// returns false if the attempt was given up.
func (a *attempt) look(p []byte) (pass []byte, ok bool) {
	if a.rewriter != nil {
		return a.rewritten(p)
	}
	for start := 0; start < len(p); {
		if a.reader.Ended() {
			return append(p[:start:start], a.behindEnd(p[start:])...), true
		}
		n, v := a.reader.Next(p[start:])
		start += n
		if v.Has(dialect.Data) && !a.event(v, a.held, p[:start]) {
			return nil, false
		}
	}
	return p, true
}

// behindEnd is look for what follows the end mark: only whole events, and none
// that is not of the dialect, such as [DONE] from servers that speak OpenAI's as
// well.
func (a *attempt) behindEnd(p []byte) (pass []byte) {
	for start := 0; start < len(p); {
		n, v := a.reader.Next(p[start:])
		piece := p[start : start+n]
		start += n
		switch {
		case v.Has(dialect.Whole) && v.Has(dialect.Alien):
			a.tail = a.tail[:0]
		case a.reader.Open() && len(a.tail) < a.f.g.MaxEvent:
			a.tail = append(a.tail, piece...)
		default:
			pass = append(append(pass, a.tail...), piece...)
			a.tail = a.tail[:0]
		}
	}
	return pass
}

// event processes an event that a client would dispatch, with which before and p
// end. It returns false if the attempt was given up.
func (a *attempt) event(v dialect.Verdict, before, p []byte) bool {
	f := a.f
	a.count++
	if a.stage == holding && !a.model {
		a.awaitPiece() // the upstream is alive
	}
	switch {
	case v.Has(dialect.Failed) && a.stage == holding: // nobody has seen anything
		return a.fails(before, p)
	case v.Has(dialect.Failed):
		a.failed = true
		f.record.Err = errTold
		f.blame(errTold, target.Interrupted)
	case !a.model && v&(dialect.Substance|dialect.End) != 0:
		a.model = true
		if a.count < f.leg.Hold.Events {
			f.clock.set(f.loop, limitHold, f.leg.Hold.Wait)
		}
	}
	return true
}

// settled reports whether what is held may be passed on.
func (a *attempt) settled() bool { return a.spoke(a.count) || a.reader.Ended() }

// spoke reports whether the first events, so many, have something of the model's
// and are as many as are to be held.
func (a *attempt) spoke(events int) bool {
	return a.model && (a.ripe || events >= a.f.leg.Hold.Events)
}

// heldEnough is the end of the time for which the events are held.
func (a *attempt) heldEnough() {
	a.ripe = true
	if a.stage == holding && a.judged && a.settled() {
		a.release()
	}
}

// release ends the holding: what was held is passed on, with the head.
func (a *attempt) release() {
	f := a.f
	if a.stage != holding {
		return
	}
	a.stage = relaying
	f.refusal = nil
	f.clock.clear(limitHold)
	f.upload.begun()
	f.reply.begin()
	f.route.Works(f.w.Status(), f.loop.Now())
	if held := a.held; len(held) > 0 {
		if a.held = held[:0]; cap(held) > spareHead {
			a.held = nil
		}
		a.relay(held)
	}
	f.account()
}

// close is the end of a stream's body, or of its connection (G4).
func (a *attempt) close(err error) {
	f := a.f
	switch a.reader.Close(err == nil) {
	case dialect.Complete:
		a.release()
		a.rest()
		f.complete()
		return
	case dialect.Reported:
		if a.stage == holding {
			if a.count++; !a.fails(a.held, a.rewriter.waiting()) {
				return
			}
		}
		a.release()
		a.rest()
		f.complete()
		return
	}
	if err == nil {
		err = errNoDone
	}
	f.failed(err)
}

// sniffLimit is how much is read of a response that does not say that it is a
// stream, to see what it is.
const sniffLimit = 16 << 10

// sniff looks at a body that was to be a stream: it may be one under another
// name (G15), an error with a good status, or a response that is not a stream.
func (a *attempt) sniff(p []byte) {
	f := a.f
	a.held = append(a.held, p...)
	events, known := dialect.Sniff(a.held)
	switch {
	case events && f.endpoint.Framing == dialect.SSE:
		held := a.held
		a.held = nil
		a.judged, a.stage = true, holding
		a.reader.Reset(f.endpoint)
		a.rewrite()
		f.reply.streamFields()
		a.awaitEvent()
		a.events(held)
		return
	case (!known || mayBeJSON(a.held)) && len(a.held) <= sniffLimit && f.account():
		return
	}
	a.opaque()
}

// mayBeJSON reports whether a body begins as one in JSON that has members.
func mayBeJSON(begins []byte) bool {
	begins = bytes.TrimLeft(bytes.TrimPrefix(begins, []byte("\xef\xbb\xbf")), " \t\r\n")
	return len(begins) == 0 || begins[0] == '{' || begins[0] == '['
}

// sniffed is the end of a body that was to be a stream and is not.
func (a *attempt) sniffed() {
	f := a.f
	if bytes.Contains(a.held, []byte(`"error"`)) && isFault(f.w.Status(), a.held) {
		if f.elsewhere(errFirst) {
			return
		}
		f.blame(errFirst, target.ErrorEvent)
		f.reply.sign()
	}
	switch a.opaque(); {
	case f.over:
	case a.stage == gathering:
		a.gathered()
	case a.stage == relaying:
		f.complete()
	}
}

func isFault(status int, body []byte) bool {
	_, is := dialect.ReadFault(status, body)
	return is
}

// opaque passes on what is not a stream, unless the client was promised one. What
// is to be changed first is gathered.
func (a *attempt) opaque() {
	switch f := a.f; {
	case f.reply.promise == promisedStream:
		f.failed(errNoStream)
	case f.model.Response != nil && mayBeJSON(a.held):
		a.stage = gathering
		a.gather(nil)
	default:
		a.stage = holding
		a.release()
	}
}
