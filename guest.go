package weir

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/guest"
	"weir/internal/h1"
	"weir/reactor"
)

func init() {
	guest.New = func(handler any) guest.Server { return newGuests(handler.(Handler)) }
	guest.Of = func(server any) guest.Server { return &guests{srv: server.(*Server)} }
}

// guests serves requests that another server has received, by way of
// internal/guest. Its Server is one that was started, or has no event loops.
type guests struct {
	srv *Server
	own *ownLoops // of a Server that has none; nil otherwise
}

func newGuests(h Handler) *guests {
	s := &Server{Handler: h}
	_ = s.Limits.fillIn() // of defaults it cannot fail
	s.Timeouts.fillIn()
	s.prepareRouting()
	s.started = true
	gs := &guests{s, new(ownLoops)}
	runtime.AddCleanup(gs, (*ownLoops).close, gs.own)
	return gs
}

// Serve serves a request on the goroutine that calls it.
func (gs *guests) Serve(from *guest.Request) error {
	gs.srv.mu.Lock()
	started := gs.srv.started
	gs.srv.mu.Unlock()
	if !started {
		return guest.ErrNotStarted
	}
	g := &visit{srv: gs.srv, from: from, done: from.Done, wake: make(chan struct{}, 1)}
	ex := &exchange{srv: gs.srv, wire: g, carrier: g}
	ex.req.ex, ex.res.ex, ex.out = ex, ex, &ex.res
	ex.res.header.framed, ex.res.header.ex = true, ex
	ex.req.remote, ex.req.proto = from.Remote, from.Proto
	g.ex = ex
	if from.Body != nil {
		g.body = &guestBody{g: g}
	}
	refused := gs.srv.visits.enter(g)
	defer gs.srv.visits.leave(gs.srv, g)
	gs.begin(g, refused)
	return g.run()
}

// begin is the part of a request up to its turn.
func (gs *guests) begin(g *visit, refused bool) {
	r := &g.ex.req
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
	g.ex.traceStart()
	if refused {
		g.srv.refused.Add(1)
		g.refuse(ErrServerClosed)
		return
	}
	if r.route.mode == onLoop {
		if g.home, err = gs.loop(); err != nil {
			g.refuse(fmt.Errorf("%w: %w", ErrNeedsLoop, err))
			return
		}
	}
	g.onTurn((*enterTask)(g))
}

// loop returns the event loop for a LoopHandler's next request: each of them in
// turn, since clients with many requests have few connections.
func (gs *guests) loop() (*reactor.Loop, error) {
	if gs.own != nil {
		return gs.own.next()
	}
	shards := gs.srv.shards
	return shards[gs.srv.visits.turns.Add(1)%uint64(len(shards))].loop, nil
}

// ownLoops are the event loops of a handler that has no server. They are made
// when the first request needs one.
type ownLoops struct {
	mu      sync.Mutex
	reactor *reactor.Reactor
	turns   int
}

func (o *ownLoops) next() (*reactor.Loop, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reactor == nil {
		r, err := reactor.New(reactor.Config{})
		if err != nil {
			return nil, err
		}
		o.reactor = r
	}
	o.turns++
	all := o.reactor.Loops()
	return all[o.turns%len(all)], nil
}

// close ends the loops of a handler that nothing refers to any more.
func (o *ownLoops) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reactor != nil {
		go o.reactor.Close() // it waits for the loops
	}
}

