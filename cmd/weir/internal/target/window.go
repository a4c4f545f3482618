package target

import (
	"sync/atomic"
	"time"
)

// slots is how many parts a window has. Counts expire a part at a time, so it
// looks back over nine to ten tenths of its length.
const slots = 10

// window counts two kinds of events over a recent time. It is safe for
// concurrent use and takes no lock; a count that is made while its slot passes
// to the next turn may get lost.
type window struct {
	slots [slots]slot
}

// slot is a part of a window.
type slot struct {
	turn       atomic.Int64 // which part of all time it counts
	good, poor atomic.Int64
}

// turn is the part of time that now is in, for a window of this length.
func turn(now time.Time, length time.Duration) int64 {
	return now.UnixNano() / max(1, int64(length/slots))
}

// at is the slot of a turn, emptied if it was of an earlier one.
func (w *window) at(turn int64) *slot {
	s := &w.slots[uint64(turn)%slots]
	if old := s.turn.Load(); old != turn && s.turn.CompareAndSwap(old, turn) {
		s.good.Store(0)
		s.poor.Store(0)
	}
	return s
}

// sum is what was counted up to a turn.
func (w *window) sum(turn int64) (good, poor int64) {
	for i := range w.slots {
		s := &w.slots[i]
		if age := turn - s.turn.Load(); 0 <= age && age < slots {
			good += s.good.Load()
			poor += s.poor.Load()
		}
	}
	return good, poor
}

func (w *window) clear() {
	for i := range w.slots {
		w.slots[i].good.Store(0)
		w.slots[i].poor.Store(0)
	}
}
