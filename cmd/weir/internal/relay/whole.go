package relay

import (
	"errors"
	"fmt"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/policy"
	"weir/http1"
)

// This file is what a model changes by its configuration in responses that are
// not streams (G9), each when it is whole. Until then another target can be
// tried.

// errLongWhole is the failure of a response that is too large to be changed
// (G15).
var errLongWhole = errors.New("the upstream sent a response that is larger than limits.event, and so cannot be changed")

// errUnchanged is the failure of a response that the rules were to change.
var errUnchanged = errors.New("the gateway could not apply the rules of the model to the response")

// gathers reports whether a response is changed when it is whole: one in JSON
// that is not an error.
func (f *flow) gathers(h *http1.Response, s shape) bool {
	kind, _ := h.Body(f.r.Method())
	return f.model.Response != nil && s == shapeOpaque && kind != http1.BodyNone &&
		h.Status() < 300 && !isCoded(h) && http1.IsMediaType(h.Get("Content-Type"), "application/json")
}

// gather keeps a piece of such a response.
func (a *attempt) gather(p []byte) {
	f := a.f
	switch a.held = append(a.held, p...); {
	case len(a.held) > f.g.MaxEvent:
		f.failed(errLongWhole)
	case !f.account():
		f.refuse(dialect.NoRoom())
	default:
		a.awaitPiece()
	}
}

// gathered changes the response, which is whole.
func (a *attempt) gathered() {
	f := a.f
	f.clock.clear(limitStep)
	if len(a.held) > patchedInline {
		a.changeAside()
		return
	}
	e := editors.Get().(*policy.Editor)
	e.Limit = 0                                    // a request's
	result, _ := e.Apply(f.model.Response, a.held) // what the rules do not fit passes as it is
	if len(e.Edits()) > 0 {
		a.held = append(a.held[:0], result...)
		f.reply.changed()
	}
	editors.Put(e)
	a.whole()
}

// whole passes the response on.
func (a *attempt) whole() {
	f := a.f
	f.reply.length = int64(len(a.held))
	a.stage = holding
	a.release()
	f.complete()
}

// changed removes the fields that describe the very bytes of a body.
func (r *reply) changed() {
	for _, name := range [...]string{"ETag", "Content-MD5", "Digest", "Content-Digest", "Repr-Digest"} {
		r.f.w.Header().Del(name)
	}
}

// change is a response that is being changed on a goroutine, which owns what it
// works on.
type change struct {
	f      *flow
	editor policy.Editor
	body   []byte
	err    error
}

// changeAside changes a long response on a goroutine: it takes a time that is
// proportional to its length.
func (a *attempt) changeAside() {
	f := a.f
	c := &change{f: f, body: a.held}
	a.held = nil
	f.upload.aside = 2 * int64(len(c.body)) // what has arrived, and what is made of it
	if !f.account() {
		f.refuse(dialect.NoRoom())
		return
	}
	f.remote = true
	go c.apply(f.model.Response)
}

func (c *change) apply(rules *policy.Patch) {
	defer c.f.loop.Post(c)
	defer func() {
		if r := recover(); r != nil {
			c.err = fmt.Errorf("%w: panic: %v", errUnchanged, r)
		}
	}()
	c.body, _ = c.editor.Apply(rules, c.body) // what the rules do not fit passes as it is
}

// Run implements reactor.Task: the result is there.
func (c *change) Run() {
	f := c.f
	f.upload.aside = 0
	switch a := &f.attempt; {
	case f.over:
	case c.err != nil:
		f.conclude(dialect.ServerError(500, "The gateway could not apply the rules of the model to the response."), c.err)
	default:
		if a.held = c.body; len(c.editor.Edits()) > 0 {
			f.reply.changed()
		}
		a.whole()
	}
}
