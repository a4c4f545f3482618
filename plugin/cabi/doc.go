// Package cabi loads native handlers from shared libraries, in C, C++, Rust or
// any language that can use the C ABI of plugin/include/weir_plugin.h. [Load]
// registers a library's handlers with package plugin, so that they are mounted
// like those written in Go.
//
// It needs cgo and a Unix. Built without (CGO_ENABLED=0), it compiles all the
// same, and Load returns [ErrNoCgo].
//
// A library gets handles instead of pointers. A handle is the number of a slot
// in a table and how often the slot was used, so that a handle whose call has
// ended differs from the one that has its slot now. A slot whose count has
// reached the maximum is not used again: no handle is ever given out twice.
//
//	handle   0x00000007_00000002   the slot 2, used for the 7th time
//	slot     call     until the handler returns: the request
//	         reply    of a unary handler, until it returns
//	         sink     of a stream handler, until it returns or, detached, until close or abort
//	         socket   of a WebSocket, until its closed function returns
//
// A running C handler holds its goroutine and an operating system's thread, as
// every call of cgo does.
package cabi

import "errors"

// ErrNoCgo is returned by [Load] in a binary that was built without cgo.
var ErrNoCgo = errors.New("cabi: this weir was built without cgo and cannot load shared libraries: build it with CGO_ENABLED=1 and a C compiler")
