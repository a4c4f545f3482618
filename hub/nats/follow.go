package natsbroker

import (
	"math"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"weir/hub"
	"weir/hub/nats/internal/wire"
)

const (
	heldMessages = 1024    // live ones of a topic, while stored ones are fetched
	heldBytes    = 1 << 20 // the same, in bytes
	maxBackoff   = 5 * time.Second
	maxDoubts    = 10
)

// doubtWait is how long a server that has less than before may take to have more,
// maxDoubts times. Tests shorten it.
var doubtWait = 500 * time.Millisecond

// A follower brings one topic's events to a log: the stored ones by fetching them,
// page by page, and then live ones as the server republishes them. Each live message
// says which one was before it in its topic. When that one did not arrive (the
// connection was lost, or this process was too slow), what is missing is fetched.
//
// live is called by the broker's goroutine for live messages, catchUp by one of its
// workers, and never by two.
type follower struct {
	b       *Broker
	topic   string
	subject string

	mu          sync.Mutex // guards what follows, and is held while log is called
	log         *hub.Log
	stopped     bool
	live        *nats.Subscription
	incarnation string      // of what log has; "": it has nothing
	head        uint64      // sequence of the last message that log got
	headTime    string      // when that was stored
	safe        uint64      // log has all messages up to this sequence
	ready       bool        // log.Ready was called
	catching    bool        // what is missing is being fetched: live messages are held
	again       bool        // something happened meanwhile: fetch once more
	held        []*nats.Msg // in order
	heldBytes   int
	backoff     time.Duration // before the next try
	doubts      int           // how often in a row the server had less than before
	checked     time.Time     // when what is stored was last looked at
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
	case !f.pass(m):
		f.hold(m)
		f.catch()
	}
}

// pass gives a live message to log, or drops one that log has. It returns false
// if something is missing before it.
func (f *follower) pass(m *nats.Msg) bool {
	seq := number(m, sequenceHeader)
	switch {
	case seq <= f.head && !isLater(m.Header.Get(timeHeader), f.headTime):
		return true // it was fetched
	case seq <= f.head, number(m, beforeHeader) > f.head:
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
func (f *follower) append(seq uint64, m *nats.Msg) {
	f.head, f.headTime = seq, m.Header.Get(timeHeader)
	f.safe = max(f.safe, seq)
	at := hub.Position{Seq: seq}
	kept, err := time.Parse(time.RFC3339Nano, f.headTime)
	if err != nil {
		kept = time.Now()
	}
	switch m.Header.Get(wire.VersionHeader) {
	case wire.Version:
		for e, err := range wire.Events(m.Data) {
			if err != nil {
				f.b.unreadable(f.topic, seq, err)
				return
			}
			f.log.Append(at, kept, hub.Event{Name: string(e.Name), Data: e.Data})
			at.Part++
		}
	case "":
		f.log.Append(at, kept, hub.Event{Data: m.Data})
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

// catchUp fetches one page, and passes on what was held if there are no more. It is
// called by a worker, again and again until it returns done.
func (f *follower) catchUp() (again bool, after time.Duration) {
	f.mu.Lock()
	from, stopped := f.head, f.stopped
	f.again = false
	f.mu.Unlock()
	if stopped {
		return false, 0
	}
	known := f.b.stream.snapshot() // older than the page
	p, err := f.b.fetch(f.subject, from)
	var now *snapshot
	if err == nil {
		now, err = f.b.stream.look(time.Now()) // newer than the page
	}
	if err != nil {
		f.b.failed(f.topic, err)
		f.backoff = min(max(2*f.backoff, retryWait), maxBackoff)
		return true, f.backoff
	}
	f.backoff = 0
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return false, 0
	}
	fits, forgot := f.take(p, known, now)
	if forgot {
		return true, f.forgot(p, now)
	}
	f.doubts = 0
	if !fits || p.more > 0 {
		return true, 0
	}
	return !f.settle(), 0
}

// forgot deals with a server that no longer has what it has sent. It returns when to
// look again. It is entered with the lock held, and releases it meanwhile.
func (f *follower) forgot(p page, now *snapshot) time.Duration {
	if number(p.first(), sequenceHeader) != f.head && f.doubts < maxDoubts {
		f.doubts++ // the stream's new leader may not have read all that it has
		return doubtWait
	}
	f.doubts = 0
	f.mu.Unlock() // the stream calls check
	err := f.b.stream.forgot(now.incarnation)
	f.mu.Lock()
	if err != nil {
		f.b.failed(f.topic, err)
		return retryWait
	}
	return 0
}

// take gives a page to log. The page may not fit behind what log has: then the next
// one, from the beginning, will. forgot says that the server no longer has what it
// has sent, though the stream is the same.
func (f *follower) take(p page, known, now *snapshot) (fits, forgot bool) {
	f.checked = now.at
	if f.incarnation != now.incarnation {
		if f.head != 0 {
			f.head, f.headTime, f.safe, f.incarnation = 0, "", 0, ""
			return false, false
		}
		f.reset(p, now)
	} else if f.head > 0 {
		overlaps := number(p.first(), sequenceHeader) == f.head
		switch {
		case overlaps && p.messages[0].Header.Get(timeHeader) != f.headTime, !overlaps && now.end <= f.head:
			return false, true
		case overlaps:
			p.messages = p.messages[1:] // log has it
		case f.lost(p, now):
			f.reset(p, now)
		}
	}
	for _, m := range p.messages {
		if seq := number(m, sequenceHeader); seq > f.head {
			f.append(seq, m)
		}
	}
	if p.more == 0 && known.incarnation == now.incarnation {
		f.safe = max(f.safe, known.end-1)
	}
	return true, false
}

// lost reports whether messages behind the last one that log got, which the server
// no longer has, may have been removed as well. A topic's messages are removed in
// their order: by the stream's limits those before its first one, and by the topic's
// limit only from a topic that is at the limit.
func (f *follower) lost(p page, now *snapshot) bool {
	return now.first > f.safe+1 || now.full(p)
}

func (s *snapshot) full(p page) bool {
	return s.perTopic > 0 && int64(len(p.messages))+int64(p.more) >= s.perTopic
}

// reset begins anew with a page: by the rule of lost, what is complete begins with
// the first message of the stream, or with that of the page.
func (f *follower) reset(p page, now *snapshot) {
	first := now.first
	if len(p.messages) > 0 {
		if seq := number(p.messages[0], sequenceHeader); seq < first || now.full(p) {
			first = seq
		}
	}
	f.incarnation, f.head, f.headTime, f.safe, f.ready = now.incarnation, 0, "", first-1, false
	after := hub.Position{Seq: first - 1}
	if after.Seq > 0 {
		after.Part = math.MaxUint32 // how many parts that one had is not known any more
	}
	f.log.Begin(now.incarnation, after)
}

// settle passes on what was held, and reports whether nothing is missing: then live
// messages are passed on at once.
func (f *follower) settle() bool {
	for i, m := range f.held {
		if !f.pass(m) {
			f.held = append(f.held[:0], f.held[i:]...)
			return false
		}
		f.heldBytes -= len(m.Data)
	}
	f.held, f.heldBytes = nil, 0
	if f.again {
		return false
	}
	f.catching = false
	if !f.ready {
		f.ready = true
		f.log.Ready()
	}
	return true
}
