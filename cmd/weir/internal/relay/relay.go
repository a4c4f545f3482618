// Package relay takes a client's request to an upstream and the answer back.
//
// Everything happens on the event loop of the client's connection, where the
// upstream's connection lives too: a token costs one read and one write.
//
//	client ──body──> gather ──model known──> upstream.Do
//	       <─first event── hold <── head, body ──┘
//	       <─────── each piece that arrives ─────┘
package relay

import (
	"errors"
	"io"
	"log/slog"
	"time"

	"weir"
	"weir/client"
	"weir/cmd/weir/internal/openai"
	"weir/cmd/weir/internal/upstream"
	"weir/http1"
	"weir/internal/wheel"
	"weir/sse"
)

// gatherLimit is how much of a request body is kept so that it can be sent
// whole, and again. What is longer is relayed while it arrives (G8).
const gatherLimit = 64 << 10

// Timeouts bound what an upstream may take (G5). Zero = no limit.
type Timeouts struct{ Connect, FirstEvent, Idle time.Duration }

// Gateway relays to one upstream.
type Gateway struct {
	Upstream *upstream.Upstream
	Timeouts Timeouts
	MaxBody  int64 // bytes of a request; beyond it 413
	MaxEvent int   // bytes of a line of an event stream
	Log      *slog.Logger
}

// Serve begins to relay one request. It is to be registered with
// HandleInlineBody.
func (g *Gateway) Serve(w *weir.Response, r *weir.Request) {
	if n := r.ContentLength(); n > g.MaxBody {
		answer(w, openai.TooLarge(g.MaxBody))
		return
	}
	f := &flow{g: g, w: w, r: r, s: w.Stream(), length: r.ContentLength()}
	f.timer.Owner = f
	f.s.Detach()
	f.s.OnClose(f.clientDone)
	r.OnBody(f.body)
}

// answer is an error made here, before or instead of a stream.
func answer(w *weir.Response, e *openai.Error) {
	w.Header().Clear()
	w.SetStatus(e.Status)
	_ = w.Header().Set("Content-Type", "application/json") // constants
	_, _ = w.Write(e.Append(nil))
}

// stage is how far a request has come.
type stage uint8

const (
	gathering stage = iota // the request's body
	asking                 // the upstream, which has not answered
	holding                // the head of its answer, until the first event
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

	call    upstream.Call
	events  bool // the answer is an event stream
	frames  sse.Framer
	held    []byte // of the answer, until the first event is complete
	first   bool   // an event has gone by
	done    bool   // [DONE] has gone by
	paused  bool   // the client is behind, the upstream waits
	timer   wheel.Timer
	due     time.Time
	limited error // what it means when the timer runs out
}

var (
	errConnect    = errors.New("the upstream could not be connected to in time")
	errFirstEvent = errors.New("the upstream sent no event in time")
	errIdle       = errors.New("the upstream went silent")
	errNoDone     = errors.New("the upstream ended the stream before it was finished")
	errLongEvent  = errors.New("the upstream sent a line beyond the limit for events")
)

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
		if len(p) > 0 && !f.call.Write(p) {
			f.r.PauseBody()
		}
		if err == io.EOF {
			f.call.EndBody()
		}
	}
}

// gathered asks the upstream as soon as enough of the request is known.
func (f *flow) gathered(whole bool) {
	switch {
	case whole && !f.peek.Complete():
		f.refuse(openai.BadJSON())
	case whole && f.peek.Model == "":
		f.refuse(openai.MissingModel())
	case whole:
		f.ask(false)
	case len(f.buf) >= gatherLimit && f.peek.Known():
		f.ask(true)
	}
}

func (f *flow) ask(more bool) {
	length := f.length
	if !more {
		length = int64(len(f.buf))
	}
	f.stage = asking
	f.limit(f.g.Timeouts.Connect, errConnect)
	call, err := f.g.Upstream.Do(f.w.Loop(), &upstream.Request{
		Method: f.r.Method(), Path: f.path(), Fields: requestFields(f.r),
		Length: length, Body: f.buf, More: more,
	}, f)
	if err != nil {
		f.fail(err)
		return
	}
	f.call = call
}

func (f *flow) path() string {
	p := string(f.r.Path())
	if q := f.r.RawQuery(); len(q) > 0 {
		p += "?" + string(q)
	}
	return p
}

// Head is the upstream's. Status and fields stay open until the first event.
func (f *flow) Head(h *http1.Response) {
	f.stage = holding
	f.limit(f.g.Timeouts.FirstEvent, errFirstEvent)
	f.w.SetStatus(h.Status())
	answerFields(f.w.Header(), h)
	f.events = h.Status() < 300 && isEventStream(h.Get("Content-Type"))
	if f.events { // G13
		_ = f.w.Header().Set("Cache-Control", "no-cache, no-transform") // constants
		_ = f.w.Header().Set("X-Accel-Buffering", "no")
		return
	}
	if kind, n := h.Body(f.r.Method()); kind == http1.BodyLength {
		_ = f.w.SetContentLength(n) // parsed: not negative
	}
}

