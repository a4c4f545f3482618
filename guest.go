package weir

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"weir/internal/guest"
	"weir/reactor"
)

func init() {
	guest.New = func(handler any) guest.Server { return newGuests(handler.(Handler)) }
	guest.Of = func(server any) guest.Server { return guests{server.(*Server)} }
}

// guests serves requests that another server has received, by way of
// internal/guest. Its Server is one that was started, or has no event loops.
type guests struct{ srv *Server }

func newGuests(h Handler) guests {
	s := &Server{Handler: h}
	_ = s.Limits.fillIn() // of defaults it cannot fail
	s.Timeouts.fillIn()
	s.prepareRouting()
	s.started = true
	return guests{s}
}

// Serve serves a request on the goroutine that calls it.
func (gs guests) Serve(from *guest.Request) error {
	gs.srv.mu.Lock()
	started := gs.srv.started
	gs.srv.mu.Unlock()
	if !started {
		return guest.ErrNotStarted
	}
	gs.srv.stats.visits.Add(1)
	g := &visit{srv: gs.srv, from: from, done: from.Done, wake: make(chan struct{}, 1)}
	ex := &exchange{srv: gs.srv, wire: g, carrier: g}
	ex.req.ex, ex.res.ex, ex.out = ex, ex, &ex.res
	ex.res.header.framed, ex.res.header.ex = true, ex
	ex.req.remote = from.Remote
	g.ex = ex
	g.begin()
	return g.run()
}

// visit is wire and carrier of one request that another server has received.
// The goroutine on which that server has called its handler stands for the
// event loop: it alone reads a body that is to be whole, writes the response,
// and runs inline handlers, sources and timers. Other handlers run on
// goroutines of their own, as they do on a reactor. What they write is kept
// here, up to the high mark, and written in one piece by the loop's goroutine.
type visit struct {
	srv  *Server
	ex   *exchange
	from *guest.Request

	mu       sync.Mutex  // also guards the exchange, see locked
	first    *guest.Head // committed, and not written
	pending  []byte
	flying   int // bytes that are being written
	trailers []guest.Field
	err      error         // why nothing can be written any more
	above    bool          // pending was above the high mark, and has not come down to the low one
	roomy    chan struct{} // closed when it has

	tasks guestTasks
	wake  chan struct{} // has a token when there is something to do

	// The goroutine's own.
	aborted error           // the response is to be cut
	done    <-chan struct{} // closed when the client has disconnected; nil when that was heeded
	timers  map[*reactor.Timer]time.Time
	spare   []byte // for pending
	chunk   []byte // see scratch
	sized   bool   // the head says how long the body is
}

// begin is the part of a request up to its handler.
func (g *visit) begin() {
	ex, r := g.ex, &g.ex.req
	n, err := r.head.Parse(g.from.Head, &g.srv.headLimits)
	if err == nil && n == 0 {
		err = errors.New("weir: the head of the request is not complete")
	}
	if err != nil {
		g.refuse(err)
		return
	}
	r.raw = g.from.Head[:n]
	r.header.parsed = &r.head
	r.route = g.srv.find(g.srv.mux(), r)
	ex.traceStart()
	switch {
	case g.late():
		g.srv.refused.Add(1)
		g.refuse(ErrServerClosed)
	case !g.admitted():
	case r.route.mode == onLoop:
		g.refuse(ErrNeedsLoop)
	case g.from.Body == nil, r.route.mode == early:
		g.dispatch()
	default:
		g.takeBody()
	}
}

// late reports whether requests are refused, as the server shuts down.
func (g *visit) late() bool {
	select {
	case <-g.srv.draining:
		return true
	default:
		return false
	}
}

// admitted asks OnHeaders.
func (g *visit) admitted() (yes bool) {
	f := g.srv.OnHeaders
	if f == nil {
		return true
	}
	ex := g.ex
	ex.onLoop, ex.ended = true, time.Now()
	returned := ex.call("OnHeaders", func() { yes = f(&ex.res, &ex.req) }, ex.crash)
	yes = returned && yes && !ex.over()
	if returned && !yes {
		ex.handled()
	}
	g.inlineOver()
	return yes
}

// takeBody decides what becomes of the request body.
func (g *visit) takeBody() {
	r, limit := &g.ex.req, g.ex.req.route.bodyLimit(g.srv)
	length := r.head.ContentLength()
	switch {
	case limit > 0 && length > limit:
		g.refuse(ErrBodyTooLarge)
		return
	case r.route.buffers() && !g.srv.bodies.fits(length):
		g.refuse(ErrBodiesFull)
		return
	}
	body := &guestBody{g: g, limit: limit}
	r.gathers = r.route.gated
	if r.gathers || r.route.mode == whileArriving {
		r.reader = body
		g.dispatch()
		return
	}
	if err := body.readAll(); err != nil {
		g.refuse(err)
		return
	}
	g.dispatch()
}

