package hub

import (
	"bytes"
	"container/list"
	"sync"
	"sync/atomic"
	"time"

	"weir"
)

// A Log is the latest events of one topic, as far as this process has them: a
// ring that is bounded by bytes and by age. It is safe for concurrent use. A
// [Broker] fills it:
//
//	Begin ──> Append … ──> Ready ──> Append …
//
// Subscribers have a number in it, that of the next event that they get, so
// that what is kept and what is new are read in one way. An event takes memory
// once, and once more for each format in which somebody gets it.
type Log struct {
	hub   *Hub
	topic string
	group weir.Group            // the subscribers of Hub.Serve
	using [formats]atomic.Int64 // how many of them
	subs  atomic.Int64          // all subscribers
	beats atomic.Uint32         // ticks of the Hub's clock

	mu      sync.Mutex
	epoch   string
	entries []*entry // but for those before head
	head    int
	first   uint64   // number of the entry at head
	floor   Position // what came after it is all in entries
	last    Position // of the newest event that there has been
	bytes   int64
	ready   bool
	settled chan struct{} // closed when it is ready for the first time, or has ended
	news    chan struct{} // closed at the next event; nil if nobody waits
	end     error         // why there will be no more

	// Guarded by the Hub's lock.
	users   int           // while there are some, it is not forgotten
	used    time.Time     // when the last of them left
	removed bool          // from Hub.topics and Hub.recent
	place   *list.Element // in Hub.recent
	keeps   *list.Element // in Hub.keeping; nil: there is nothing that could be dropped
	stop    func()        // of the Broker; nil before Follow has returned
}

// Wants returns how much of a topic's past is kept at most: so many bytes of
// data, and events of that age. The age is 0 if it is not limited.
func (l *Log) Wants() (bytes int64, age time.Duration) {
	return int64(l.hub.limits.History), max(0, l.hub.limits.Age)
}

// Begin says by what the events that follow are numbered, and that all events
// after the position follow. Another incarnation is another numbering: the ids
// of the former are unknown from then on. Called again, for instance because
// the Broker has lost its place, it forgets what there is: subscribers learn
// that they miss something.
func (l *Log) Begin(incarnation string, after Position) {
	epoch := epochOf(incarnation, l.topic)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch != "" {
		for l.count() > 0 {
			l.dropFirst()
		}
		l.first++ // nobody is up to date
	}
	l.epoch, l.floor, l.last, l.ready = epoch, after, after, false
}

// Append adds an event, which came into being at that time. Its data is copied.
// One whose position is not after the last is ignored, so that a Broker may
// pass events on twice.
func (l *Log) Append(at Position, when time.Time, e Event) {
	l.mu.Lock()
	if l.end != nil || !l.last.Before(at) {
		l.mu.Unlock()
		return
	}
	n := &entry{Event: Event{ID: idOf(l.epoch, at), Name: e.Name, Data: bytes.Clone(e.Data)}, at: at, kept: when}
	l.entries = append(l.entries, n)
	l.last = at
	l.grow(entrySize + len(n.ID) + len(n.Name) + len(n.Data))
	l.mu.Unlock()
	for f := range Format(formats) { // here and not on a loop
		if l.using[f].Load() > 0 {
			l.frameOf(n, f)
		}
	}
	l.announce()
	l.hub.appended(l)
}

// Ready says that what the Broker had kept is appended: subscribers can begin.
func (l *Log) Ready() {
	l.mu.Lock()
	l.ready = true
	l.settle()
	l.mu.Unlock()
	l.announce()
}

// End ends the topic, which has no more events: subscribers get what there is,
// and then their responses are complete, if err is nil, or fail with it.
func (l *Log) End(err error) {
	if err == nil {
		err = ErrEnded
	}
	l.mu.Lock()
	if l.end == nil {
		l.end = err
		l.settle()
	}
	l.mu.Unlock()
	l.announce()
}

// settle notes that those who open the topic need not wait. Locked.
func (l *Log) settle() {
	select {
	case <-l.settled:
	default:
		close(l.settled)
	}
}

// announce has all subscribers look for news.
func (l *Log) announce() {
	l.mu.Lock()
	ready := l.ready || l.end != nil
	if ready && l.news != nil {
		close(l.news)
		l.news = nil
	}
	l.mu.Unlock()
	if ready {
		l.group.Wake()
	}
}

// What follows is for the lock's holder, until the methods that take it.

func (l *Log) count() int { return len(l.entries) - l.head }

// grow adds to the memory that the log takes, and drops what it has no room
// for. The newest event stays: its subscribers do not have it yet.
func (l *Log) grow(n int) {
	l.bytes += int64(n)
	l.hub.bytes.Add(int64(n))
	for l.bytes > int64(l.hub.limits.History) && l.count() > 1 {
		l.dropFirst()
	}
}

func (l *Log) dropFirst() {
	e := l.entries[l.head]
	l.entries[l.head] = nil
	l.head++
	l.first++
	l.floor = e.at
	size := entrySize + len(e.ID) + len(e.Name) + len(e.Data) + int(e.made)
	e.gone = true
	l.bytes -= int64(size)
	l.hub.bytes.Add(-int64(size))
	if l.head > len(l.entries)/2 {
		n := copy(l.entries, l.entries[l.head:])
		clear(l.entries[n:])
		l.entries, l.head = l.entries[:n], 0
		if cap(l.entries) > 64 && n < cap(l.entries)/8 {
			l.entries = append(make([]*entry, 0, 2*n), l.entries...)
		}
	}
}

// dropOld drops what is older than the limit.
func (l *Log) dropOld(now time.Time) {
	age := l.hub.limits.Age
	for age > 0 && l.count() > 0 && now.Sub(l.entries[l.head].kept) > age {
		l.dropFirst()
	}
}

// frameOf returns an event in a format. It takes the lock.
func (l *Log) frameOf(e *entry, f Format) []byte {
	frame, made := e.frame(f)
	if made > 0 {
		l.mu.Lock()
		if !e.gone {
			e.made += int64(made)
			l.grow(made)
		}
		l.mu.Unlock()
	}
	return frame
}

// outcome is what a look for events has found.
type outcome uint8

const (
	more    outcome = iota // there may be more
	current                // that was all
	behind                 // the next event was dropped: number is that of the first that there is
	ended                  // that was all, and no more will come: see end
)

// read copies entries from the number on into to, and returns how many. It takes
// the lock.
func (l *Log) read(number uint64, to []*entry) (n int, first uint64, what outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.ready && l.end == nil:
		return 0, 0, current
	case number < l.first:
		return 0, l.first, behind
	}
	rest := l.entries[l.head+int(number-l.first):]
	n = copy(to, rest)
	switch {
	case n < len(rest):
		return n, 0, more
	case l.end != nil:
		return n, 0, ended
	}
	return n, 0, current
}

// idAt returns the id of the entry with that number, or where there is none,
// the id that stands for being up to date. It takes the lock.
func (l *Log) idAt(number uint64) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := l.head + int(number-l.first); number >= l.first && i < len(l.entries) {
		return l.entries[i].ID
	}
	return idOf(l.epoch, l.last)
}

// wait returns what is closed when there is an event with that number, or the
// next look is worth it otherwise. It takes the lock.
func (l *Log) wait(number uint64) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end != nil || l.ready && (number < l.first || l.head+int(number-l.first) < len(l.entries)) {
		return closedChan
	}
	if l.news == nil {
		l.news = make(chan struct{})
	}
	return l.news
}

var closedChan = func() chan struct{} { c := make(chan struct{}); close(c); return c }()