// visit is wire and carrier of one request that another server has received.
//
// The goroutine on which that server has called its handler alone writes the
// response, and watches for the disconnect. For all but a LoopHandler it also
// stands for the event loop (guestTurn): it reads a body that is to be whole,
// and runs inline handlers, sources and timers. A LoopHandler's request has an
// event loop of the server's, its home. Other handlers run on goroutines of
// their own, as they do on a reactor. What is sent is kept here, up to the high
// mark, and written in one piece.
type visit struct {
	srv  *Server
	ex   *exchange
	from *guest.Request
	body *guestBody    // nil if there is none
	home *reactor.Loop // of a LoopHandler's request; nil = the goroutine stands for it

	mu       sync.Mutex      // also guards the exchange, see locked
	informs  []*guest.Inform // not written
	first    *guest.Head     // committed, and not written
	pending  []byte
	unsaid   int // bytes of informs
	flying   int // bytes that are being written
	trailers []guest.Field
	close    bool          // the response is the last of its connection
	err      error         // why nothing can be written any more
	above    bool          // pending was above the high mark, and has not come down to the low one
	roomy    chan struct{} // closed when it has

	wake    chan struct{}         // has a token when there is something to do
	aborted atomic.Pointer[error] // why the response is to be cut
	tasks   guestTasks

	// The turn's own.
	upload *guestUpload // of it, to a LoopHandler; nil otherwise
	due    bool         // there is a flushTask
	timers map[*reactor.Timer]time.Time
	chunk  []byte // see scratch

	// The goroutine's own.
	done  <-chan struct{} // closed when the client has disconnected; nil when that was heeded
	spare []byte          // for pending
	sized bool            // the head says how long the body is
}

// run writes until the response has ended, and is the turn of a visit without
// a home.
func (g *visit) run() error {
	clock := time.NewTimer(time.Hour)
	defer clock.Stop()
	for {
		if g.home == nil {
			g.tasks.run()
			g.runTimers(clock)
		}
		if ended, err := g.write(); ended {
			return g.end(err)
		}
		select {
		case <-g.wake:
		case <-clock.C:
		case <-g.done:
			g.done = nil
			g.onTurn((*goneTask)(g))
		}
	}
}

// end is the last of the request: err is why the response is not complete.
func (g *visit) end(err error) error {
	g.onTurn(&endTask{g, err})
	if g.body != nil {
		g.body.stop() // behind the end, which is why
	}
	if g.home == nil {
		g.tasks.close()
	}
	return err
}

// write writes what is pending. It reports whether the response has ended, and
// if so, why it is not complete.
func (g *visit) write() (ended bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.err == nil && (len(g.informs) > 0 || g.first != nil || len(g.pending) > 0) {
		g.writeOnce()
	}
	over, broken := g.ex.over(), g.ex.cutOff()
	aborted := g.aborted.Load()
	switch {
	case aborted != nil:
		return true, *aborted
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
	informs, head, p := g.informs, g.first, g.pending
	whole := g.ex.Stage() == h1.Whole
	g.informs, g.unsaid, g.first, g.pending, g.spare, g.flying = nil, 0, nil, g.spare[:0], nil, len(p)
	g.mu.Unlock()
	for _, in := range informs {
		g.from.Response.Inform(in)
	}
	var err error
	if head != nil || len(p) > 0 {
		err = g.send(head, p, whole)
	}
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
		if g.home != nil {
			g.home.Post((*drainedTask)(g))
		}
	}
}

// writePiece is how much is written within one WriteStall.
const writePiece = 64 << 10

// send writes a piece of the response. What is whole and says how long it is
// need not be flushed: the other server does that.
func (g *visit) send(head *guest.Head, p []byte, whole bool) error {
	to := g.from.Response
	if head != nil {
		g.sized = head.Length >= 0
		to.Head(head)
	}
	for len(p) > 0 {
		n := min(len(p), writePiece)
		if err := to.Write(p[:n], g.stallAt()); err != nil {
			return guestError(err)
		}
		p = p[n:]
	}
	if whole && g.sized {
		return nil
	}
	if err := to.Flush(g.stallAt()); err != nil {
		return guestError(err)
	}
	return nil
}

// stallAt is when a client that takes nothing from now on is too slow.
func (g *visit) stallAt() time.Time { return time.Now().Add(g.srv.Timeouts.WriteStall) }

// guestError is why the other server could not write, or read, in weir's words.
func guestError(err error) error {
	var late interface{ Timeout() bool }
	if errors.As(err, &late) && late.Timeout() {
		return ErrSlowClient
	}
	return departure(err)
}
