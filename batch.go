package weir

import (
	"os"
	"sync"

	"weir/plugin"
)

// A Batch sends one chunk, or one frame, to many streams and pipes: to the
// members of a room, or the sequences of a decode loop. It must be used on one
// goroutine at a time. The zero value is empty and ready, and is ready again
// after Flush:
//
//	for _, p := range members {
//		if err := batch.SendPipe(p, frame); errors.Is(err, weir.ErrBacklog) {
//			p.Abort(weir.ErrSlowClient) // or let it miss the frame
//		}
//	}
//	batch.Flush()
//
// Nothing waits and nothing is written before Flush: what is sent is put into
// each receiver's own output, which is its only copy, and Flush notifies each
// event loop once of the connections that it has to write. A loop writes some of
// them a turn. A connection that it has not reached when the next Batch comes is
// written once, with both. Other goroutines may send to the same receivers
// meanwhile: each receiver gets chunks in the order in which they were sent.
type Batch struct {
	shards []*shardBatch
	last   *shardBatch // neighbours in a batch are often on one loop
}

// Send adds a chunk to what s sends, as [Stream.TrySend] does. Only the error
// says that the client gets nothing: [ErrBacklog] if it is behind, or why the
// stream has ended. The caller may reuse p when Send returns.
func (b *Batch) Send(s *Stream, p []byte) error {
	ex, err := s.add(p)
	if ex != nil {
		b.add(ex)
	}
	return err
}

// SendPipe is [Batch.Send] for a pipe, as [Pipe.TrySend] does it.
func (b *Batch) SendPipe(p *Pipe, frame []byte) error {
	if p.writes.Over() {
		return os.ErrDeadlineExceeded
	}
	return pipeError(b.Send(&p.ex.stream, frame))
}

// Flush has the loops write what was sent. Call it soon: until then others,
// who send by a Batch to the same receivers, wait for it.
func (b *Batch) Flush() {
	for _, s := range b.shards {
		s.shard.loop.Post(s) // and s is the loop's
	}
	clear(b.shards)
	b.shards, b.last = b.shards[:0], nil
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
	if pipe := s.ex.pipe; pipe != nil && pipe.shut.Load() {
		l.unlock()
		return nil, ErrPipeClosed
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

func (b *Batch) add(ex *exchange) {
	if sh := ex.shard; b.last == nil || b.last.shard != sh {
		b.last = b.of(sh)
	}
	b.last.streams = append(b.last.streams, ex)
}

func (b *Batch) of(sh *shard) *shardBatch {
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

// batches are for SendBatch, whose caller keeps none.
var batches = sync.Pool{New: func() any { return new(Batch) }}

// SendBatch is plugin.SendBatch. For a single stream the waking would cost more
// than the writing.
func (n *nativeSink) SendBatch(items []plugin.Item) {
	if len(items) == 1 {
		items[0].Err = items[0].Sink.TrySend(items[0].Data)
		return
	}
	b := batches.Get().(*Batch)
	for i := range items {
		it := &items[i]
		if sink, ok := it.Sink.(*nativeSink); ok {
			it.Err = b.Send(sink.s, it.Data)
		} else {
			it.Err = it.Sink.TrySend(it.Data)
		}
	}
	b.Flush()
	batches.Put(b)
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
	q.add(q, s.streams...)
	clear(s.streams)
	s.shard, s.streams = nil, s.streams[:0]
	shardBatches.Put(s)
}

// writeQueue is a loop's streams that batches have added to. Each is in it once
// and is written in its turn, so that a loop which is behind takes the chunks
// of several batches along by one write.
type writeQueue struct{ queue[*exchange] }

// Run has streams written at the end of the loop's turn, and the rest in
// the turns to come.
func (q *writeQueue) Run() {
	for range min(writesPerTurn, q.len()) {
		l := q.pop().lock()
		l.ex.listed = false
		l.later()
	}
	q.rest(q)
}
