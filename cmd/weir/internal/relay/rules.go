package relay

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/policy"
)

// This file is what a model changes by its configuration (G9): a request when
// its body is whole, and the events of a response, each when it is whole. For
// responses that are not streams see whole.go.

// patchedInline is the length up to which a request is patched on the loop.
const patchedInline = 16 << 10

// editors are for what is patched on loops.
var editors = sync.Pool{New: func() any { return new(policy.Editor) }}

// errRules is an error of the configuration: a request that was one is none any
// more.
var errRules = errors.New("the rules of the model make the request something other than a JSON object")

// patch applies the model's rules to the whole request, and then asks for it.
func (u *upload) patch() {
	f := u.f
	switch {
	case u.peek.IsForm():
		f.refuse(dialect.Invalid("", "json_required", "The model `%s` changes requests by rules (request.merge, request.patch), which are for JSON: send the request as JSON, or ask for a model without such rules.", f.record.Asked))
	case u.size > patchedInline:
		u.patchAside()
	default:
		e := editors.Get().(*policy.Editor)
		result, peek, err := applyRules(e, f.model.Request, u.kept.first(), f.g.MaxBody)
		if err == nil {
			u.kept.forget()
			u.kept.add(result)
		}
		editors.Put(e)
		u.patched(peek, err)
	}
}

// applyRules returns the body as the rules change it, and what there is to see
// of it. It may be called on any goroutine. The result is valid as long as body
// and until e is used again.
func applyRules(e *policy.Editor, rules *policy.Patch, body []byte, limit int64) (result []byte, peek dialect.Peek, err error) {
	e.Limit = int(limit)
	result, err = e.Apply(rules, body)
	if err != nil {
		return nil, peek, err
	}
	peek.Feed(result)
	if peek.Bad() || !peek.Complete() {
		err = errRules
	}
	return result, peek, err
}

// patching is a request that is being patched on a goroutine, which owns what it
// works on.
type patching struct {
	f     *flow
	parts [][]byte // of the body

	kept store // the result
	peek dialect.Peek
	err  error
}

// patchAside patches a long request on a goroutine: it takes a time that is
// proportional to its length.
func (u *upload) patchAside() {
	f := u.f
	p := &patching{f: f, parts: u.kept.give()}
	u.aside = 2 * u.size // what has arrived, and what is made of it
	if !f.account() {
		f.refuse(dialect.NoRoom())
		return
	}
	f.remote = true
	go p.apply(f.model.Request, f.g.MaxBody)
}

func (p *patching) apply(rules *policy.Patch, limit int64) {
	defer p.f.loop.Post(p)
	defer func() {
		if r := recover(); r != nil {
			p.err = fmt.Errorf("panic while a request was patched: %v", r)
		}
	}()
	result, peek, err := applyRules(new(policy.Editor), rules, bytes.Join(p.parts, nil), limit)
	if p.peek, p.err = peek, err; err == nil {
		p.kept.add(result)
	}
}

// Run implements reactor.Task: the result is there.
func (p *patching) Run() {
	u := &p.f.upload
	if u.aside = 0; !p.f.over {
		u.kept = p.kept
		u.patched(p.peek, p.err)
	}
}

// patched continues with what is kept, the request as the rules have changed it.
func (u *upload) patched(peek dialect.Peek, err error) {
	f := u.f
	switch {
	case err != nil:
		f.conclude(f.unfit(err), err)
		return
	case peek.Ambiguous() != nil:
		f.refuse(peek.Ambiguous())
		return
	}
	u.peek, u.size = peek, int64(u.kept.length())
	u.length, u.long = u.size, u.size > gatherLimit
	if !f.account() {
		f.refuse(dialect.NoRoom())
		return
	}
	u.begins()
}

