// Package cabi loads native handlers from shared libraries: C, C++, Rust, whatever speaks the C ABI that
// plugin/include/weir_plugin.h defines. [Load] puts a library's handlers into the registry of package plugin, from where
// they are mounted as those written in Go are.
//
// It needs cgo and a Unix. Built without (CGO_ENABLED=0), it compiles all the same, and Load returns [ErrNoCgo].
//
// A library has handles in place of pointers. A handle is the number of a slot in a table and how often the slot was
// used before, so a handle that is over is told from the one that has its slot now. A slot that has been used as often
// as the number can say is not used again: no handle is ever given out twice.
//
//	handle   0x00000007_00000002   the slot 2, used for the 7th time
//	slot     call     until the handler returns: what was asked
//	         reply    of a unary handler, until it returns
//	         sink     of a stream handler, until it returns or, detached, until close or abort
//
// A running C handler holds its goroutine and an operating system's thread, as every call of cgo does.
package cabi

import "errors"

// ErrNoCgo is what Load returns in a binary that was built without cgo.
var ErrNoCgo = errors.New("cabi: this weir was built without cgo and cannot load shared libraries: build it with CGO_ENABLED=1 and a C compiler")
