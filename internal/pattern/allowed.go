package pattern

import (
	"bytes"
	"slices"
)

// Allowed appends the methods that some pattern serves at host and path, for
// the Allow of a 405: sorted, each once, HEAD beside GET. As in net/http it
// counts the patterns that only a slash at the end keeps from matching, and
// those without a host. Call it if Match and Redirect found nothing: they would
// have found a pattern for any method, so those are not listed. Nothing
// appended means 404.
func (t *Tree[V]) Allowed(host, path []byte, dst []string) []string {
	path, _ = Clean(path)
	c := collect{methods: dst, from: len(dst), escaped: bytes.IndexByte(path, '%') >= 0}
	if s := t.lookupHost(host); s != nil {
		s.root.methods(&c, path)
	}
	if t.any != nil {
		t.any.root.methods(&c, path)
	}
	added := c.methods[c.from:]
	slices.Sort(added)
	return c.methods
}

// collect appends methods to those that dst had.
type collect struct {
	methods []string
	from    int
	escaped bool // the path has a percent escape somewhere
}

func (c *collect) add(method string) {
	if !slices.Contains(c.methods[c.from:], method) {
		c.methods = append(c.methods, method)
	}
}

// methods collects from every leaf below n that matches path, or would with a
// slash added.
func (n *node[V]) methods(c *collect, path []byte) {
	switch len(path) {
	case 0:
		n.here.methods(c)
		n.end.methods(c)
	case 1:
		n.end.methods(c)
	default:
		seg, after := cut(path)
		if l := n.literals.find(seg, c.escaped); l != nil {
			l.methods(c, after)
		}
		if n.single != nil {
			n.single.methods(c, after)
		}
	}
	n.rest.methods(c)
}

func (l leaf[V]) methods(c *collect) {
	for i := range l {
		switch m := l[i].p.method; m {
		case "":
		case "GET":
			c.add("GET")
			c.add("HEAD")
		default:
			c.add(m)
		}
	}
}
