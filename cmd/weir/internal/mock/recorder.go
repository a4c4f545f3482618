package mock

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// recorder keeps the records. It is safe for concurrent use. A record is
// changed only through update; only Events is counted separately, so that an
// event costs no lock unless a waiter exists.
type recorder struct {
	keep    int // records of each list
	events  atomic.Int64
	waiters atomic.Int32

	mu       sync.Mutex
	counts   Counts // but Events
	requests []*request
	conns    []*connection
	ids      struct{ request, conn int }
	changed  chan struct{} // closed at the next change; nil = no waiters
}

// request is a record with what belongs to it.
type request struct {
	Request
	events atomic.Int64
	last   bool // the last bytes are being sent: a client that disconnects now has what it wanted
}

// connection is a record with what belongs to it.
type connection struct {
	Conn
	control bool // it was used for /mock/: it is in no list and no count
}

// update changes records and counts.
func (r *recorder) update(change func(*Counts)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.counts)
	r.notify()
}

// notify is called with the lock held.
func (r *recorder) notify() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// event counts an event of the request.
func (r *recorder) event(of *request) {
	of.events.Add(1)
	r.events.Add(1)
	if r.waiters.Load() > 0 {
		r.mu.Lock()
		r.notify()
		r.mu.Unlock()
	}
}

func (r *recorder) opened() *connection {
	c := new(connection)
	r.update(func(n *Counts) {
		r.ids.conn++
		c.ID, c.Opened = r.ids.conn, time.Now()
		r.conns = trimmed(append(r.conns, c), r.keep)
		n.Opened++
		n.Open++
	})
	return c
}

// aside removes a connection from the records: it turned out to be for /mock/.
func (r *recorder) aside(c *connection) {
	r.update(func(n *Counts) {
		if c.control {
			return
		}
		c.control = true
		r.conns = slices.DeleteFunc(r.conns, func(x *connection) bool { return x == c })
		n.Opened--
		if c.Ended.IsZero() {
			n.Open--
		} else {
			n.Closed--
		}
	})
}

// ended notes the first end of a connection; what the other side does
// afterwards is noted by setting Client or Mock alone.
func (r *recorder) ended(c *connection, note func(*Conn)) {
	r.update(func(n *Counts) {
		note(&c.Conn)
		if c.control || !c.Ended.IsZero() {
			return
		}
		c.Ended = time.Now()
		n.Open--
		n.Closed++
	})
}

// begun notes a request whose head was read.
func (r *recorder) begun(c *connection, q *request) {
	r.update(func(n *Counts) {
		r.ids.request++
		q.ID, q.Conn, q.At, q.BodyLength = r.ids.request, c.ID, time.Now(), -1
		c.Requests++
		r.requests = trimmed(append(r.requests, q), r.keep)
		n.Requests++
	})
}

// trimmed drops the oldest records once there are twice as many as to be kept,
// so that a drop costs little per record.
func trimmed[T any](list []T, keep int) []T {
	if len(list) < 2*keep {
		return list
	}
	return slices.Clone(list[len(list)-keep:])
}

func (r *recorder) log() Log {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := Log{Counts: r.count(), Requests: []Request{}, Connections: []Conn{}}
	for _, q := range r.requests[max(0, len(r.requests)-r.keep):] {
		copied := q.Request
		copied.Events = q.events.Load()
		l.Requests = append(l.Requests, copied)
	}
	for _, c := range r.conns[max(0, len(r.conns)-r.keep):] {
		l.Connections = append(l.Connections, c.Conn)
	}
	return l
}

func (r *recorder) open() []Conn {
	open := r.log().Connections
	return slices.DeleteFunc(open, func(c Conn) bool { return !c.Ended.IsZero() })
}

func (r *recorder) forget() {
	r.update(func(n *Counts) {
		*n = Counts{Open: n.Open}
		r.events.Store(0)
		r.requests = nil
		r.conns = slices.DeleteFunc(r.conns, func(c *connection) bool { return !c.Ended.IsZero() })
	})
}

// count is called with the lock held.
func (r *recorder) count() Counts {
	n := r.counts
	n.Events = int(r.events.Load())
	return n
}

func (r *recorder) now() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count()
}

// wait returns when the condition holds or the context ends, with what holds
// then.
func (r *recorder) wait(ctx context.Context, holds func(Counts) bool) (Counts, error) {
	r.waiters.Add(1) // before the first look: an event from here on is notified
	defer r.waiters.Add(-1)
	for {
		n, changed := r.look()
		if holds(n) {
			return n, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return n, fmt.Errorf("mock: waiting with %+v: %w", n, ctx.Err())
		}
	}
}

// look returns the counts and what is closed when they change.
func (r *recorder) look() (Counts, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return r.count(), r.changed
}
