package mock

import "sync"

// inboxLimit is how much a client may send ahead, in bytes. While so much
// waits, nothing more is read, and a client's disconnect is not noticed.
const inboxLimit = 256 << 10

// inbox is what a connection's reading goroutine has read and its serving
// goroutine has not yet used. The reader always reads, so that a disconnect is
// noticed at once whatever the server is busy with.
type inbox struct {
	mu      sync.Mutex
	changed sync.Cond // L is mu
	buf     []byte
	err     error // the end of what comes
	discard bool  // what comes is no longer used
}

func newInbox() *inbox {
	b := new(inbox)
	b.changed.L = &b.mu
	return b
}

// put adds what was read. It blocks while too much waits.
func (b *inbox) put(p []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.buf) >= inboxLimit && !b.discard {
		b.changed.Wait()
	}
	if b.discard {
		return
	}
	b.buf = append(b.buf, p...)
	b.changed.Broadcast()
}

// fail ends what comes.
func (b *inbox) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
	b.changed.Broadcast()
}

// drop discards what waits and what comes.
func (b *inbox) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf, b.discard = nil, true
	b.changed.Broadcast()
}

// more waits until there are more than n bytes, and returns all of them. They
// are valid until the next call of more or use. After the end of what comes, it
// returns an error instead.
func (b *inbox) more(n int) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.buf) <= n && b.err == nil {
		b.changed.Wait()
	}
	if len(b.buf) <= n {
		return nil, b.err
	}
	return b.buf[:len(b.buf):len(b.buf)], nil
}

// use removes the first n bytes.
func (b *inbox) use(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n == len(b.buf) {
		b.buf = b.buf[:0]
	} else {
		b.buf = b.buf[n:]
	}
	b.changed.Broadcast()
}
