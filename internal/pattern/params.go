package pattern

import "bytes"

// inline is how many values Params holds without allocating.
const inline = 8

// Params holds what the wildcards of the matched pattern took from the path. The zero value is empty and ready;
// using one again for the next request keeps its memory.
//
// Values are views: of the path given to Match, or of the Params itself where a percent escape was decoded. They are
// valid until the path's memory changes or the next Match with these Params, whichever comes first. A Params belongs
// to one goroutine at a time; reading it from several is fine between two calls of Match.
//
// Values are decoded as they are: "%00", "%0d%0a", "%2e%2e" and "%2F" come out as those bytes. Check a value before
// it becomes a file name, a header or a log line; see [HidesNUL].
type Params struct {
	p       *Pattern
	n       int
	first   [inline][]byte
	more    [][]byte // the values after the first eight
	decoded []byte   // memory of the values that had an escape
}

// Len returns the number of values: the named wildcards of the matched pattern.
func (ps *Params) Len() int { return ps.n }

// Name returns the name of value i, with 0 ≤ i < Len.
func (ps *Params) Name(i int) string { return ps.p.names[i] }

// Value returns value i, with 0 ≤ i < Len. Only a "{name...}" can be empty.
func (ps *Params) Value(i int) []byte {
	if i < inline {
		return ps.first[i]
	}
	return ps.more[i-inline]
}

// Get returns the value of the wildcard with that name; ok says that the pattern has one.
func (ps *Params) Get(name string) (value []byte, ok bool) {
	for i := range ps.n {
		if ps.p.names[i] == name {
			return ps.Value(i), true
		}
	}
	return nil, false
}

// Reset drops the values, and with them every reference to the path.
func (ps *Params) Reset() {
	clear(ps.first[:])
	clear(ps.more[:cap(ps.more)])
	ps.p, ps.n, ps.more, ps.decoded = nil, 0, ps.more[:0], ps.decoded[:0]
}

// capture takes the values of p's wildcards from a path that p matches.
func (ps *Params) capture(p *Pattern, path []byte, escaped bool) {
	ps.p, ps.n, ps.more, ps.decoded = p, 0, ps.more[:0], ps.decoded[:0]
	if len(p.names) == 0 {
		return
	}
	for i := range p.segments {
		switch s := &p.segments[i]; s.kind {
		case rest:
			if s.text != "" {
				ps.add(path[1:], escaped)
			}
			return
		case single:
			var seg []byte
			seg, path = cut(path)
			ps.add(seg, escaped)
		default:
			_, path = cut(path)
		}
	}
}

// add appends one value, decoded where escaped says that the path has an escape somewhere.
func (ps *Params) add(v []byte, escaped bool) {
	if escaped && bytes.IndexByte(v, '%') >= 0 {
		from := len(ps.decoded)
		// If this grows, earlier values stay in the old memory, which they keep alive.
		if d, ok := unescape(ps.decoded, v); ok {
			ps.decoded, v = d, d[from:len(d):len(d)]
		}
	}
	if ps.n < inline {
		ps.first[ps.n] = v
	} else {
		ps.more = append(ps.more, v)
	}
	ps.n++
}

// cut splits "/a/b" into "a" and "/b". The path begins with a slash.
func cut(path []byte) (seg, after []byte) {
	for i := 1; i < len(path); i++ {
		if path[i] == '/' {
			return path[1:i], path[i:]
		}
	}
	return path[1:], nil
}
