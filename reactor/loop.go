package reactor

import (
	"errors"
	"fmt"
	"io"
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

// A Task is run on a loop by Loop.Post.
type Task interface{ Run() }

// TaskFunc is a function as a Task.
type TaskFunc func()

func (f TaskFunc) Run() { f() }

// Loop is one event loop. Post may be called from any goroutine, everything
// else only on the loop: from a Handler, a Task or a timer.
type Loop struct {
	reactor   *Reactor
	id        int
	sys       System
	poller    Poller
	conns     []*Conn // by descriptor
	held      int     // descriptors of connections, those included that wait for a writer
	listeners map[int]*listener
	resting   resting
	clock     clock
	owner     invariant.Owner // the goroutine that runs it
	now       time.Time       // zero until somebody asks in this turn
	buf       []byte          // what a read goes into
	spares    [][]byte        // for bytes that are kept
	dirty     []*Conn         // to be flushed at the end of the turn
	resumed   []*Conn         // to be read at the end of the turn
	again     []*Conn         // to be read on in the next turn
	offers    []Spares        // who may close a connection when there is no descriptor
	later     []Task          // to be run at the end of the turn

	dirtySpare, resumedSpare []*Conn
	laterSpare               []Task

	turns     uint64 // that have ended
	turn      *Conn  // whose callback is running
	postponed bool   // the last turn that ran tasks has not run all of them
	ending    bool   // connections are being ended: no more of them
	local     any

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
	return &Loop{
		reactor: r, id: id, sys: r.cfg.System, poller: poller,
		listeners: make(map[int]*listener),
		clock:     clock{wheel: wheel.New(time.Now())},
		buf:       make([]byte, readSize),
	}, nil
}

// ID is the loop's number, from 0.
func (l *Loop) ID() int { return l.id }

// Local is what SetLocal put there: the place for what a user of the reactor
// keeps once a loop. SetLocal is for Config.Setup.
func (l *Loop) Local() any     { return l.local }
func (l *Loop) SetLocal(v any) { l.local = v }

// Turns is how many turns the loop has made: how often it had something to do.
func (l *Loop) Turns() uint64 { return l.turns }

// Now is the time at which the present turn first asked for it.
func (l *Loop) Now() time.Time {
	if invariant.Enabled { // not check alone: this is to be inlined
		l.check()
	}
	if l.now.IsZero() {
		l.now = time.Now()
	}
	return l.now
}

// Post has t run on the loop soon, after what was posted before. Any
// goroutine. It never waits; once the loop has stopped, t is not run.
func (l *Loop) Post(t Task) {
	if !l.enqueue(t) {
		drop(t)
	}
}

// Later has t run at the end of the present turn, before what the turn has left
// in outputs is written. It is Post for the loop itself, at no cost.
func (l *Loop) Later(t Task) {
	l.check()
	l.later = append(l.later, t)
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

// Dropper is a Task that has something to give back when its loop has stopped
// before it could run. Dropped is called then, on the goroutine that posted the
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
	if err := l.poller.Run(l); err != nil {
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
	rest, l.tasks = append(l.tasks, l.later...), nil
	l.dead = true
	return rest
}

// abandon ends all that is on the loop. Descriptors that a goroutine is
// writing to are closed when it comes back.
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

// Ready is one event of the kernel, from the poller.
func (l *Loop) Ready(fd int, ev Event) {
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
		// accepted or dialled, meant for the former owner of its descriptor.
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

// Woken runs the tasks.
func (l *Loop) Woken() (more bool) {
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
	l.readOn()
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

// postpone puts what a turn had no time for in front of what was posted since.
func (l *Loop) postpone(rest []Task) {
	l.mu.Lock()
	l.tasks = append(append(make([]Task, 0, len(rest)+len(l.tasks)), rest...), l.tasks...)
	l.mu.Unlock()
	l.poller.Wake()
}

// readOn continues with connections whose share of an earlier turn was used up.
func (l *Loop) readOn() {
	todo := l.again
	l.again = nil
	for _, c := range todo {
		c.waiting = false
		l.guard(c, c.readOn)
	}
}

// endTurn runs what was put off, reads resumed connections, writes what the
// turn left in outputs and sets the clock. Each may cause more of the others;
// what two connections could go on with for ever is cut short and continued in
// the next turn.
func (l *Loop) endTurn() {
	for round := 0; l.unfinished() && round < roundsPerTurn; round++ {
		l.runLater()
		l.resume()
		l.flushDirty()
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

func (l *Loop) unfinished() bool { return len(l.later)+len(l.resumed)+len(l.dirty) > 0 }

func (l *Loop) runLater() {
	if len(l.later) == 0 {
		return
	}
	todo := l.later
	l.later = l.laterSpare[:0]
	for _, t := range todo {
		l.task(t)
	}
	clear(todo)
	l.laterSpare = todo[:0]
}

func (l *Loop) resume() {
	if len(l.resumed) == 0 {
		return
	}
	todo := l.resumed
	l.resumed = l.resumedSpare[:0]
	for _, c := range todo {
		c.resumed = false
		l.guard(c, c.goOn)
	}
	clear(todo) // or what has closed would be kept
	l.resumedSpare = todo[:0]
}

func (l *Loop) flushDirty() {
	if len(l.dirty) == 0 {
		return
	}
	todo := l.dirty
	l.dirty = l.dirtySpare[:0]
	for _, c := range todo {
		c.dirty = false
		l.flush(c)
	}
	clear(todo)
	l.dirtySpare = todo[:0]
}

func (l *Loop) flush(c *Conn) {
	l.turn = c
	defer l.rescue()
	c.lock()
	c.flush(nil, nil, true)
}

// guard runs f, which is about c; a panic costs c and nothing else.
func (l *Loop) guard(c *Conn, f func()) {
	l.turn = c
	defer l.rescue()
	f()
}

// rescue is deferred around everything that runs handlers.
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
	c.timer.Owner = c
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

// forget takes c out of the table. Its descriptor is closed by release.
func (l *Loop) forget(c *Conn, reset bool) {
	l.conns[c.fd] = nil
	l.resting.remove(c)
	c.reset = reset
}

// release closes the descriptor, when nobody writes to it any more.
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
