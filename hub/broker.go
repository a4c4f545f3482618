package hub

import (
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"
)

// A Broker carries the events of topics, and numbers them. Its methods are
// called on any goroutine, several at once; Publish must not block for long, and
// Follow may.
//
// With one that several processes share, they share topics: what one publishes,
// all get, and a subscriber that comes back to another process continues where
// it was. The Hub keeps the latest events of the topics that it follows, and
// serves replay from there: a Broker passes on each event once, and no
// subscriber is known to it.
type Broker interface {
	// Publish hands an event over. It returns ErrTooLarge, ErrBusy if the
	// broker cannot take more now, or another reason. Whether the event is
	// stored when Publish returns is the Broker's to document; one that has a
	// method PublishWait(ctx, topic, e) error returns from that when it is. e.ID
	// is empty, and e.Data must not be retained.
	Publish(topic string, e Event) error

	// Follow begins to pass the events of a topic to log, on goroutines of the
	// Broker, until stop is called: Log.Begin, then those that are kept, as far
	// back as Log.Wants says, then Log.Ready, then each new one, and at times
	// Log.Reached. Once stop has been called, what still comes is ignored. A
	// topic may be followed anew before stop has returned.
	Follow(topic string, log *Log) (stop func(), err error)

	// Keeps reports whether the Broker keeps events. If so, the Hub follows
	// only topics that have subscribers here. If not, what is published here is
	// kept by following.
	Keeps() bool

	// Close ends the Broker, after the last topic is not followed any more.
	Close() error
}

// A Position is where an event is among those of its topic. Later events have
// larger ones: by Seq, and of those that a Broker has stored together, by Part.
type Position struct {
	Seq  uint64
	Part uint32
}

// Before reports whether p is before q.
func (p Position) Before(q Position) bool {
	return p.Seq < q.Seq || p.Seq == q.Seq && p.Part < q.Part
}

// memory is the Broker of one process. What it has published is in the logs
// that follow, and nowhere else.
type memory struct {
	incarnation string
	seq         atomic.Uint64 // of all topics: one that was forgotten and comes back does not begin anew
	logs        sync.Map      // name of a topic → *memoryLog
}

type memoryLog struct {
	mu  sync.Mutex // numbers and appends in one step
	log *Log
}

func newMemory() *memory { return &memory{incarnation: rand.Text()} }

func (m *memory) Follow(topic string, log *Log) (stop func(), err error) {
	log.Begin(m.incarnation, Position{Seq: m.seq.Load()})
	of := &memoryLog{log: log}
	m.logs.Store(topic, of) // before others can publish to it
	log.Ready()
	return func() { m.logs.CompareAndDelete(topic, of) }, nil
}

func (m *memory) Publish(topic string, e Event) error {
	found, ok := m.logs.Load(topic)
	if !ok {
		return nil // nobody can get it
	}
	of := found.(*memoryLog)
	of.mu.Lock()
	defer of.mu.Unlock()
	of.log.Append(Position{Seq: m.seq.Add(1)}, time.Now(), e)
	return nil
}

func (m *memory) Keeps() bool  { return false }
func (m *memory) Close() error { return nil }
