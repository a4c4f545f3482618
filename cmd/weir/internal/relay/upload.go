package relay

import (
	"io"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/target"
)

// This file is the request's body (G8). A short one is kept whole, until it
// need not be sent again. A long one is relayed while it arrives, once the
// model is known; what has arrived until then is kept, up to limits.body, and
// passed on as fast as the upstream takes it. It stays kept for another attempt
// until the response begins, if it is no longer than limits.replay and there is
// room in limits.bodies; of a longer one nothing is kept that was sent, so it
// goes to one upstream only. A native handler gets any body whole.

// gatherLimit is the length up to which a body is short.
const gatherLimit = 64 << 10

// upload is the request's body on its way to an upstream.
type upload struct {
	f    *flow
	peek dialect.Peek
	kept store
	body
}

// body is how far an upload has come.
type body struct {
	length  int64    // as announced; -1 = not known
	size    int64    // as far as it has arrived
	arrived bool     // all of it
	asked   bool     // the model is known, and an upstream was tried
	long    bool     // it is relayed while it arrives
	sent    bool     // all of a long one was passed on
	once    bool     // what was sent of a long one is not kept: there was no room
	freed   bool     // a part of a long one was sent and is no longer kept
	full    bool     // the upstream takes no more for now
	aside   int64    // bytes that are kept while the model's rules are applied to them
	name    []byte   // the model's name there as the body has names; nil = as it is
	renamed []byte   // a short one's copy with that name
	decoder *decoder // of a body with content codings; nil = it has none
}

// begin prepares for the body, which has those content codings.
func (u *upload) begin(codings []string) {
	r := u.f.r
	u.length = r.ContentLength()
	u.peek.Form(r.Header().View("Content-Type"))
	if len(codings) > 0 {
		u.length = -1
		u.decoder = newDecoder(u, codings)
		u.f.remote = true
	}
}

// clear prepares u for another request, with the memory it has.
func (u *upload) clear() {
	u.kept.forget()
	u.peek.Reset()
	u.body = body{}
}

// stop ends it.
func (u *upload) stop() {
	u.kept.forget()
	if u.decoder != nil {
		u.decoder.stop()
	}
}

// arrive handles a piece of the body as the client sends it, or its end.
func (u *upload) arrive(p []byte, err error) {
	switch d := u.decoder; {
	case u.f.over:
	case d == nil || err != nil && err != io.EOF:
		u.take(p, err)
	case d.size+len(p) > int(u.f.g.MaxBody):
		u.f.refuse(dialect.TooLarge(u.f.g.MaxBody))
	default:
		d.write(p, err != nil)
	}
}

// take handles a piece of the body, or its end.
func (u *upload) take(p []byte, err error) {
	f := u.f
	if u.size += int64(len(p)); u.size > f.g.MaxBody {
		f.refuse(dialect.TooLarge(f.g.MaxBody))
		return
	}
	streamed := f.streams()
	u.peek.Feed(p)
	u.arrived = err == io.EOF
	switch last := u.arrived || u.long && u.size == u.length; {
	case err != nil && !u.arrived:
		f.stop()
	case u.peek.Bad(), last && !u.peek.Complete():
		f.refuse(u.missing(u.peek.Malformed()))
	case u.peek.Ambiguous() != nil:
		f.refuse(u.peek.Ambiguous())
	case !u.asked:
		u.kept.add(p)
		if !f.account() {
			f.refuse(dialect.NoRoom())
			return
		}
		u.gathered()
	case u.long:
		u.relay(p)
		if !u.fits() && len(p) > 0 { // what is being passed on only moves
			f.refuse(dialect.NoRoom())
			return
		}
		if f.streams() != streamed { // known late, but known
			f.reply.await()
		}
	}
}

// gathered continues as soon as enough of the request is known.
func (u *upload) gathered() {
	f := u.f
	if u.long = u.size > gatherLimit; !u.arrived && !(u.long && u.peek.HasModel()) {
		return
	}
	if u.peek.Model == "" {
		f.refuse(u.missing(dialect.Missing("model")))
		return
	}
	f.record.Asked = u.peek.Model
	m := f.g.Model(u.peek.Model)
	if m == nil {
		f.refuse(dialect.ModelNotFound(u.peek.Model))
		return
	}
	if m.Native.Handler != nil {
		if u.arrived {
			f.handOver(m)
		}
		return
	}
	f.model, f.leg, f.record.Model = m, m, m.Name
	if fault := m.speaks(f.endpoint.Dialect, u.peek.Model); fault != nil {
		f.refuse(fault)
		return
	}
	switch {
	case m.Request == nil:
		u.begins()
	case u.arrived:
		u.patch()
	default:
		u.long = false // it must be whole
	}
}