// unfit is the response to a request that cannot be patched.
func (f *flow) unfit(err error) *dialect.Fault {
	var failure *policy.Failure
	switch {
	case errors.As(err, &failure):
		return dialect.Invalid(paramOf(failure.Path), "request_rule_failed",
			"The request does not fit the rules of the model `%s`: request.%s.", f.record.Asked, failure.Text())
	case errors.Is(err, policy.ErrSyntax):
		return dialect.BadJSON()
	case errors.Is(err, policy.ErrDepth):
		return dialect.Invalid("", "request_too_deep", "The request has more than %d arrays and objects within each other.", policy.MaxDepth)
	case errors.Is(err, policy.ErrSize):
		return dialect.TooLarge(f.g.MaxBody)
	}
	return dialect.ServerError(500, "The gateway could not apply the rules of the model to the request.")
}

// paramOf is a JSON pointer as errors name fields: messages.0.role.
func paramOf(pointer string) string {
	return strings.ReplaceAll(strings.TrimPrefix(pointer, "/"), "/", ".")
}

// rewriter changes the events of a response.
type rewriter struct {
	rules  *policy.Patch
	lines  bool   // an event is a line
	event  []byte // the beginning of one that has not ended
	out    []byte // events that have
	editor policy.Editor
}

// errLongEvent is the failure of a response with an event that is too large to
// be changed (G15).
var errLongEvent = errors.New("the upstream sent an event that is larger than limits.event")

// spareEvents is the size up to which memory is kept for another response.
const spareEvents = 16 << 10

// rewrite prepares to change the events of the current attempt, if there are
// rules for them.
func (a *attempt) rewrite() {
	rules := a.f.model.Event
	if rules == nil {
		a.rewriter = nil
		return
	}
	if a.rewriter == nil {
		a.rewriter = new(rewriter)
	}
	w := a.rewriter
	w.rules, w.lines, w.event, w.out = rules, a.f.endpoint.Framing == dialect.Lines, w.event[:0], w.out[:0]
}

// spare is w for another response, nil if it has grown large.
func (w *rewriter) spare() *rewriter {
	if w == nil || cap(w.event)+cap(w.out) > spareEvents {
		return nil
	}
	w.event, w.out = w.event[:0], w.out[:0]
	return w
}

// rewritten is look for a response whose events are changed: what is to be
// passed on are the events that have ended. The upstream is judged by what it
// sent.
func (a *attempt) rewritten(p []byte) (pass []byte, ok bool) {
	w := a.rewriter
	w.out = w.out[:0]
	for start := 0; start < len(p); {
		n, v := a.reader.Next(p[start:])
		piece := p[start : start+n]
		start += n
		if len(w.event)+len(piece) > a.f.g.MaxEvent {
			a.f.failed(errLongEvent)
			return nil, false
		}
		switch {
		case !v.Has(dialect.Whole):
			w.event = append(w.event, piece...)
		case v.Has(dialect.Alien) && a.reader.Ended():
			w.event = w.event[:0]
		case v.Has(dialect.Data) && !a.event(v, w.event, piece):
			return nil, false
		default:
			w.add(piece)
		}
	}
	return w.out, true
}

// waiting is the beginning of the event that has not ended.
func (w *rewriter) waiting() []byte {
	if w == nil {
		return nil
	}
	return w.event
}

// add changes an event, the last part of which is piece, and adds it to out.
func (w *rewriter) add(piece []byte) {
	event := piece
	if len(w.event) > 0 {
		w.event = append(w.event, piece...)
		event = w.event
	}
	result := event
	if w.lines {
		result, _ = w.editor.Line(w.rules, event) // what the rules do not fit passes as it is
	} else {
		result, _ = w.editor.Event(w.rules, event)
	}
	w.out = append(w.out, result...)
	w.event = w.event[:0]
}

// rest passes on what is left of a response that is complete: an event without
// the line break that ends it.
func (a *attempt) rest() {
	if w := a.rewriter; w != nil && len(w.event) > 0 && a.stage == relaying {
		w.out = w.out[:0]
		w.add(nil)
		a.relay(w.out)
	}
}
