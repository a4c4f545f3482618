package reactor

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"weir/internal/invariant"
	"weir/internal/wheel"
)

const (
	readSize      = 64 << 10
	tasksPerTurn  = 1024
	roundsPerTurn = 8
	spareBuffers  = 16
	slowTurn      = time.Millisecond // reported in builds with -tags invariants
)

// A Task is something to do on a loop: Run is called there, by [Loop.Post],
// [Loop.Later] or a [Timer].
type Task interface{ Run() }

// TaskFunc is a function as a [Task].
type TaskFunc func()

func (f TaskFunc) Run() { f() }

// A Loop is one event loop. Its methods must be called on the loop, that is
// from a Handler, a Task or Config.Setup, except for Post, ID and Logger, which
// are safe for concurrent use.
//
// The poller calls the loop once for each thing that has happened, and each
// call is a turn. It begins with one of these:
//
//	Ready  an event of a connection: it reads its share and calls Data, reports
//	       the peer's end, and writes what has waited for the kernel to have room;
//	       or an event of a listener: it accepts a bounded number of connections
//	Woken  the posted tasks, a bounded number; then the connections that have not
//	       read all there was, because their share of an earlier turn was used up
//	Tick   the tasks of the timers that have expired
//
// Events come before tasks, and both before timers: a deadline must not pass
// while what would have stopped it waits in the kernel (clock.go).
//
// Each turn then ends in this order (endTurn): the tasks of Later, which still
// write; the connections that were resumed, whose handlers see what they had
// not consumed, and write; and one write for each connection on which Defer was
// called. Each step may cause more of the others, so they are repeated, a
// bounded number of times; the rest is for the next turn. Last, the poller's
// alarm is set for the nearest timer.
type Loop struct {
	reactor   *Reactor
	id        int
	sys       System
	files     FileSender // sys, if it is one
	poller    Poller
	conns     []*Conn // by descriptor
	held      int     // descriptors of connections, those included that wait for a writer
	listeners map[int]*listener
	resting   resting
	clock     clock
	owner     invariant.Owner // the goroutine that runs it
	now       time.Time       // zero until it is needed in this turn
	buf       []byte          // what a read goes into
	plain     []byte          // what is decrypted goes into; nil before there is TLS
	shakes    [2]handshakes   // of TLS: of accepted connections, and of dialled ones
	spares    [][]byte        // for bytes that are kept
	dirty     queue[*Conn]    // to be flushed at the end of the turn
	resumed   queue[*Conn]    // to be read at the end of the turn
	again     queue[*Conn]    // to be read on in the next turn
	later     queue[Task]     // to be run at the end of the turn
	offers    []Spares        // which may close a connection when there is no descriptor

	turns     uint64 // that have ended
	turn      *Conn  // whose callback is running
	postponed bool   // the last turn that ran tasks has not run all of them
	ending    bool   // connections are being ended: no more of them

	mu      sync.Mutex
	tasks   []Task
	running []Task
	stop    bool // asked to stop
	dead    bool // has stopped: the poller is gone
}

func newLoop(r *Reactor, id int) (*Loop, error) {
	poller, err := r.cfg.System.NewPoller()
	if err != nil {
		return nil, fmt.Errorf("reactor: opening loop %d: %w", id, err)
	}
	files, _ := r.cfg.System.(FileSender)
	return &Loop{
		reactor: r, id: id, sys: r.cfg.System, files: files, poller: poller,
		listeners: make(map[int]*listener),
		clock:     clock{wheel: wheel.New(time.Now())},
		buf:       make([]byte, readSize),
	}, nil
}

// ID returns the loop's number, from 0.
func (l *Loop) ID() int { return l.id }

// Logger is [Reactor.Logger].
func (l *Loop) Logger() *slog.Logger { return l.reactor.Logger() }

// Turns returns how many turns the loop has made: how often it had something to
// do.
func (l *Loop) Turns() uint64 {
	l.check()
	return l.turns
}

// Check panics in builds with -tags invariants if it is not called on the loop,
// and does nothing in others: for users' methods that must be called there.
func (l *Loop) Check() { l.check() }

