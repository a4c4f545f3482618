package plugin

// Item is one sink's part of a batch.
type Item struct {
	Sink Sink
	Data []byte // the caller may reuse it when SendBatch returns
	Err  error  // the result: see [Sink].TrySend
}

// SendBatch sends one chunk to each of many sinks, as a decode step of a
// language model produces them: a TrySend for each item, but written by the
// event loops, each of which is woken once and writes once to a connection,
// however many items there are. (A batch of one is a TrySend.) It never waits,
// and sets the Err of each item. SendBatch is safe for concurrent use; chunks
// that one goroutine sends to a sink, in batches or not, arrive in its order.
func SendBatch(items []Item) {
	if len(items) == 0 {
		return
	}
	if b, ok := items[0].Sink.(batcher); ok {
		b.SendBatch(items)
		return
	}
	for i := range items {
		items[i].Err = items[i].Sink.TrySend(items[i].Data)
	}
}

// batcher is a server's sink that can send a whole batch, including sinks of
// other servers and fakes.
type batcher interface{ SendBatch(items []Item) }