// begins asks the first target.
func (u *upload) begins() {
	f, m := u.f, u.f.model
	u.asked = true
	f.route.Begin(m.Route, u.key(m))
	m.skip(&f.route, f.endpoint.Dialect)
	f.next(nil)
}

// missing is the fault of a request that names no model. Where that alone would
// show that the path is served, it is not (G17).
func (u *upload) missing(why *dialect.Fault) *dialect.Fault {
	if u.f.endpoint.Kind != dialect.Other {
		return why
	}
	return dialect.NotFound(u.f.r.Method(), u.f.r.Path())
}

// key is what makes requests go to the same target.
func (u *upload) key(m *Model) target.Key {
	switch header := u.f.r.Header(); {
	case m.ByHeader != "" && header.Has(m.ByHeader):
		return target.KeyOf(header.Get(m.ByHeader))
	case m.ByPrefix:
		return u.prefix()
	}
	return target.KeyOf(u.peek.User)
}

// prefix returns the key of how the prompt begins, as far as it has arrived.
func (u *upload) prefix() target.Key {
	var key target.Prefix
	skip := u.peek.Prompt()
	if skip == 0 {
		return key.Key()
	}
	for _, p := range u.kept.parts {
		n := min(skip, len(p))
		if !key.Add(p[n:]) {
			break
		}
		skip -= n
	}
	return key.Key()
}

// outgoing is what is sent to a target with the head, and the length of the
// whole.
func (u *upload) outgoing(t *Target) (body []byte, length int64) {
	u.name = nil
	if name := t.Model; name != "" && name != u.peek.Model {
		u.name = u.peek.AppendName(nil, name)
	}
	if !u.long {
		body = u.kept.first()
		u.renamed = nil
		if u.name != nil {
			u.renamed = u.peek.Rename(body, u.name)
			body = u.renamed
		}
		return body, int64(len(body))
	}
	u.kept.rewind()
	u.full, u.sent = false, false
	if length = u.length; u.arrived {
		length = u.size
	}
	if length >= 0 && u.name != nil {
		length += int64(u.peek.Growth(u.name))
	}
	return nil, length
}

// fits reports whether there is room for what is kept, if need be without what
// was sent.
func (u *upload) fits() bool {
	if u.f.account() {
		return true
	}
	u.once = true
	u.handOn()
	return u.f.account()
}

// sentOnce reports whether what was sent of a long body is not kept for another
// attempt.
func (u *upload) sentOnce() bool {
	return u.once || u.f.reply.begun() || max(u.size, u.length) > u.f.g.MaxReplay
}

// relay passes a further piece of a long body on, from where it lies if it need
// not be kept.
func (u *upload) relay(p []byte) {
	call := u.f.attempt.call
	if u.sentOnce() && u.kept.empty() && !u.full && call != nil && call.Connected() {
		u.kept.skip(len(p))
		u.freed = true
		u.full = len(p) > 0 && !call.Write(p)
	} else {
		u.kept.add(p)
	}
	u.f.attempt.begun = u.f.loop.Now()
	u.handOn()
}

// handOn passes on what is kept of a long body, as far as the upstream takes
// it, and makes the client wait or continue.
func (u *upload) handOn() {
	if !u.long || u.sent {
		return
	}
	call := u.f.attempt.call
	if call == nil { // it waits for the next attempt
		u.pause()
		return
	}
	for !u.full && u.kept.waiting() {
		at, p := u.kept.take()
		for _, piece := range u.peek.Splice(at, p, u.name) {
			u.full = len(piece) > 0 && !call.Write(piece) || u.full
		}
	}
	if u.sentOnce() && call.Connected() && !u.kept.empty() {
		u.kept.free()
		u.freed = true
	}
	switch {
	case u.full:
		u.pause()
	case u.arrived:
		u.sent = true
		call.EndBody()
	default:
		u.resume()
	}
}

// pause makes the client, or the decoder, wait.
func (u *upload) pause() {
	if u.decoder != nil {
		u.decoder.hold()
		return
	}
	u.f.x.PauseBody()
}

// resume undoes pause.
func (u *upload) resume() {
	if u.decoder != nil {
		u.decoder.proceed()
		return
	}
	u.f.x.ResumeBody()
}

// drained is called when the upstream takes more.
func (u *upload) drained() {
	u.full = false
	u.handOn()
	u.f.account() // what was passed on makes room
}

// begun is called when the response has begun: what was sent is not sent again.
func (u *upload) begun() {
	if !u.running() {
		u.kept.forget()
	}
}

// running reports whether the upstream has not been sent the whole request.
func (u *upload) running() bool { return u.long && !u.sent }

// repeatable reports whether another target may be sent the request: nothing of
// what was sent is gone.
func (u *upload) repeatable() bool { return !u.freed }
