// Package bytesx converts between bytes and strings without copying, and passes
// bytes to the kernel without notifying the scheduler. It is the only package
// of weir that imports unsafe.
//
// The result shares memory with the argument. Nothing checks how long it is
// kept: the caller must, and should justify it in a comment beside the call.
package bytesx

import "unsafe"

// String returns b's bytes as a string, without a copy.
//
// The string is valid while b is not written to: a string that changes breaks
// maps that have it as a key, and every other promise about strings. It keeps
// b's whole array alive. Use it for the length of one call: a map look-up, a
// comparison, a parse. Code that keeps the text copies it, with string(b) or
// strings.Clone. An empty or nil b gives "".
func String(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// Bytes returns s's bytes as a slice, without a copy. Its capacity is its
// length, so that append copies.
//
// The slice must never be written to: constants lie in read-only memory, where
// a write is a fault that cannot be recovered. It is valid as long as it is
// reachable. An empty s gives nil.
func Bytes(s string) []byte {
	if s == "" {
		return nil
	}
	return unsafe.Slice(unsafe.StringData(s), len(s))
}
