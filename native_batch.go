package weir

import (
	"slices"
	"sync"

	"weir/plugin"
	"weir/reactor"
)

// writesPerTurn is how many streams of a batch a loop writes before it
// looks after its other ones: at some 8 µs each, half a millisecond.
const writesPerTurn = 64

// SendBatch is plugin.SendBatch: the chunks are put into the outputs here, and
// each loop is notified once of the streams it has to write. For a single
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
		var ex *exchange
		if ex, it.Err = sink.s.add(it.Data); ex != nil {
			b.add(ex)
		}
	}
	b.post()
	batches.Put(b)
}

// add puts a chunk into the output, for the loop to write. The exchange is nil
// if the loop need not be notified of it: there is nothing to write, or the
// loop has not reached it since an earlier batch.
func (s *Stream) add(p []byte) (*exchange, error) {
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
	ex := s.ex
	switch {
	case ex.conn == nil: // not on a loop
		l.flush()
		return nil, nil
	case ex.listed:
		ex = nil
	default:
		ex.listed = true
	}
	l.unlock()
	return ex, nil
}

// batch is what a SendBatch passes to the loops, of one server or of several.
type batch struct {
	shards []*shardBatch
	last   *shardBatch // neighbours in a batch are often on one loop
}

var batches = sync.Pool{New: func() any { return new(batch) }}

func (b *batch) add(ex *exchange) {
	if sh := ex.shard; b.last == nil || b.last.shard != sh {
		b.last = b.of(sh)
	}
	b.last.streams = append(b.last.streams, ex)
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

// shardBatch is the streams of one loop that a batch has added to.
type shardBatch struct {
	shard   *shard
	streams []*exchange
}

var shardBatches = sync.Pool{New: func() any { return new(shardBatch) }}

// Run is the loop's.
func (s *shardBatch) Run() {
	q := &s.shard.batched
	resting := len(q.streams) == 0
	q.streams = append(q.streams, s.streams...)
	if resting { // else it is at work on them already
		q.Run()
	}
	clear(s.streams)
	s.shard, s.streams = nil, s.streams[:0]
	shardBatches.Put(s)
}

// writeQueue is a loop's streams that batches have added to. Each is in it once
// and is written in its turn, so that a loop which is behind takes the tokens
// of several steps along by one write. Only the loop uses it.
type writeQueue struct {
	loop    *reactor.Loop
	streams []*exchange
	done    int // of streams
}

// Run has streams written at the end of the loop's turn, and the rest in
// the turns to come.
func (q *writeQueue) Run() {
	end := min(q.done+writesPerTurn, len(q.streams))
	for _, ex := range q.streams[q.done:end] {
		l := ex.lock()
		ex.listed = false
		l.later()
	}
	clear(q.streams[q.done:end]) // what has ended is not kept
	if q.done = end; end < len(q.streams) {
		q.compact()
		q.loop.Post(q)
		return
	}
	q.streams, q.done = q.streams[:0], 0
}

// compact gives the room of what is done back, once it is most of the queue.
func (q *writeQueue) compact() {
	if q.done > len(q.streams)/2 {
		q.streams, q.done = slices.Delete(q.streams, 0, q.done), 0
	}
}
