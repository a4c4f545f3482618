package http1

import (
	"bytes"
	"testing"
)

// The scanners agree with their definition for every octet, at every place in a word, next to
// every kind of neighbour: carries between lanes would show here.
func TestScanners(t *testing.T) {
	control := func(c byte) bool { return c < ' ' || c == 0x7f }
	stop := func(c byte) bool { return c <= '%' || c == '?' || c == '\\' || c >= 0x7f }
	for _, fill := range []byte{'a', ' ', 0x7e, 0x80, 0xff, '&', '>', '@', '[', ']'} {
		for c := range 256 {
			for at := range 20 {
				b := bytes.Repeat([]byte{fill}, 20)
				b[at] = byte(c)
				for from := range 10 {
					if got, want := indexControl(b, from), indexFrom(b, from, control); got != want {
						t.Fatalf("indexControl(%q, %d): got %d, want %d", b, from, got, want)
					}
					if got, want := indexTargetStop(b, from), indexFrom(b, from, stop); got != want {
						t.Fatalf("indexTargetStop(%q, %d): got %d, want %d", b, from, got, want)
					}
				}
			}
		}
	}
}

func indexFrom(b []byte, i int, f func(byte) bool) int {
	for i < len(b) && !f(b[i]) {
		i++
	}
	return i
}
