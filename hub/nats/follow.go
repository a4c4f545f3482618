package natsbroker

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"weir/hub"
	"weir/hub/nats/internal/wire"
)

const (
	heldMessages = 1024    // live ones of a topic, while stored ones are fetched
	heldBytes    = 1 << 20 // the same, in bytes
	maxBackoff   = time.Second
	maxDoubts    = 14
)

// doubtWait is how long a server that has less than it should may take to have more,
// the last times of maxDoubts times. Tests shorten it.
var doubtWait = 500 * time.Millisecond

// A follower brings one topic's events to a log: the stored ones by fetching them,
// page by page, and then live ones as the server republishes them. Each live message
// says which one was before it in its topic. When that one did not arrive (the
// connection was lost, or this process was too slow), what is missing is fetched.
//
// arrived is called by the broker's goroutine for live messages, catchUp by one of its
// workers, and never by two.
type follower struct {
	b       *Broker
	topic   string
	subject string
	age     time.Duration // older events are of no interest to log; 0: all are

	mu        sync.Mutex // guards what follows, and is held while log is called
	log       *hub.Log
	stopped   bool
	live      *nats.Subscription
	lost      int         // live messages that live has dropped
	place                 // changes while messages are fetched by catchUp only, else by arrived
	safe      uint64      // log has all messages up to this sequence
	ready     bool        // log.Ready was called
	catching  bool        // what is missing is being fetched: live messages are held
	again     bool        // something happened meanwhile: fetch once more
	held      []*nats.Msg // in order
	heldBytes int
	backoff   time.Duration // before the next try
	doubts    int           // how often in a row the server had less than it should
	checked   time.Time     // when what is stored was last looked at
}

// A place is how far a log has come.
type place struct {
	incarnation string // of what log has; "": it has nothing
	head        uint64 // sequence of the topic's last message before those that log is to get; 0: not known
	headTime    string // when that was stored
}

// continues reports whether a page begins with the message that is the head, and so
// is one of the same stream.
func (at place) continues(p page) bool {
	return at.head > 0 && p.begins() == at.head && header(p.messages[0], timeHeader) == at.headTime
}

// stop ends it: log is not called any more.
func (f *follower) stop() {
	f.mu.Lock()
	f.stopped = true
	f.log, f.held = nil, nil
	f.mu.Unlock()
	go f.b.forget(f) // may wait for the socket
}

// arrived takes one live message.
func (f *follower) arrived(m *nats.Msg) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.stopped:
	case f.catching:
		f.hold(m)
	case !f.pass(m, false):
		f.hold(m)
		f.catch()
	}
}

// pass gives a live message to log, or drops one that log has. It returns false if
// something is missing before it. If the one before it is not the head, which was
// removed, others may have been removed as well: unless this was looked into, that is
// missing, too.
func (f *follower) pass(m *nats.Msg, looked bool) bool {
	seq, before := number(m, sequenceHeader), number(m, beforeHeader)
	switch {
	case seq <= f.head && !isLater(header(m, timeHeader), f.headTime):
		return true // it was fetched
	case seq <= f.head, before > f.head, before < f.head && !looked:
		return false
	}
	f.append(seq, m)
	return true
}

// isLater compares two time stamps of the server.
func isLater(a, b string) bool {
	at, err1 := time.Parse(time.RFC3339Nano, a)
	bt, err2 := time.Parse(time.RFC3339Nano, b)
	return err1 == nil && err2 == nil && at.After(bt)
}

// hold keeps a live message until what is before it is there.
func (f *follower) hold(m *nats.Msg) {
	if len(f.held) >= heldMessages || f.heldBytes+len(m.Data) > heldBytes {
		f.again = true // it will be fetched, too
		return
	}
	f.held = append(f.held, m)
	f.heldBytes += len(m.Data)
}

