package relay

import (
	"strconv"
	"strings"
	"time"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/front"
	"weir/http1"
)

// promise is what the client knows of the response.
type promise uint8

const (
	promisedNothing promise = iota // status and fields are open
	promisedStream                 // a keep-alive was sent, and with it the head of a stream (G22)
	promisedThis                   // the response of the current attempt
)

// reply is the response as the client sees it.
type reply struct {
	f       *flow
	promise promise
	behind  bool          // the client is, and the upstream waits
	every   time.Duration // a keep-alive is due after so much silence; 0 = never
	first   time.Duration // from the request's head to the first byte of an upstream's response; 0 = there was none
	bytes   int64         // of the upstream's response
	length  int64         // of the body, when it begins; -1 = not known
}

// voice is for what the gateway says itself in a stream.
type voice struct {
	own  dialect.Reader // in place of an attempt's
	text []byte         // room for it
}

// begun reports whether the client was sent something of an upstream's response.
func (r *reply) begun() bool { return r.promise == promisedThis }

// begin is the end of all failover: what follows is the current attempt's.
func (r *reply) begin() {
	if r.promise == promisedNothing && r.length >= 0 {
		r.f.w.SetContentLength(r.length) // parsed: not negative
	}
	r.promise = promisedThis
}

// head makes the response's head from the upstream's.
func (r *reply) head(h *http1.Response, stream bool) {
	f := r.f
	f.w.SetStatus(h.Status())
	passFields(f.x, h, front.ID(f.r))
	r.mark()
	r.sign()
	r.length = -1
	if stream {
		r.streamFields()
	} else if kind, n := h.Body("GET"); kind == http1.BodyLength { // also to HEAD, where none follows
		r.length = n
	}
}

// streamFields are those of a stream beside its Content-Type (G13).
func (r *reply) streamFields() {
	if r.promise != promisedNothing {
		return
	}
	r.length = -1
	r.f.w.Header().Set("Cache-Control", "no-cache, no-transform")
	r.f.w.Header().Set("X-Accel-Buffering", "no")
}

// isOfStream reports whether streamFields sets the field.
func isOfStream(name string) bool {
	return strings.EqualFold(name, "Cache-Control") || strings.EqualFold(name, "X-Accel-Buffering")
}

// sign adds what was tried for the response, and how long that took (G14).
func (r *reply) sign() {
	f := r.f
	if f.attempts == 0 || r.promise != promisedNothing {
		return
	}
	now, asked := f.loop.Now(), f.attempt.asked
	if now.Before(asked) {
		now = asked // it failed in the turn in which it was sent
	}
	f.w.Header().Set("X-Weir-Upstream", f.record.Upstream)
	f.w.Header().Set("X-Weir-Attempts", strconv.Itoa(f.attempts))
	if only := f.withheld(); only != nil {
		f.w.Header().Set("X-Weir-Not-Retried", only.code)
	}
	timing := appendMilliseconds(append(make([]byte, 0, 64), "upstream;dur="...), now.Sub(asked))
	timing = appendMilliseconds(append(timing, ", weir;dur="...), asked.Sub(f.clock.base))
	f.w.Header().Set("Server-Timing", string(timing))
}

func appendMilliseconds(dst []byte, d time.Duration) []byte {
	return strconv.AppendFloat(dst, float64(d)/float64(time.Millisecond), 'f', 3, 64)
}

// commit sends the head if there is no event with which one write could send
// it.
func (r *reply) commit() {
	if !r.f.over {
		r.f.x.Commit()
	}
}

// push passes bytes on; a client that is behind stops the upstream (G7).
func (r *reply) push(p []byte) {
	f := r.f
	if len(p) == 0 || f.over {
		return
	}
	room := f.x.Push(p)
	if !room && f.x.Err() != nil {
		return // closed is called soon
	}
	if r.first == 0 {
		r.first = f.loop.Now().Sub(f.clock.base)
	}
	r.bytes += int64(len(p))
	f.g.Observer.Relayed(time.Since(f.loop.Now()))
	if f.attempt.call != nil && !room {
		r.behind = true
		f.clock.clear(limitStep) // the upstream is not to blame
		f.attempt.call.Pause()
	}
}

// drained is called when the client has caught up.
func (r *reply) drained() {
	f := r.f
	if !r.behind {
		return
	}
	r.behind = false
	if !f.over && f.attempt.call != nil {
		f.attempt.awaitPiece()
		f.attempt.call.Resume()
	}
}