// Body is the upstream's: a piece of its answer, passed on as it is (G1).
func (f *flow) Body(p []byte) {
	if f.events && !f.look(p) {
		f.fail(errLongEvent)
		return
	}
	if f.stage == holding {
		f.held = append(f.held, p...)
		if f.events && !f.first {
			if len(f.held) > f.g.MaxEvent {
				f.fail(errLongEvent)
			}
			return
		}
		f.stage = relaying
		p, f.held = f.held, nil
	}
	f.limit(f.g.Timeouts.Idle, errIdle)
	f.push(p)
}

// push passes bytes on; a client that is behind stops the upstream (G7).
func (f *flow) push(p []byte) {
	if f.s.Push(p) == nil && f.s.Behind(f.resume) { // else the client is gone, and clientDone has been told
		f.paused = true
		f.call.Pause()
	}
}

func (f *flow) resume() {
	f.paused = false
	if f.stage == relaying {
		f.limit(f.g.Timeouts.Idle, errIdle) // the upstream was not to blame
		f.call.Resume()
	}
}

// look finds the events in p, without touching them. It returns false for a
// line beyond the limit.
func (f *flow) look(p []byte) bool {
	for len(p) > 0 {
		n, complete := f.frames.Next(p)
		p = p[n:]
		if f.frames.Longest() > f.g.MaxEvent {
			return false
		}
		if complete {
			f.first = f.first || f.frames.HasData()
			f.done = f.done || f.frames.DoneMarker()
		}
	}
	return true
}

// Drained is the upstream's: the request's body may go on.
func (f *flow) Drained() { f.r.ResumeBody() }

// Done is the upstream's last word.
func (f *flow) Done(err error) {
	f.call = nil
	switch {
	case f.stage == over:
	case err != nil:
		f.fail(err)
	case f.events && !f.done: // G4: a clean end without [DONE] is a broken stream
		f.fail(errNoDone)
	default:
		f.stop()
		_ = f.s.Close() // what is wrong with the client is not ours to tell
	}
}

// fail ends the request because the upstream failed: with an error answer
// while nothing is out, in the stream's own form when events are, else by
// cutting the connection (G4).
func (f *flow) fail(err error) {
	before := f.stage < relaying
	f.g.Log.Warn("upstream failed", "upstream", f.g.Upstream.Name, "err", err, "after_first_event", !before)
	f.stop()
	e := openai.ServerError(statusOf(err), messageOf(err))
	switch {
	case before:
		f.respond(e)
	case f.events:
		var b []byte
		if f.frames.Open() {
			b = append(b, "\n\n"...)
		}
		_ = f.s.Push(e.AppendEvent(b)) // Close tells
		_ = f.s.Close()
	default:
		f.s.Abort(err)
	}
}

// refuse answers without asking an upstream, or no further.
func (f *flow) refuse(e *openai.Error) {
	f.stop()
	f.respond(e)
}

func (f *flow) respond(e *openai.Error) {
	body := e.Append(nil)
	f.w.Header().Clear()
	f.w.SetStatus(e.Status)
	_ = f.w.Header().Set("Content-Type", "application/json") // constants
	_ = f.w.SetContentLength(int64(len(body)))
	_ = f.s.Push(body) // Close tells
	_ = f.s.Close()
}

// stop ends what runs on the upstream's side.
func (f *flow) stop() {
	f.stage = over
	f.w.Loop().StopTimer(&f.timer)
	if call := f.call; call != nil {
		f.call = nil
		call.Cancel()
	}
}

// clientDone is told once, when the answer has ended: with a cause when the
// client left (G3).
func (f *flow) clientDone(cause error) {
	if f.stage != over {
		f.stop()
	}
}

// limit sets how long the next step may take. The timer is moved only when it
// runs out, not at every event.
func (f *flow) limit(d time.Duration, meaning error) {
	fresh := meaning != f.limited || !f.timer.Running()
	f.limited = meaning
	if d == 0 {
		f.due = time.Time{}
		return
	}
	if f.due = f.w.Loop().Now().Add(d); fresh {
		f.w.Loop().StartTimer(&f.timer, f.due)
	}
}

// Timeout is the wheel's.
func (f *flow) Timeout(t *wheel.Timer) {
	now := f.w.Loop().Now()
	switch {
	case f.stage == over || f.due.IsZero() || f.paused: // resume starts it anew
	case now.Before(f.due):
		f.w.Loop().StartTimer(t, f.due)
	case f.limited == errConnect && f.call != nil && f.call.Connected():
		f.limit(f.g.Timeouts.FirstEvent, errFirstEvent)
	default:
		f.fail(f.limited)
	}
}

func statusOf(err error) int {
	if errors.Is(err, errConnect) || errors.Is(err, errFirstEvent) || errors.Is(err, errIdle) {
		return 504
	}
	return 502
}

// messageOf tells the client what went wrong, without telling it where.
func messageOf(err error) string {
	switch {
	case errors.Is(err, client.ErrConnect):
		return "The upstream is not reachable."
	case errors.Is(err, client.ErrNoAnswer), errors.Is(err, client.ErrTruncated):
		return "The upstream closed the connection before its answer was complete."
	case statusOf(err) == 504, errors.Is(err, errNoDone), errors.Is(err, errLongEvent):
		return "Relaying failed: " + err.Error() + "."
	}
	return "The upstream sent an answer that is not valid HTTP."
}

func isEventStream(contentType []byte) bool {
	const want = "text/event-stream"
	return len(contentType) >= len(want) && string(contentType[:len(want)]) == want
}
