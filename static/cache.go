package static

import (
	"sync"
	"sync/atomic"
)

// A cache keeps the contents of small files, and what is known of large ones. It
// does not know whether that is still right: compare versions. It is safe for
// concurrent use.
//
// A content that was not taken since the last search for room makes room.
type cache struct {
	limit int64 // bytes; not positive: nothing is kept

	mu   sync.RWMutex
	held int64
	kept map[string]*kept
}

type kept struct {
	content *content
	taken   atomic.Bool
}

// keptOverhead is about what an entry takes in addition to the content: names,
// map and fields.
const keptOverhead = 512

func (k *kept) cost(name string) int64 {
	return int64(len(k.content.body)+len(name)) + keptOverhead
}

// of returns what is kept of a file, or nil.
func (c *cache) of(name string) *content {
	c.mu.RLock()
	k := c.kept[name]
	c.mu.RUnlock()
	if k == nil {
		return nil
	}
	if !k.taken.Load() { // written once, and read by all processors
		k.taken.Store(true)
	}
	return k.content
}

// put keeps a content in place of another version; of an open file what is known
// of it.
func (c *cache) put(name string, of *content) {
	if of.file != nil {
		of = new(*of)
		of.file = nil
	}
	k := &kept{content: of}
	if k.cost(name) > c.limit {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(name)
	for c.held+k.cost(name) > c.limit {
		for other, old := range c.kept { // in no order
			if !old.taken.Swap(false) {
				c.drop(other)
			}
			if c.held+k.cost(name) <= c.limit {
				break
			}
		}
	}
	if c.kept == nil {
		c.kept = make(map[string]*kept)
	}
	c.kept[name] = k
	c.held += k.cost(name)
}

// drop forgets a file. The lock is held.
func (c *cache) drop(name string) {
	if k := c.kept[name]; k != nil {
		c.held -= k.cost(name)
		delete(c.kept, name)
	}
}
