package hub

// A chain is Logs in an order, the first in front. A Log has a link for each
// chain that it can be in, so that being moved costs it no memory. The zero
// value is empty. The Hub's lock guards it.
type chain struct{ ends link }

type link struct {
	log        *Log
	prev, next *link // nil: in no chain
}

// moveToBack puts a link behind all others, also one that was not in the chain.
func (c *chain) moveToBack(k *link) {
	k.drop()
	if c.ends.next == nil {
		c.ends.prev, c.ends.next = &c.ends, &c.ends
	}
	k.prev, k.next = c.ends.prev, &c.ends
	k.prev.next, k.next.prev = k, k
}

// drop takes a link out of its chain, if it is in one.
func (k *link) drop() {
	if k.next != nil {
		k.prev.next, k.next.prev = k.next, k.prev
		k.prev, k.next = nil, nil
	}
}

// front returns the first Log; nil if there is none.
func (c *chain) front() *Log {
	if c.ends.next == nil {
		return nil
	}
	return c.ends.next.log
}
