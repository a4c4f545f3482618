package dialect

import (
	"bytes"
	"slices"
)

// repeat is the short way through a stream of tokens. Most of its events are
// the last one again with other values in a few places, its holes: the text, and
// members that do not matter to the judge, such as a time stamp.
//
//	data: {"t":17,"choices":[{"index":0,"delta":{"content":" world"},"finish_reason":null}]}\n\n
//	           └┘                                          └────┘
//
// An event with the same bytes around them has the verdict of the last one, and
// changes as little in its judge as the same event a second time. A text is
// Node.Free: of it matters only whether it is empty.
type repeat struct {
	event  []byte // the last one that was read the long way; empty = none
	around int    // length in bytes of its longest line without the holes
	n      uint8  // of holes, which are in order
	holes  [holesMost]hole
	some   uint8 // of values that do not matter
	values [skippedMost]value
}

// hole is a place in an event whose value may differ.
type hole struct {
	at, end uint16
	number  bool // one of digits; else in a string
	free    bool // a text, which is not empty
}

// value is a string or a number that the judge does not ask for.
type value struct {
	hole
	differs bool // from that of an event before
}

const (
	repeatMost = 1 << 10 // bounds how much of an event is kept
	holesMost  = 4
)

// match returns the length of the event that p begins with, and of what is in
// its holes, if it is the last one again.
func (k *repeat) match(p []byte) (n, filled int) {
	at := 0
	for i := range k.holes[:k.n] {
		h := &k.holes[i]
		literal := k.event[at:h.at]
		if !bytes.HasPrefix(p[n:], literal) {
			return 0, 0
		}
		n += len(literal)
		length, ok := h.fill(p[n:])
		if !ok {
			return 0, 0
		}
		n += length
		filled += length
		at = int(h.end)
	}
	if rest := k.event[at:]; bytes.HasPrefix(p[n:], rest) {
		return n + len(rest), filled
	}
	return 0, 0
}

// fill returns the length of what is in the hole, where b begins. It is written
// plainly, and its end is in b.
func (h *hole) fill(b []byte) (n int, ok bool) {
	if h.number {
		for n < len(b) && b[n]-'0' < 10 {
			n++
		}
		return n, n > 0
	}
	for n < len(b) && b[n] != '"' {
		if b[n] == '\\' || b[n] < ' ' || n > longWay {
			return 0, false
		}
		n++
	}
	return n, n < len(b) && (n > 0 || !h.free)
}

// learn keeps an event whose text is a part of it, and which values of it were
// skipped. One that the last event had otherwise becomes a hole.
func (k *repeat) learn(event, text []byte, skipped *skipped, line int) {
	if len(event) > repeatMost || event[len(event)-1] != '\n' {
		k.event = k.event[:0]
		return
	}
	values := k.compare(event, skipped)
	k.event, k.n, k.around, k.values, k.some = append(k.event[:0], event...), 0, line, values, skipped.n
	at := offset(event, text)
	k.dig(hole{at: at, end: at + uint16(len(text)), free: true})
	for i := range values[:skipped.n] {
		if values[i].differs {
			k.dig(values[i].hole)
		}
	}
	slices.SortFunc(k.holes[:k.n], func(a, b hole) int { return int(a.at) - int(b.at) })
}

// compare returns the values of event that were skipped, and which of them have
// changed.
func (k *repeat) compare(event []byte, skipped *skipped) (values [skippedMost]value) {
	alike := k.some == skipped.n && len(k.event) > 0
	for i := range skipped.values[:skipped.n] {
		text := skipped.values[i]
		v := &values[i]
		v.at = offset(event, text)
		v.end = v.at + uint16(len(text))
		v.number = event[v.at-1] != '"'
		if last := &k.values[i]; alike {
			v.differs = last.differs || string(k.event[last.at:last.end]) != string(text)
		}
	}
	return values
}

// dig adds a hole if there is room for one more.
func (k *repeat) dig(h hole) {
	if int(k.n) < len(k.holes) {
		k.holes[k.n] = h
		k.n++
		k.around -= int(h.end - h.at)
	}
}

// offset is where in event a part of it begins.
func offset(event, part []byte) uint16 {
	return uint16(cap(event) - cap(part)) // both have the end of the same array
}
