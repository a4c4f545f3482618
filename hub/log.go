package hub

import (
	"bytes"
	"cmp"
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
// once, and once more for each format that somebody uses when it comes.
type Log struct {
	hub   *Hub
	topic string
	group weir.Group            // the subscribers of Hub.Serve
	using [formats]atomic.Int64 // how many of them
	subs  atomic.Int64          // all subscribers

	mu      sync.Mutex
	epoch   string
	entries []*entry // but for those before head
	head    int
	first   uint64   // number of the entry at head
	floor   Position // what came after it is all in entries
	last    Position // of the newest event that there has been
	reached Position // all events up to it have been appended; may be before last
	bytes   int64
	ready   bool
	news    chan struct{} // closed at the next news, see settled; nil if nobody waits
	end     error         // why there will be no more

	// Guarded by the Hub's lock.
	users   int       // while there are some, it is not forgotten
	used    time.Time // when the last of them left
	removed bool      // from Hub.topics and the chains
	idle    link      // in Hub.idle
	kept    link      // in Hub.keeping
	stop    func()    // of the Broker; nil before Follow has returned
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
// that they miss something, and others wait until it is Ready.
func (l *Log) Begin(incarnation string, after Position) {
	epoch := epochOf(incarnation, l.topic)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end != nil {
		return
	}
	if l.epoch != "" {
		for l.count() > 0 {
			l.dropFirst()
		}
		l.first++ // nobody is up to date
	}
	l.epoch, l.floor, l.last, l.reached, l.ready = epoch, after, after, after, false
}

// Append adds an event, which came into being at that time. Its data is copied.
// One whose position is not after the last is ignored, so that a Broker may
// pass events on twice, and so is one that Hub.Publish would refuse for its
// name.
func (l *Log) Append(at Position, when time.Time, e Event) {
	if e.checkName() != nil {
		return
	}
	l.mu.Lock()
	epoch := l.epoch
	l.mu.Unlock()
	n := &entry{Event: Event{ID: idOf(epoch, at), Name: e.Name, Data: bytes.Clone(e.Data)}, at: at, kept: when}
	for f := range Format(formats) { // here, where no lock is held that a loop may need
		if l.using[f].Load() > 0 {
			n.encode(f)
		}
	}
	if l.hub.keep(l, epoch, n) {
		l.announce()
	}
}

// Reached says that all events up to the position are appended. It is for topics
// that have had no event for long: without it an id that another process gives
// out for such a topic, which began there later, is one of the future here.
func (l *Log) Reached(at Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reached.Before(at) {
		l.reached = at
		l.wakeWaiting()
	}
}

// Ready says that what the Broker had kept is appended: subscribers can begin.
func (l *Log) Ready() {
	l.mu.Lock()
	l.ready = true
	l.mu.Unlock()
	l.announce()
}

// End ends the topic, which has no more events: subscribers get what there is,
// and then their responses are complete, if err is nil, or fail with it.
func (l *Log) End(err error) {
	l.mu.Lock()
	if l.end == nil {
		l.end = cmp.Or(err, ErrEnded)
	}
	l.mu.Unlock()
	l.announce()
}

// announce has all subscribers look for news.
func (l *Log) announce() {
	l.mu.Lock()
	settled := l.settled()
	l.wakeWaiting()
	l.mu.Unlock()
	if settled {
		l.group.Wake()
	}
}

// wakeWaiting has those look that wait for news. The log is locked.
func (l *Log) wakeWaiting() {
	if l.settled() && l.news != nil {
		close(l.news)
		l.news = nil
	}
}

// await waits until done, which is called with the lock held whenever there is
// news, and reports whether that was in time.
func (l *Log) await(limit time.Duration, done func(*Log) bool) bool {
	news := l.newsUnless(done)
	if news == nil { // as a rule
		return true
	}
	late := time.NewTimer(limit)
	defer late.Stop()
	for news != nil {
		select {
		case <-news:
			news = l.newsUnless(done)
		case <-late.C:
			return false
		}
	}
	return true
}

// newsUnless returns nil if done, which is called with the lock held, and
// otherwise what is closed at the next news.
func (l *Log) newsUnless(done func(*Log) bool) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if done(l) {
		return nil
	}
	if l.news == nil {
		l.news = make(chan struct{})
	}
	return l.news
}

// endedBy returns why there will be no more events; nil: there may be.
func (l *Log) endedBy() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}