// append gives a message's events to log.
//
// The last event of a message has its sequence as its position, and those before it
// are behind the position before. So what is up to date with a message that was
// removed is known by its sequence alone.
func (f *follower) append(seq uint64, m *nats.Msg) {
	f.head, f.headTime = seq, header(m, timeHeader)
	f.safe = max(f.safe, seq)
	kept, err := time.Parse(time.RFC3339Nano, f.headTime)
	if err != nil {
		kept = time.Now()
	}
	switch m.Header.Get(wire.VersionHeader) {
	case wire.Version:
		at := hub.Position{Seq: seq - 1}
		for e, err := range wire.Events(m.Data) {
			if err != nil {
				f.b.unreadable(f.topic, seq, err)
				return
			}
			if at.Part++; e.Last {
				at = hub.Position{Seq: seq}
			}
			f.log.Append(at, kept, hub.Event{Name: string(e.Name), Data: e.Data})
		}
	case "":
		f.log.Append(hub.Position{Seq: seq}, kept, hub.Event{Data: m.Data})
	default:
		f.b.unreadable(f.topic, seq, wire.ErrBatch)
	}
}

// catch has a worker fetch what is missing. It is entered with the lock held.
func (f *follower) catch() {
	if f.again = f.catching; !f.catching {
		f.catching = true
		f.b.workers.add(f)
	}
}

// check has what is stored looked at, since live messages may have been lost.
func (f *follower) check() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.stopped {
		f.catch()
	}
}

func (f *follower) lastChecked() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.checked
}

// dropped reports whether live messages did not fit into the broker's channel since
// it was last called.
func (f *follower) dropped() bool {
	all, err := f.live.Dropped()
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.lost
	if err == nil {
		f.lost = all
	}
	return f.lost != before
}

// catchUp fetches one page, and passes on what was held if there are no more. It is
// called by a worker, again and again until it returns false.
func (f *follower) catchUp() (again bool, after time.Duration) {
	f.mu.Lock()
	at, stopped := f.place, f.stopped
	f.again = false
	f.mu.Unlock()
	if stopped {
		return false, 0
	}
	known := f.b.stream.snapshot() // older than the page
	p, now, err := f.look(at, known)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped || f.b.ctx.Err() != nil {
		return false, 0
	}
	if err != nil {
		f.b.failed(f.topic, err)
		f.backoff = min(max(2*f.backoff, retryWait), maxBackoff)
		return true, f.backoff
	}
	f.backoff, f.checked = 0, time.Now()
	fits, forgot := f.take(p, known, now)
	switch {
	case forgot:
		return true, f.forgot(p, now)
	case !fits, p.more > 0:
		return true, 0
	}
	return f.settle()
}

// look fetches a page, and then what the server says of the stream, unless the page
// says that it is the one that is known. What is older than log wants is not fetched.
func (f *follower) look(at place, known *snapshot) (p page, now *snapshot, err error) {
	from := at.head
	if at.incarnation == "" && f.age > 0 {
		from, err = f.b.lastBefore(f.subject, time.Now().Add(-f.age))
	}
	if err == nil {
		p, err = f.b.fetch(f.subject, from)
	}
	switch {
	case err != nil:
	case at.incarnation == known.incarnation && at.continues(p):
		now = known
	default:
		now, err = f.b.stream.look(f.b.session.Load(), time.Now())
	}
	return p, now, err
}

// doubt returns when to look again whether the server has more: what has less than it
// should may be a replica, or a new leader, that has not read all that there is.
func (f *follower) doubt() time.Duration {
	f.doubts++
	return min(doubtWait, time.Millisecond<<f.doubts)
}

// forgot deals with a server that no longer has what it has sent. It returns when to
// look again. It is entered with the lock held, and releases it meanwhile.
func (f *follower) forgot(p page, now *snapshot) time.Duration {
	if !p.overlaps() && f.doubts < maxDoubts {
		return f.doubt()
	}
	f.doubts = 0
	f.mu.Unlock() // the stream calls check
	err := f.b.stream.forgot(f.b.session.Load(), now.incarnation)
	f.mu.Lock()
	if err != nil {
		f.b.failed(f.topic, err)
		return retryWait
	}
	return 0
}

