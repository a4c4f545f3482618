package http1

import (
	"maps"
	"math"
	"math/bits"
	"slices"
)

// A FieldSet is a set of field names, which are compared without regard to
// case. It is safe for concurrent use; a nil FieldSet is empty.
type FieldSet struct{ table *fieldTable }

// NewFieldSet returns the set of the names, of which there may be at most
// 65535.
func NewFieldSet(names ...string) *FieldSet {
	return &FieldSet{newFieldTable(map[Class][]string{1: names})}
}

// Has reports whether name is in the set. It is not inlined, so that the
// compiler sees for callers that name does not escape, which it does not for an
// instance of lookUp.
//
//go:noinline
func (s *FieldSet) Has(name []byte) bool { return s != nil && lookUp(s.table, name) != 0 }

// fieldTable maps names to classes. It is an open hash table with small slots,
// so that the names of one request's fields, most of which are not in it, cost
// little more than two bytes each from the cache.
type fieldTable struct {
	slots   []uint16 // index into names plus one; 0 = free
	shift   uint
	names   []string
	classes []Class
}

func newFieldTable(classes map[Class][]string) *fieldTable {
	t := new(fieldTable)
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		for _, name := range classes[class] {
			t.names, t.classes = append(t.names, name), append(t.classes, class)
		}
	}
	if len(t.names) > math.MaxUint16 {
		panic("http1: more than 65535 names in a set of fields")
	}
	log := uint(bits.Len(uint(4*len(t.names) + 1))) // at most a quarter full: nearly all misses end at a free slot
	t.slots, t.shift = make([]uint16, 1<<log), 32-log
	for i, name := range t.names {
		if name == "" {
			continue
		}
		at := hashOf(name) >> t.shift
		for t.slots[at] != 0 {
			at = (at + 1) & uint32(len(t.slots)-1)
		}
		t.slots[at] = uint16(i + 1)
	}
	return t
}

func lookUp[T string | []byte](t *fieldTable, name T) Class {
	if len(name) == 0 {
		return 0
	}
	for at := hashOf(name) >> t.shift; ; at = (at + 1) & uint32(len(t.slots)-1) {
		i := t.slots[at]
		if i == 0 {
			return 0
		}
		if equalFold(name, t.names[i-1]) {
			return t.classes[i-1]
		}
	}
}

// hashOf looks at the length and at three octets of a name, which is not empty,
// in any case.
func hashOf[T string | []byte](name T) uint32 {
	first, middle, last := name[0]|0x20, name[len(name)/2]|0x20, name[len(name)-1]|0x20
	return (uint32(first)<<24 ^ uint32(middle)<<15 ^ uint32(last)<<8 ^ uint32(len(name))) * 0x9E3779B1
}
