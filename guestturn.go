package weir

import (
	"sync"
	"time"

	"weir/reactor"
)

// onTurn runs a task where the visit's turn is.
func (g *visit) onTurn(t reactor.Task) {
	if g.home != nil {
		g.home.Post(t)
	} else {
		t.Run()
	}
}

// Tasks of a visit's turn. A loop that has stopped drops them.
type (
	enterTask   visit // its request begins
	goneTask    visit // its client has disconnected
	drainedTask visit // its client has caught up
	flushTask   visit // what the turn has sent is to be written
	endTask     struct {
		g   *visit
		err error
	}
)

func (t *enterTask) Run()     { (*visit)(t).enter() }
func (t *enterTask) Dropped() { (*visit)(t).abort(nil, ErrServerClosed) }
func (t *goneTask) Run()      { (*visit)(t).disconnected() }
func (t *goneTask) Dropped()  { (*visit)(t).abort(nil, ErrClientGone) }
func (t *drainedTask) Run()   { t.ex.loop.drained() }
func (t *endTask) Run()       { t.g.conclude(t.err) }
func (t *endTask) Dropped()   { go t.Run() }

func (t *flushTask) Run() {
	t.due = false
	(*visit)(t).signal()
}

// guestTurn is a guest's goroutine as a turn.
type guestTurn visit

func (t *guestTurn) Post(task reactor.Task) {
	t.tasks.add(task)
	(*visit)(t).signal()
}

func (t *guestTurn) Later(task reactor.Task) { t.Post(task) }
func (t *guestTurn) Now() time.Time          { return time.Now() }

func (t *guestTurn) StartTimer(timer *reactor.Timer, at time.Time) {
	if t.timers == nil {
		t.timers = make(map[*reactor.Timer]time.Time)
	}
	t.timers[timer] = at
}

func (t *guestTurn) StopTimer(timer *reactor.Timer) { delete(t.timers, timer) }

// runTimers runs those that have expired and sets the clock for the next.
func (g *visit) runTimers(clock *time.Timer) {
	if len(g.timers) == 0 {
		return
	}
	now := time.Now()
	for timer, at := range g.timers {
		if !now.Before(at) {
			delete(g.timers, timer)
			timer.Run()
		}
	}
	next := now.Add(time.Hour)
	for _, at := range g.timers {
		if at.Before(next) {
			next = at
		}
	}
	clock.Reset(next.Sub(now))
}

// guestTasks are the tasks of a guest's goroutine. add is safe for concurrent
// use.
type guestTasks struct {
	mu     sync.Mutex
	queue  []reactor.Task
	closed bool
}

func (q *guestTasks) add(t reactor.Task) {
	q.mu.Lock()
	closed := q.closed
	if !closed {
		q.queue = append(q.queue, t)
	}
	q.mu.Unlock()
	if d, ok := t.(reactor.Dropper); ok && closed {
		d.Dropped()
	}
}

// run runs the tasks, and those that they add.
func (q *guestTasks) run() {
	for {
		q.mu.Lock()
		todo := q.queue
		q.queue = nil
		q.mu.Unlock()
		if len(todo) == 0 {
			return
		}
		for _, t := range todo {
			t.Run()
		}
	}
}

// close runs the last tasks. Later ones are dropped.
func (q *guestTasks) close() {
	for {
		q.run()
		q.mu.Lock()
		if q.closed = len(q.queue) == 0; q.closed {
			q.mu.Unlock()
			return
		}
		q.mu.Unlock()
	}
}