// dispatch runs the handler.
func (g *visit) dispatch() {
	ex := g.ex
	if ex.req.route.inline() {
		ex.onLoop, ex.ended = true, time.Now()
		ex.serve(ex.req.route.handler)
		if p := g.inlineOver(); p != nil {
			p.start()
		}
		return
	}
	if g.srv.handlers.Add(1) > int64(g.srv.Limits.Handlers) {
		g.srv.handlers.Add(-1)
		ex.req.reader = nil
		g.refuse(ErrBusy)
		return
	}
	ex.counted = true
	go ex.serve(ex.req.route.handler)
}

// inlineOver returns the pump of an inline handler that is to be started.
func (g *visit) inlineOver() *pump {
	l := g.ex.lock()
	g.ex.onLoop = false
	p := g.ex.stream.pump
	if g.ex.over() {
		p = nil
	}
	l.unlockOnLoop()
	return p
}

// refuse makes an error the response to a request whose handler does not run.
func (g *visit) refuse(err error) {
	ex := g.ex
	ex.traceStart()
	ex.forgetBody()
	l := ex.lock()
	if ex.over() {
		l.unlockOnLoop()
		return
	}
	ex.served = true
	ex.close = ex.close || err != ErrBusy // there may be a body that was not read
	l.refuseStream(err)
	l.answerError(statusOf(err), err)
}

// run is the loop.
func (g *visit) run() error {
	clock := time.NewTimer(time.Hour)
	defer clock.Stop()
	for {
		g.tasks.run()
		g.runTimers(clock)
		if ended, err := g.write(); ended {
			return g.end(err)
		}
		select {
		case <-g.wake:
		case <-clock.C:
		case <-g.done:
			g.done = nil
			g.disconnected()
		}
	}
}

// disconnected reports to the handler that the client has disconnected. As on a
// reactor a stream ends by that, while another response is still written: the
// client may have shut only its sending side.
func (g *visit) disconnected() {
	at := time.Now()
	l := g.ex.lock()
	stream := g.ex.stream.id != 0
	l.unlockOnLoop()
	first := false
	if stream {
		first = g.ex.cut(ErrClientGone)
	} else {
		first = g.ex.depart(ErrClientGone)
	}
	if first {
		g.srv.stats.told(at)
	}
	g.ex.endBody(ErrClientGone)
}

// end is the last of the request: err is why the response is not complete.
func (g *visit) end(err error) error {
	ex := g.ex
	if err != nil {
		if at := time.Now(); ex.cut(err) && ex.req.route != nil {
			g.srv.stats.told(at)
		}
		ex.endBody(err)
	}
	ex.stopBeat()
	ex.reportCut()
	g.tasks.close()
	return err
}

// write writes what is pending. It reports whether the response has ended, and
// if so, why it is not complete.
func (g *visit) write() (ended bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.err == nil && (g.first != nil || len(g.pending) > 0) {
		g.writeOnce()
	}
	over, broken := g.ex.over(), g.ex.cutOff()
	switch {
	case g.aborted != nil:
		return true, g.aborted
	case g.err != nil:
		return true, g.err
	case over && (broken || g.ex.sent.Status == 0):
		if err = g.ex.cause; err == nil {
			err = ErrStreamEnded
		}
		return true, err
	case over:
		g.from.Response.Trailers(g.trailers)
		return true, nil
	}
	return false, nil
}

// writeOnce writes what is pending now, without the lock.
func (g *visit) writeOnce() {
	head, p := g.first, g.pending
	whole := progress(g.ex.state.Load()) == whole
	g.first, g.pending, g.spare, g.flying = nil, g.spare[:0], nil, len(p)
	g.mu.Unlock()
	err := g.send(head, p, whole)
	g.mu.Lock()
	g.flying = 0
	if cap(p) <= 64<<10 {
		g.spare = p[:0]
	}
	if err != nil {
		g.err = err
		g.pending = nil
	}
	if g.err != nil || g.above && len(g.pending) <= g.srv.Limits.LowMark {
		g.above = false
		g.release()
		if p := g.ex.stream.pump; p != nil {
			p.post()
		}
	}
}

// send writes a piece of the response. What is whole and says how long it is
// need not be flushed: the other server does that.
func (g *visit) send(head *guest.Head, p []byte, whole bool) error {
	to := g.from.Response
	by := time.Now().Add(g.srv.Timeouts.WriteStall)
	if head != nil {
		g.sized = head.Length >= 0
		to.Head(head)
	}
	if len(p) > 0 {
		if err := to.Write(p, by); err != nil {
			return guestError(err)
		}
	}
	if whole && g.sized {
		return nil
	}
	if err := to.Flush(by); err != nil {
		return guestError(err)
	}
	return nil
}

// guestError is why the other server could not write, or read, in weir's words.
func guestError(err error) error {
	var late interface{ Timeout() bool }
	if errors.As(err, &late) && late.Timeout() {
		return ErrSlowClient
	}
	return fmt.Errorf("%w: %w", ErrClientGone, err)
}
