package pattern

import "bytes"

// fewChildren is how many literals are cheaper to compare one by one than to
// look up in a map.
const fewChildren = 8

// children are the literal branches of a node. The zero value is empty.
type children[V any] struct {
	few  []child[V]
	many map[string]*node[V] // all of them, once there are more than a few
}

type child[V any] struct {
	text string // percent-decoded
	node *node[V]
}

// add returns the child for text, made if it is not there yet.
func (c *children[V]) add(text string) *node[V] {
	if n := c.lookup([]byte(text)); n != nil {
		return n
	}
	n := new(node[V])
	c.few = append(c.few, child[V]{text, n})
	if len(c.few) > fewChildren {
		c.many = make(map[string]*node[V], len(c.few))
		for _, e := range c.few {
			c.many[e.text] = e.node
		}
	}
	return n
}

// find returns the child that seg names once decoded, or nil.
func (c *children[V]) find(seg []byte, escaped bool) *node[V] {
	if escaped && bytes.IndexByte(seg, '%') >= 0 {
		var buf [64]byte
		if d, ok := unescape(buf[:0], seg); ok {
			return c.lookup(d)
		}
	}
	return c.lookup(seg)
}

func (c *children[V]) lookup(text []byte) *node[V] {
	if c.many != nil {
		return c.many[string(text)]
	}
	for i := range c.few {
		if c.few[i].text == string(text) {
			return c.few[i].node
		}
	}
	return nil
}