// await begins to count how long the client hears nothing, if that matters to it.
func (r *reply) await() {
	f := r.f
	if r.every = 0; f.streams() {
		r.every = f.model.Keepalive
	}
	r.silence()
}

// silence starts to count until a keep-alive is due again.
func (r *reply) silence() { r.f.clock.set(r.f.loop, limitAlive, r.every) }

// keepAlive lets the client hear something while the upstream is silent, in the
// client's dialect (G22). It commits the response's status: what fails later
// fails in the stream. Another target can still be tried.
func (r *reply) keepAlive() {
	f := r.f
	switch {
	case f.upload.running(): // the client is not waiting yet
		r.silence()
		return
	case f.attempt.stage == sniffing, f.attempt.stage == gathering, f.attempt.stage == holding && !f.attempt.judged:
		r.silence() // it may be no stream
		return
	case r.begun() && !f.attempt.judged:
		return
	case r.begun():
		r.say(f.attempt.reader.AppendKeepAlive(f.voice.text[:0], f.stamp()))
		return
	case r.promise == promisedNothing:
		f.voice.own.Reset(f.endpoint)
		text := f.voice.own.AppendKeepAlive(f.voice.text[:0], f.stamp())
		if len(text) == 0 {
			return // the dialect has no form for it
		}
		r.openStream()
		r.say(text)
		return
	}
	r.say(f.voice.own.AppendKeepAlive(f.voice.text[:0], f.stamp()))
}

// openStream promises the client a stream, whichever upstream will send it.
func (r *reply) openStream() {
	r.blank(200)
	r.f.w.Header().Set("Content-Type", r.f.endpoint.Framing.ContentType())
	r.streamFields()
	r.promise = promisedStream
}

// say sends something of the gateway's own.
func (r *reply) say(text []byte) {
	r.f.voice.text = text
	if len(text) > 0 {
		r.f.x.Push(text)
	}
	r.silence()
}

// fail ends the response with an error, when the flow has been stopped: with one
// of the gateway's own while nothing was sent, in the stream's own form if it
// has one, else by aborting the response, so that the part is never taken for
// the whole (G4).
func (r *reply) fail(fault *dialect.Fault, cause error, wait time.Duration) {
	f := r.f
	switch {
	case r.promise == promisedNothing:
		r.blank(fault.Status)
		f.w.Header().Set("Content-Type", "application/json")
		r.sign()
		if fault.Status == 503 {
			f.w.Header().Set("Retry-After", strconv.Itoa(seconds(wait)))
		}
		r.respond(f.endpoint.Dialect.AppendError(nil, fault))
		return
	case r.promise == promisedStream:
		f.voice.own.Reset(f.endpoint)
		f.voice.text = f.voice.own.AppendFault(f.voice.text[:0], fault, f.stamp())
	case f.attempt.judged:
		if w := f.attempt.rewriter; w != nil && len(w.event) > 0 {
			f.attempt.reader.Withhold()
		}
		f.voice.text = f.attempt.reader.AppendFault(f.voice.text[:0], fault, f.stamp())
	default:
		f.x.Abort(cause)
		return
	}
	if len(f.voice.text) == 0 {
		f.x.Abort(cause)
		return
	}
	f.x.Push(f.voice.text)
	f.x.End()
}

// seconds is a time to wait in whole seconds, at least one.
func seconds(d time.Duration) int { return max(1, int((d+time.Second-1)/time.Second)) }

// blank begins a response of the gateway's own.
func (r *reply) blank(status int) {
	r.f.w.Header().Clear()
	r.f.w.SetStatus(status)
	r.identify()
}

// mark adds what every response has.
func (r *reply) mark() {
	if f := r.f; f.g.Mark != nil {
		f.g.Mark(f.w, f.r)
	}
}

// identify adds what every response has and the request's id, unless the
// upstream has one (G12).
func (r *reply) identify() {
	r.mark()
	if id := front.ID(r.f.r); id != "" && !r.f.w.Header().Has(front.RequestID) {
		r.f.w.Header().Set(front.RequestID, id)
	}
}

// respond makes body the whole response.
func (r *reply) respond(body []byte) {
	r.f.w.SetContentLength(int64(len(body)))
	r.f.x.Push(body)
	r.f.x.End()
}
