//go:build !linux

package memlimit

import (
	"math"
	"runtime"
	"syscall"
)

// system is the memory of the machine.
func system() int64 {
	name := "hw.physmem"
	if runtime.GOOS == "darwin" {
		name = "hw.memsize"
	}
	text, err := syscall.Sysctl(name)
	if err != nil {
		return math.MaxInt64
	}
	n := int64(0) // the text is a number's bytes, of which zeros at the end are cut
	for i := range min(len(text), 8) {
		n |= int64(text[i]) << (8 * i)
	}
	if n <= 0 {
		return math.MaxInt64
	}
	return n
}