// Now returns the time at which it was first called in the current turn.
func (l *Loop) Now() time.Time {
	if invariant.Enabled { // not check alone: this is to be inlined
		l.check()
	}
	if l.now.IsZero() {
		l.now = time.Now()
	}
	return l.now
}

// Post runs t on the loop soon, after what was posted before. It never waits,
// and is safe for concurrent use. Once the loop has stopped, t does not run:
// see [Dropper].
func (l *Loop) Post(t Task) {
	if !l.enqueue(t) {
		drop(t)
	}
}

// Later runs t at the end of the current turn, before the output of
// [Conn.Defer] is written. It is [Loop.Post] for the loop itself, at no cost.
func (l *Loop) Later(t Task) {
	l.check()
	l.later.add(t)
}

func (l *Loop) enqueue(t Task) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return false
	}
	l.tasks = append(l.tasks, t)
	if len(l.tasks) == 1 {
		l.poller.Wake()
	}
	return true
}

// A Dropper is a [Task] that has something to free if its loop has stopped
// before it could run. Dropped is then called on the goroutine that posted the
// task or, while the loop stops, on the loop's.
type Dropper interface{ Dropped() }

func drop(t Task) {
	if d, ok := t.(Dropper); ok {
		d.Dropped()
	}
}

func (l *Loop) run() {
	defer l.reactor.loops.Done()
	l.owner.Take()
	l.beginTurn()
	l.endTurn() // what Config.Setup has put off
	if err := l.poller.Run((*sink)(l)); err != nil {
		l.reactor.log("event loop failed", err)
		l.abandon()
		l.endTurn() // what that has put off
	}
	for _, t := range l.die() {
		drop(t)
	}
	_ = l.poller.Close() // its descriptors only; nothing is lost
}

// die returns the tasks that will not run.
func (l *Loop) die() (rest []Task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest, l.tasks = append(l.tasks, l.later.items...), nil
	l.dead = true
	return rest
}

// abandon ends all that is on the loop. Descriptors that a goroutine is writing
// to are closed when it returns.
func (l *Loop) abandon() {
	l.ending = true
	for _, lis := range l.listeners {
		l.unlisten(lis)
	}
	for _, c := range l.conns {
		if c != nil {
			l.guard(c, func() { c.destroy(ErrStopped, true) })
		}
	}
}

func (l *Loop) beginTurn() {
	l.now = time.Time{}
	if invariant.Enabled {
		l.now = time.Now()
	}
}

// sink is a Loop as its poller sees it.
type sink Loop

// Ready is one event of the kernel.
func (s *sink) Ready(fd int, ev Event) {
	l := (*Loop)(s)
	l.beginTurn()
	l.clock.heard = true
	var c *Conn
	if fd < len(l.conns) {
		c = l.conns[fd]
	}
	if c == nil {
		if lis := l.listeners[fd]; lis != nil {
			lis.accept(l)
			l.endTurn()
		}
		return // else a late event of a descriptor that is closed
	}
	if c.fresh {
		// This could be an event of the round in which the connection was
		// accepted or dialled, for the former owner of its descriptor.
		c.fresh = false
		c.wary = ev&(HalfClosed|Dead) != 0
		if c.wary || c.phase == connecting {
			ev = l.sys.State(fd)
		}
	}
	l.event(c, ev)
	l.endTurn()
}

func (l *Loop) event(c *Conn, ev Event) {
	l.turn = c
	defer l.rescue()
	c.ready(ev)
}

// Woken runs the posted tasks.
func (s *sink) Woken() (more bool) {
	l := (*Loop)(s)
	l.beginTurn()
	l.mu.Lock()
	l.tasks, l.running = l.running[:0], l.tasks
	stop := l.stop
	l.mu.Unlock()
	l.postponed = len(l.running) > tasksPerTurn
	l.clock.heard = l.clock.heard || len(l.running) > 0
	for i, t := range l.running {
		if i == tasksPerTurn {
			l.postpone(l.running[i:])
			break
		}
		l.task(t)
	}
	clear(l.running)
	l.again.drain(l.readOn)
	if stop {
		l.abandon()
	}
	l.endTurn()
	return !stop || l.held > 0
}

