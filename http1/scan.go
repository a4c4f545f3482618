package http1

import (
	"encoding/binary"
	"math/bits"
)

// The scanners look at eight octets at a time. In each lane of eight bits the
// octet's low seven bits plus a constant below 0x80 cannot carry into the next
// lane, so that the top bit of the sum is the exact result of a comparison:
//
//	low + (0x80-c)   top bit set when low >= c
//	(low^c) + 0x7f   top bit set when low != c
//
// A word's first hit is then the lowest top bit, on any machine, because the
// words are read as little-endian.
const (
	lanes  = 0x0101010101010101
	lowSet = 0x7f * lanes
	topBit = 0x80 * lanes
)

// indexControl returns the index of the first control character (0x00-0x1f,
// 0x7f; HTAB included) in b at or after i, or len(b).
func indexControl(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i : i+8])
		low := x & lowSet
		// In order: not below 0x20; is 0x7f; 0x80-0xff are not control
		// characters here.
		if hit := (^(low + (0x80-0x20)*lanes) | (low + lanes)) &^ x & topBit; hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
	}
	for ; i < len(b); i++ {
		if b[i] < ' ' || b[i] == 0x7f {
			return i
		}
	}
	return i
}

// indexTargetStop returns the index of the first octet in b at or after i that
// needs a check in a request target, or len(b): one up to '%' (controls, space,
// and the harmless '!', '"' and '$' among them), '?', '\\', DEL, and all beyond
// ASCII.
func indexTargetStop(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i : i+8])
		low := x & lowSet
		plain := (low + (0x80-'&')*lanes) & // not below '&'
			((low ^ '?'*lanes) + lowSet) &
			((low ^ '\\'*lanes) + lowSet) &^
			(low + lanes) // not 0x7f
		if hit := (x | ^plain) & topBit; hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c <= '%' || c == '?' || c == '\\' || c >= 0x7f {
			return i
		}
	}
	return i
}
