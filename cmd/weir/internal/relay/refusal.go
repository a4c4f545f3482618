package relay

import (
	"strings"
	"time"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/target"
	"weir/cmd/weir/internal/upstream"
	"weir/http1"
)

// This file is for an upstream that refuses: by its status (429, 5xx), or by an
// error that is the first event of its stream. Its response is kept while others
// are tried, and if none of them works the client gets it (G2): the upstream's
// own response is worth more than one about it.

const (
	refusalLimit = 16 << 10               // bytes of a refusal's body that are kept; longer ones are not
	refusalWait  = 100 * time.Millisecond // how long to wait for it
)

// refusal is a response that was not passed on at once.
type refusal struct {
	upstream string
	status   int
	wait     time.Duration // from Retry-After; 0 = none
	date     string
	fields   []upstream.Field
	size     int    // of the fields
	body     []byte // nil = it is too long, was late, or broke off
	err      error  // for the log, if the status is not the upstream's; else nil
}

// reject keeps a refusal for later, if the request can be sent again. It
// returns false if the refusal is final.
func (f *flow) reject(h *http1.Response) bool {
	f.charge(errStatus, h.Status(), refusalReason(h))
	if !f.mayGoOn() && !f.mayWait(retryAfter(h)) {
		f.explain()
		return false
	}
	f.keepRefusal(h)
	return true
}

// charge reports a refusal with that status. A status that blames the client is
// not the upstream's failure.
func (f *flow) charge(why error, status int, r target.Reason) {
	switch {
	case status >= 500:
		f.blame(why, r)
	case r == target.Overloaded:
		f.route.Fails(r, f.loop.Now())
	default:
		f.route.Works(status, f.loop.Now())
	}
}

// fails handles an error that the upstream sends in its stream when nobody has
// seen anything of that: it is a refusal with the status that it names (G2).
// before and event end with it. If there is no other target, a client that was
// promised a stream gets the upstream's own event, and so does one for which there
// is something of the model's, which has only come in the same piece; fails
// returns true then, and false if the attempt was given up.
func (a *attempt) fails(before, event []byte) bool {
	f := a.f
	fault := f.endpoint.FaultOf(lastOf(before, event))
	reason := target.ErrorEvent
	if fault.Status == 429 || fault.Status == 529 {
		reason = target.Overloaded
	}
	f.charge(errFirst, fault.Status, reason)
	more := f.mayGoOn()
	if !more && (f.reply.promise == promisedStream || a.spoke(a.count-1)) {
		f.reply.sign()
		f.record.Err = errFirst
		a.ripe, a.model, a.failed = true, true, true
		return true
	}
	f.refusal = f.reply.refusal(fault)
	a.hangUp()
	if more {
		f.next(errFirst)
	} else {
		f.giveUp(errFirst, target.NoneLeft)
	}
	return false
}

// lastOf returns as much of the end of two pieces as is kept of a refusal.
func lastOf(before, p []byte) []byte {
	p = p[max(0, len(p)-refusalLimit):]
	before = before[max(0, len(before)+len(p)-refusalLimit):]
	return append(before[:len(before):len(before)], p...)
}

// refusal makes an error the response, with the fields of the head that has come
// with it.
func (r *reply) refusal(fault *dialect.Fault) *refusal {
	f := r.f
	no := &refusal{upstream: f.record.Upstream, status: fault.Status, err: errFirst}
	no.body = f.endpoint.Dialect.AppendError(nil, fault)
	no.add("Content-Type", "application/json")
	if r.promise == promisedNothing {
		for name, value := range f.w.Header().All() {
			if !describesBody(name) && !isOfStream(name) && http1.ClassOf(name)&notPassed == 0 {
				no.add(name, value)
			}
		}
	}
	return no
}

func (r *refusal) add(name, value string) {
	r.fields = append(r.fields, upstream.Field{Name: name, Value: value})
	r.size += len(name) + len(value)
}

// mayWait reports whether the target that was tried last may be tried again
// after that time.
func (f *flow) mayWait(d time.Duration) bool {
	return 0 < d && d <= f.leg.Hold.Wait && f.upload.repeatable() && f.route.MayRepeat(f.loop.Now())
}

// disappoint handles a response that is not a stream, for a client that was
// promised one. If it is an error, it will be an event; else it is a failure.
func (f *flow) disappoint(h *http1.Response, s shape) {
	switch {
	case s == shapeCoded:
		f.failed(errCoded)
	case h.Status() < 400:
		f.failed(errNoStream)
	default:
		f.route.Works(h.Status(), f.loop.Now()) // if it was not blamed
		f.keepRefusal(h)
	}
}

// keepRefusal reads the rest of a refusal, for a while.
func (f *flow) keepRefusal(h *http1.Response) {
	r := &refusal{upstream: f.record.Upstream, status: h.Status(), wait: retryAfter(h), date: string(h.Get("Date")), body: []byte{}}
	for name, value := range passed(h) {
		r.add(string(name), string(value))
	}
	f.refusal, f.attempt.stage = r, declined
	f.clock.clear(limitHold)
	f.attempt.step(refusalWait, errIdle)
}

// listen takes a piece of a refusal's body.
func (f *flow) listen(p []byte) {
	r := f.refusal
	if len(r.body)+len(p) > refusalLimit {
		f.heard(false)
		return
	}
	if r.body = append(r.body, p...); !f.account() {
		f.heard(false)
	}
}

// heard is the end of a refusal, whose body may be complete. Another target is
// tried, or the same one after its Retry-After.
func (f *flow) heard(whole bool) {
	r := f.refusal
	if !whole {
		r.body = nil
	}
	f.attempt.hangUp()
	switch again := f.retryable(r.status); {
	case again && f.mayGoOn():
		f.next(errStatus)
	case again && f.mayWait(r.wait):
		f.route.Repeat()
		f.clock.clear(limitStep)
		f.clock.set(f.loop, limitRetry, r.wait)
	default:
		f.giveUp(errStatus, target.NoneLeft)
	}
}

// passRefusal makes a refusal the response after all, or the stream's end.
func (f *flow) passRefusal(r *refusal) {
	f.stop()
	if f.reply.promise == promisedStream {
		fault, ok := dialect.ReadFault(r.status, r.body)
		if !ok {
			fault = dialect.Refused(r.status)
		}
		f.reply.fail(fault, errStatus, 0)
		return
	}
	fields, body := f.w.Header(), r.body
	fields.Clear()
	f.w.SetStatus(r.status)
	_ = f.w.SetDate(r.date) // else it is ours
	for _, field := range r.fields {
		if body != nil || !describesBody(field.Name) {
			fields.Add(field.Name, field.Value)
		}
	}
	if body == nil {
		fields.Set("Content-Type", "application/json")
		body = f.endpoint.Dialect.AppendError(nil, dialect.Refused(r.status))
	}
	f.reply.identify()
	f.reply.sign()
	fields.Set("X-Weir-Upstream", r.upstream)
	f.reply.respond(body)
}

func describesBody(name string) bool {
	const prefix = "content-"
	return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
}
