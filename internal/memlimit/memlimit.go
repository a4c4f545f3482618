// Package memlimit finds out how much memory the process may use, for limits
// that are a share of it.
package memlimit

import (
	"runtime/debug"
)

// Bytes returns the memory that this process may use: the least of GOMEMLIMIT,
// the limits of its control groups, what its limit on address space (ulimit -v)
// allows beyond what the runtime has reserved by now, and the machine's memory.
// It is math.MaxInt64 if none of them is known.
func Bytes() int64 {
	return min(debug.SetMemoryLimit(-1), system())
}
