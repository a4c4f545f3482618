package weir

import (
	"slices"
	"sync"

	"weir/plugin"
	"weir/reactor"
)

// writesPerTurn is how many connections of a batch a loop writes before it
// looks after its other ones: at some 8 µs each, half a millisecond.
const writesPerTurn = 64

// SendBatch is plugin.SendBatch: the chunks are put into the outputs here, and
// each loop is notified once of the connections it has to write. For a single
// one the waking would cost more than the writing.
func (n *nativeSink) SendBatch(items []plugin.Item) {
	if len(items) == 1 {
		items[0].Err = items[0].Sink.TrySend(items[0].Data)
		return
	}
	b := batches.Get().(*batch)
	for i := range items {
		it := &items[i]
		sink, ok := it.Sink.(*nativeSink)
		if !ok {
			it.Err = it.Sink.TrySend(it.Data)
			continue
		}
		var c *conn
		if c, it.Err = sink.s.add(it.Data); c != nil {
			b.add(c)
		}
	}
	b.post()
	batches.Put(b)
}

// add puts a chunk into the output, for the loop to write. The connection is
// nil if the loop need not be notified of it: there is nothing to write, or the
// loop has not reached it since an earlier batch.
func (s *Stream) add(p []byte) (*conn, error) {
	l, b, err := s.acquire(false)
	if err != nil {
		return nil, err
	}
	if len(p) == 0 {
		l.unlock()
		return nil, nil
	}
	if err := l.ready(len(p)); err != nil {
		return nil, err
	}
	*b = s.frame(*b, p)
	c := s.ex.conn
	switch {
	case c == nil: // not on a loop
		l.flush()
		return nil, nil
	case c.listed:
		c = nil
	default:
		c.listed = true
	}
	l.unlock()
	return c, nil
}

// batch is what a SendBatch passes to the loops, of one server or of several.
type batch struct {
	shards []*shardBatch
	last   *shardBatch // neighbours in a batch are often on one loop
}

var batches = sync.Pool{New: func() any { return new(batch) }}

func (b *batch) add(c *conn) {
	if b.last == nil || b.last.shard != c.shard {
		b.last = b.of(c.shard)
	}
	b.last.conns = append(b.last.conns, c)
}

func (b *batch) of(sh *shard) *shardBatch {
	for _, s := range b.shards {
		if s.shard == sh {
			return s
		}
	}
	s := shardBatches.Get().(*shardBatch)
	s.shard = sh
	b.shards = append(b.shards, s)
	return s
}

// post hands each loop its part, which is then the loop's.
func (b *batch) post() {
	for _, s := range b.shards {
		s.shard.loop.Post(s)
	}
	clear(b.shards)
	b.shards, b.last = b.shards[:0], nil
}

// shardBatch is the connections of one loop that a batch has added to.
type shardBatch struct {
	shard *shard
	conns []*conn
}

var shardBatches = sync.Pool{New: func() any { return new(shardBatch) }}

// Run is the loop's.
func (s *shardBatch) Run() {
	q := &s.shard.batched
	idle := len(q.conns) == 0
	q.conns = append(q.conns, s.conns...)
	if idle { // else it is at work on them already
		q.Run()
	}
	clear(s.conns)
	s.shard, s.conns = nil, s.conns[:0]
	shardBatches.Put(s)
}

// writeQueue is a loop's connections that batches have added to. Each is in it
// once and is written in its turn, so that a loop which is behind takes the
// tokens of several steps along by one write. Only the loop uses it.
type writeQueue struct {
	loop  *reactor.Loop
	conns []*conn
	done  int // of conns
}

// Run has connections written at the end of the loop's turn, and the rest in
// the turns to come.
func (q *writeQueue) Run() {
	end := min(q.done+writesPerTurn, len(q.conns))
	for _, c := range q.conns[q.done:end] {
		c.rc.Lock()
		c.listed = false
		c.rc.Defer()
	}
	clear(q.conns[q.done:end]) // what has closed is not kept
	if q.done = end; end < len(q.conns) {
		q.compact()
		q.loop.Post(q)
		return
	}
	q.conns, q.done = q.conns[:0], 0
}

// compact gives the room of what is done back, once it is most of the queue.
func (q *writeQueue) compact() {
	if q.done > len(q.conns)/2 {
		q.conns, q.done = slices.Delete(q.conns, 0, q.done), 0
	}
}
