package weir

import (
	"sync"

	"weir/plugin"
)

// SendBatch is plugin.SendBatch: the chunks are put into the outputs here, and
// each loop is told once which connections it has to write.
func (n *nativeSink) SendBatch(items []plugin.Item) {
	var store [16]*shardBatch
	batches := store[:0]
	for i := range items {
		it := &items[i]
		sink, ok := it.Sink.(*nativeSink)
		if !ok {
			it.Err = it.Sink.TrySend(it.Data)
			continue
		}
		var c *conn
		if c, it.Err = sink.s.add(it.Data); c != nil {
			batches = collect(batches, c)
		}
	}
	for _, b := range batches {
		b.shard.loop.Post(b)
	}
}

// add puts a chunk into the output and leaves writing to the loop. The
// connection is nil when there is nothing to write.
func (s *Stream) add(p []byte) (*conn, error) {
	if err := s.acquire(false); err != nil {
		return nil, err
	}
	rc := s.ex.conn.rc
	if len(p) == 0 {
		rc.Unlock()
		return nil, nil
	}
	if err := s.ready(len(p)); err != nil {
		return nil, err
	}
	b := rc.Buffer()
	b.B = s.frame(b.B, p)
	rc.Unlock()
	return s.ex.conn, nil
}

// shardBatch is the connections of one loop that a batch has added to.
type shardBatch struct {
	shard *shard
	conns []*conn
}

var shardBatches = sync.Pool{New: func() any { return new(shardBatch) }}

func collect(batches []*shardBatch, c *conn) []*shardBatch {
	for _, b := range batches {
		if b.shard == c.shard {
			b.conns = append(b.conns, c)
			return batches
		}
	}
	b := shardBatches.Get().(*shardBatch)
	b.shard, b.conns = c.shard, append(b.conns[:0], c)
	return append(batches, b)
}

// Run has the connections written at the end of the loop's turn.
func (b *shardBatch) Run() {
	for _, c := range b.conns {
		c.rc.Lock()
		c.rc.Defer()
	}
	clear(b.conns)
	b.shard = nil
	shardBatches.Put(b)
}
