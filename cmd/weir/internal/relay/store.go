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
// freed piece by piece. The zero value is empty.
type store struct {
	parts [][]byte
	one   [1][]byte // room for the part of a short body
	spare []byte    // for the next body
	begin int       // where in the body parts[0] stands
	next  int       // the first part that was not taken
	at    int       // where in the body that stands
}

// add appends a copy of p.
func (s *store) add(p []byte) {
	if s.parts == nil {
		s.parts = s.one[:0]
	}
	for len(p) > 0 {
		last := len(s.parts) - 1
		if last < s.next || len(s.parts[last]) == segment {
			s.parts = append(s.parts, s.spare)
			s.spare = nil
			if last++; last > 0 { // a long one, which will fill it
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

// waiting reports whether there is a part to be taken.
func (s *store) waiting() bool { return s.next < len(s.parts) }

// take returns the next part and where in the body it begins. It is kept until
// free, so that it can be taken again after rewind.
func (s *store) take() (at int, p []byte) {
	at, p = s.at, s.parts[s.next]
	s.next++
	s.at += len(p)
	return at, p
}

func (s *store) rewind() { s.next, s.at = 0, s.begin }

// free frees what was taken, which must not be used any more.
func (s *store) free() {
	for _, p := range s.parts[:s.next] {
		if cap(p) == segment {
			segments.Put((*[segment]byte)(p[:segment]))
		}
	}
	clear(s.parts[:s.next]) // the collector looks at the whole array
	s.parts = s.parts[s.next:]
	s.next, s.begin = 0, s.at
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
	case len(s.parts) > 1: // a long one, of which an upstream has seen copies only
		s.next = len(s.parts)
		s.free()
	}
	*s = store{spare: spare}
}
