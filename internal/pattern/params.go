package pattern

import "bytes"

// inline is how many values Params holds without allocating.
const inline = 8

// Params holds what the wildcards of the matched pattern took from the path.
// The zero value is empty and ready to use; reusing one for the next request
// keeps its memory.
//
// Values point into the path given to Match or Rebase, or into the Params
// itself where a percent escape was decoded. They are valid until the path's
// memory changes or the next Match with these Params, whichever comes first. A
// Params is not safe for concurrent use; several goroutines may read it between
// two calls of Match or Rebase.
//
// Values are decoded as they are: "%00", "%0d%0a", "%2e%2e" and "%2F" come out
// as those bytes. Check a value before it becomes a file name, a header or a
// log line; see [HidesNUL].
type Params struct {
	p       *Pattern
	n       int
	path    []byte // as given to Match, or to Rebase since
	first   [inline]span
	more    []span // the values after the first eight
	decoded []byte // memory of the values that had an escape
}

// A span is where a value is: in the path, or in decoded.
type span struct {
	from, to uint32
	decoded  bool
}

// Len returns the number of values: the named wildcards of the matched pattern.
func (ps *Params) Len() int { return ps.n }

// Name returns the name of value i, with 0 ≤ i < Len.
func (ps *Params) Name(i int) string { return ps.p.names[i] }

// Value returns value i, with 0 ≤ i < Len. Only a "{name...}" can be empty.
func (ps *Params) Value(i int) []byte {
	var s span
	if i < inline {
		s = ps.first[i]
	} else {
		s = ps.more[i-inline]
	}
	if s.decoded {
		return ps.decoded[s.from:s.to:s.to]
	}
	return ps.path[s.from:s.to:s.to]
}

// Get returns the value of the wildcard with that name; ok reports whether the
// pattern has one.
func (ps *Params) Get(name string) (value []byte, ok bool) {
	for i := range ps.n {
		if ps.p.names[i] == name {
			return ps.Value(i), true
		}
	}
	return nil, false
}

// Rebase makes the values views of path, which is a copy of the path given to
// Match.
func (ps *Params) Rebase(path []byte) {
	if ps.n > 0 {
		ps.path = path
	}
}

// Reset drops the values, and with them every reference to the path.
func (ps *Params) Reset() {
	ps.p, ps.n, ps.path, ps.more, ps.decoded = nil, 0, nil, ps.more[:0], ps.decoded[:0]
}

// capture takes the values of p's wildcards from a path that p matches.
func (ps *Params) capture(p *Pattern, path []byte, escaped bool) {
	ps.Reset()
	ps.p = p
	if len(p.names) == 0 {
		return
	}
	ps.path = path
	at := 0 // of the slash before the next segment
	for i := range p.segments {
		s := &p.segments[i]
		if s.kind == rest {
			if s.text != "" {
				ps.add(at+1, len(path), escaped)
			}
			return
		}
		seg, _ := cut(path[at:])
		end := at + 1 + len(seg)
		if s.kind == single {
			ps.add(at+1, end, escaped)
		}
		at = end
	}
}

// add adds the value at path[from:to], decoded where escaped says that the path
// has an escape somewhere.
func (ps *Params) add(from, to int, escaped bool) {
	v := span{uint32(from), uint32(to), false}
	if escaped && bytes.IndexByte(ps.path[from:to], '%') >= 0 {
		if d, ok := unescape(ps.decoded, ps.path[from:to]); ok {
			v = span{uint32(len(ps.decoded)), uint32(len(d)), true}
			ps.decoded = d
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
