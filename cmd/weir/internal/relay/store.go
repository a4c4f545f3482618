package relay

import (
	"slices"
	"sync"
)

// segment is the size limit of a part of what is kept.
const segment = gatherLimit

// segments are parts of long bodies that were passed on, for reuse: as garbage
// they would add to what is counted.
var segments = sync.Pool{New: func() any { return new([segment]byte) }}

// store is the part of a request's body that has arrived and is still needed.
// It consists of parts, so that it grows without moving what it has, and is
// freed part by part. The zero value is empty.
type store struct {
	parts [][]byte  // all are full, except perhaps the last one
	one   [1][]byte // room for the part of a short body
	spare []byte    // for the next body
	begin int       // where in the body parts[0] stands
	next  int       // the part in which what was not taken begins
	taken int       // bytes of it that were
	at    int       // where in the body that stands
}

// add appends a copy of p.
func (s *store) add(p []byte) {
	if s.parts == nil {
		s.parts = s.one[:0]
	}
	for len(p) > 0 {
		last := len(s.parts) - 1
		if last < 0 || len(s.parts[last]) == segment {
			s.parts = append(s.parts, s.spare)
			s.spare = nil
			if last++; last > 0 || s.begin > 0 { // a long one, which will fill it
				s.parts[last] = segments.Get().(*[segment]byte)[:0]
			}
		}
		n := min(len(p), segment-len(s.parts[last]))
		s.parts[last] = append(s.parts[last], p[:n]...)
		p = p[n:]
	}
}

// skip is add, take and free for n bytes that need not be kept: all that is
// before them was freed.
func (s *store) skip(n int) {
	s.begin += n
	s.at += n
}

// first is the first part; a short body has no other.
func (s *store) first() []byte {
	if len(s.parts) == 0 {
		return nil
	}
	return s.parts[0]
}

// empty reports whether all was freed.
func (s *store) empty() bool { return len(s.parts) == 0 }

// waiting reports whether there is something to be taken.
func (s *store) waiting() bool { return s.next < len(s.parts) && s.taken < len(s.parts[s.next]) }

// take returns what comes next, no more than a part, and where in the body it
// begins. It is kept until free, so that it can be taken again after rewind.
func (s *store) take() (at int, p []byte) {
	part := s.parts[s.next]
	at, p = s.at, part[s.taken:]
	s.at += len(p)
	if s.taken = len(part); s.taken == segment {
		s.next++
		s.taken = 0
	}
	return at, p
}

func (s *store) rewind() { s.next, s.taken, s.at = 0, 0, s.begin }

// free frees the parts of which all was taken, which must not be used any more.
func (s *store) free() {
	n := s.next
	if s.taken > 0 && !s.waiting() {
		n, s.taken = n+1, 0
	}
	for _, p := range s.parts[:n] {
		if cap(p) == segment {
			segments.Put((*[segment]byte)(p[:segment]))
		}
	}
	clear(s.parts[:n]) // the collector looks at the whole array
	s.parts = s.parts[n:]
	s.next, s.begin = 0, s.at-s.taken
}

// length is how much of the body is kept.
func (s *store) length() (n int) {
	for _, p := range s.parts {
		n += len(p)
	}
	return n
}

// size is the memory that is kept.
func (s *store) size() (n int) {
	switch last := len(s.parts) - 1; {
	case last >= 0: // those between the first and the last are full
		n = cap(s.parts[last])
		if last > 0 {
			n += cap(s.parts[0]) + (last-1)*segment
		}
	}
	return n
}

// give returns the parts, which the caller owns from now on.
func (s *store) give() [][]byte {
	parts := slices.Clone(s.parts)
	*s = store{spare: s.spare}
	return parts
}

// spareBody is the size up to which memory is kept for the next body.
const spareBody = 4 << 10

// forget frees everything.
func (s *store) forget() {
	spare := s.spare
	switch {
	case len(s.parts) == 1 && cap(s.parts[0]) <= spareBody:
		spare = s.parts[0][:0]
	case s.begin > 0 || len(s.parts) > 1: // a long one, of which an upstream has seen copies only
		s.next, s.taken = len(s.parts), 0
		s.free()
	}
	*s = store{spare: spare}
}