// take gives a page to log. The page may not fit behind what log has: then the next
// one will. forgot says that the server no longer has what it has sent, though the
// stream is the same.
func (f *follower) take(p page, known, now *snapshot) (fits, forgot bool) {
	overlaps := p.overlaps() // then log has, or does not want, the first message
	switch {
	case known.incarnation != now.incarnation:
		return false, false // the page may be of either
	case f.incarnation == "" && overlaps:
		f.begin(now.incarnation, p.from)
		f.head, f.headTime = p.from, header(p.messages[0], timeHeader)
	case f.incarnation == "" && p.from > 0:
		return false, false // what it was to begin with is not there any more
	case f.incarnation == "":
		f.reset(p, now)
	case f.incarnation != now.incarnation: // what is held may be of the former: the next page has what is not
		f.incarnation, f.head, f.held, f.heldBytes = "", 0, nil, 0
		return false, false
	case overlaps && !f.continues(p), !overlaps && now.end <= f.head:
		return false, true
	case !overlaps && f.misses(p, now):
		f.reset(p, now)
	}
	for _, m := range p.messages {
		if seq := number(m, sequenceHeader); seq > f.head {
			f.append(seq, m)
		}
	}
	if p.more == 0 {
		f.safe = max(f.safe, known.end-1)
		f.log.Reached(hub.Position{Seq: f.safe})
	}
	return true, false
}

// misses reports whether messages behind the last one that log got, which the server
// no longer has, may have been removed as well. A topic's messages are removed in
// their order: by the stream's limits those before its first one, and by the topic's
// limit only from a topic that is at the limit. Only people remove others.
func (f *follower) misses(p page, now *snapshot) bool {
	byPeople := now.first <= f.head && p.begins() > f.head
	return now.first > f.safe+1 || now.full(p) || byPeople
}

func (s *snapshot) full(p page) bool {
	return s.perTopic > 0 && int64(len(p.messages))+int64(p.more) >= s.perTopic
}

// reset begins anew with a page: by the rule of misses, what is complete begins with
// the first message of the stream, or with that of the page.
func (f *follower) reset(p page, now *snapshot) {
	first := now.first
	if seq := p.begins(); seq > 0 && (seq < first || first <= p.from || now.full(p)) {
		first = seq
	}
	f.begin(now.incarnation, first-1)
	f.head = 0
}

// begin begins anew behind a sequence.
func (f *follower) begin(incarnation string, after uint64) {
	f.incarnation, f.safe, f.ready = incarnation, after, false
	f.log.Begin(incarnation, hub.Position{Seq: after})
}

// settle passes on what was held. If nothing is missing then, live messages are passed
// on at once; else it returns when to look again.
func (f *follower) settle() (again bool, after time.Duration) {
	for len(f.held) > 0 {
		m := f.held[0]
		if !f.pass(m, true) {
			if f.again {
				return true, 0
			}
			if f.doubts < maxDoubts {
				return true, f.doubt()
			}
			f.skip(m)
		}
		f.heldBytes -= len(m.Data)
		f.held = f.held[1:]
	}
	f.held, f.heldBytes, f.doubts = nil, 0, 0
	if f.again {
		return true, 0
	}
	f.catching = false
	if !f.ready {
		f.ready = true
		f.log.Ready()
	}
	return false, 0
}

// skip gives a live message to log before which others are missing that the server
// does not have: they were removed.
func (f *follower) skip(m *nats.Msg) {
	seq, before := number(m, sequenceHeader), number(m, beforeHeader)
	if seq <= f.head {
		return // the stream is another one by now
	}
	f.begin(f.incarnation, before)
	f.append(seq, m)
}
