package relay

import (
	"io"

	"weir/cmd/weir/internal/openai"
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

// upload is what a flow knows of its request's body.
type upload struct {
	kept    store
	length  int64  // as announced; -1 = not known
	size    int64  // as far as it has arrived
	arrived bool   // all of it
	long    bool   // it is relayed while it arrives
	sent    bool   // all of a long one was passed on
	once    bool   // what was sent of a long one is not kept: there was no room
	freed   bool   // a part of a long one was sent and is no longer kept
	full    bool   // the upstream takes no more for now
	name    []byte // the model's name there as JSON; nil = as it is
	renamed []byte // a short one's copy with that name
	noted   int64  // bytes that were reported to the server as kept
}

// body handles a piece of the request's body.
func (f *flow) body(p []byte, err error) {
	if f.stage == over {
		return
	}
	if f.size += int64(len(p)); f.size > f.g.MaxBody {
		f.refuse(openai.TooLarge(f.g.MaxBody))
		return
	}
	streamed := f.peek.Stream
	f.peek.Feed(p)
	f.arrived = err == io.EOF
	switch last := f.arrived || f.long && f.size == f.length; {
	case err != nil && !f.arrived:
		f.stop()
	case f.peek.Bad(), last && !f.peek.Complete():
		f.refuse(openai.BadJSON())
	case f.peek.Ambiguous() != nil:
		f.refuse(f.peek.Ambiguous())
	case f.stage == gathering:
		f.kept.add(p)
		if !f.account() {
			f.refuse(openai.NoRoom())
			return
		}
		f.gathered()
	case f.long:
		f.relayBody(p)
		if !f.fits() && len(p) > 0 { // what is being passed on only moves
			f.refuse(openai.NoRoom())
			return
		}
		if f.peek.Stream != streamed { // known late, but known
			f.silence()
		}
	}
}

// gathered continues as soon as enough of the request is known.
func (f *flow) gathered() {
	if f.long = f.size > gatherLimit; !f.arrived && !(f.long && f.peek.HasModel()) {
		return
	}
	if f.peek.Model == "" {
		f.refuse(openai.MissingModel())
		return
	}
	f.record.Asked = f.peek.Model
	m := f.g.Model(f.peek.Model)
	if m == nil {
		f.refuse(openai.ModelNotFound(f.peek.Model))
		return
	}
	if m.Native.Handler != nil {
		if f.arrived {
			f.handOver(m)
		}
		return
	}
	f.model, f.leg = m, m
	f.route.Begin(m.Route, f.key(m))
	f.record.Model = m.Name
	f.ask(nil)
}

// key is what makes requests go to the same target.
func (f *flow) key(m *Model) target.Key {
	switch {
	case m.ByHeader != "" && f.r.Header().Has(m.ByHeader):
		return target.KeyOf(f.r.Header().Get(m.ByHeader))
	case m.ByPrefix:
		return f.prefix()
	}
	return target.KeyOf(f.peek.User)
}

// prefix returns the key of how the messages begin, as far as they have
// arrived.
func (f *flow) prefix() target.Key {
	var key target.Prefix
	skip := f.peek.Messages()
	if skip == 0 {
		return key.Key()
	}
	for _, p := range f.kept.parts {
		n := min(skip, len(p))
		if !key.Add(p[n:]) {
			break
		}
		skip -= n
	}
	return key.Key()
}

// outgoing is what is sent with the head, and the length of the whole.
func (f *flow) outgoing() (body []byte, length int64) {
	f.name = nil
	if name := f.target.Model; name != "" && name != f.peek.Model {
		f.name = openai.AppendString(nil, name)
	}
	if !f.long {
		body = f.kept.first()
		f.renamed = nil
		if f.name != nil {
			f.renamed = f.peek.Rename(body, f.name)
			body = f.renamed
		}
		return body, int64(len(body))
	}
	f.kept.rewind()
	f.full, f.sent = false, false
	if length = f.length; f.arrived {
		length = f.size
	}
	if length >= 0 && f.name != nil {
		length += int64(f.peek.Growth(f.name))
	}
	return nil, length
}

// fits reports whether there is room for what is kept, if need be without what
// was sent.
func (f *flow) fits() bool {
	if f.account() {
		return true
	}
	f.once = true
	f.handOn()
	return f.account()
}

// sentOnce reports whether what was sent of a long body is not kept for another
// attempt.
func (f *flow) sentOnce() bool {
	return f.once || f.stage == relaying || max(f.size, f.length) > f.g.MaxReplay
}

// relayBody passes a further piece of a long body on, from where it lies if it
// need not be kept.
func (f *flow) relayBody(p []byte) {
	if f.sentOnce() && f.kept.empty() && !f.full && f.call != nil && f.call.Connected() {
		f.kept.skip(len(p))
		f.freed = true
		f.full = len(p) > 0 && !f.call.Write(p)
	} else {
		f.kept.add(p)
	}
	f.begun = f.loop.Now()
	f.handOn()
}

// handOn passes on what is kept of a long body, as far as the upstream takes
// it, and makes the client wait or continue.
func (f *flow) handOn() {
	if !f.long || f.sent {
		return
	}
	if f.call == nil { // it waits for the next attempt
		f.x.PauseBody()
		return
	}
	for !f.full && f.kept.waiting() {
		at, p := f.kept.take()
		for _, piece := range f.peek.Splice(at, p, f.name) {
			f.full = len(piece) > 0 && !f.call.Write(piece) || f.full
		}
	}
	if f.sentOnce() && f.call.Connected() && !f.kept.empty() {
		f.kept.free()
		f.freed = true
	}
	switch {
	case f.full:
		f.x.PauseBody()
	case f.arrived:
		f.sent = true
		f.call.EndBody()
	default:
		f.x.ResumeBody()
	}
}

// Drained implements client.Receiver: the request's body may continue.
func (f *flow) Drained() {
	if f.stage == over {
		return
	}
	f.full = false
	f.begun = f.loop.Now()
	f.handOn()
	f.account() // what was passed on makes room
}

// uploading reports whether the upstream has not been sent the whole request.
func (f *flow) uploading() bool { return f.long && !f.sent }

// repeatable reports whether another target may be sent the request: nothing of
// what was sent is gone.
func (f *flow) repeatable() bool { return !f.freed }