func (l *Loop) task(t Task) {
	l.turn = nil
	defer l.rescue()
	t.Run()
}

// postpone puts what a turn had no time for before what was posted since.
func (l *Loop) postpone(rest []Task) {
	l.mu.Lock()
	l.tasks = append(append(make([]Task, 0, len(rest)+len(l.tasks)), rest...), l.tasks...)
	l.mu.Unlock()
	l.poller.Wake()
}

// endTurn runs the tasks of Later, reads resumed connections, writes the turn's
// output and sets the clock. Each may cause more of the others; what two
// connections could continue for ever is bounded and continues in the next
// turn.
func (l *Loop) endTurn() {
	for round := 0; l.unfinished() && round < roundsPerTurn; round++ {
		l.later.drain(l.task)
		l.resumed.drain(l.resume)
		l.dirty.drain(l.flush)
	}
	if l.unfinished() {
		l.poller.Wake()
	}
	l.turn = nil
	l.turns++
	if l.clock.rearm {
		l.setClock()
	}
	if invariant.Enabled && time.Since(l.now) > slowTurn {
		l.reactor.log("slow turn of the event loop", fmt.Errorf("a handler held loop %d for %v", l.id, time.Since(l.now)))
	}
}

func (l *Loop) unfinished() bool { return l.later.len()+l.resumed.len()+l.dirty.len() > 0 }

func (l *Loop) readOn(c *Conn) {
	c.waiting = false
	l.guard(c, c.readOn)
}

func (l *Loop) resume(c *Conn) {
	c.resumed = false
	l.guard(c, c.goOn)
}

func (l *Loop) flush(c *Conn) {
	c.dirty = false
	l.turn = c
	defer l.rescue()
	c.lock()
	c.flush(nil, nil, true)
}

// guard runs f for c; a panic ends c and nothing else.
func (l *Loop) guard(c *Conn, f func()) {
	l.turn = c
	defer l.rescue()
	f()
}

// rescue is deferred around everything that calls handlers.
func (l *Loop) rescue() {
	p := recover()
	if p == nil {
		return
	}
	invariant.Pass(p)
	l.reactor.log("panic on the event loop", fmt.Errorf("%v\n%s", p, debug.Stack()))
	if c := l.turn; c != nil && c.phase != closed {
		l.turn = nil
		defer l.rescue()
		c.destroy(fmt.Errorf("reactor: handler panicked: %v", p), true)
	}
}

// adopt makes fd a connection of this loop.
func (l *Loop) adopt(c *Conn, fd int) error {
	c.loop, c.fd, c.fresh = l, fd, true
	c.timer.Init((*overdue)(c))
	if err := l.poller.Add(fd); err != nil {
		return err
	}
	for fd >= len(l.conns) {
		l.conns = append(l.conns, make([]*Conn, max(64, fd+1-len(l.conns)))...)
	}
	l.conns[fd] = c
	l.held++
	return nil
}

// forget removes c from the table. release closes its descriptor.
func (l *Loop) forget(c *Conn, reset bool) {
	l.conns[c.fd] = nil
	l.resting.remove(c)
	c.reset = reset
}

// release closes the descriptor, unless a goroutine is writing to it.
func (l *Loop) release(c *Conn) {
	if err := l.sys.Close(c.fd, c.reset); err != nil {
		l.reactor.log("closing a connection", err)
	}
	l.held--
	l.reactor.countOut(c.origin)
}

func (l *Loop) spareBuffer() []byte {
	if n := len(l.spares); n > 0 {
		b := l.spares[n-1]
		l.spares = l.spares[:n-1]
		return b
	}
	return make([]byte, 0, 4<<10)
}

func (l *Loop) keepBuffer(b []byte) {
	invariant.Poison(b[:cap(b)])
	if len(l.spares) < spareBuffers && cap(b) <= readSize {
		l.spares = append(l.spares, b[:0])
	}
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) }
