package gguf

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// Sizes that no valid file exceeds.
const (
	maxDims = 4       // of a tensor
	maxName = 1 << 16 // bytes of a key or of a tensor's name
)

// Minimal sizes of what is counted, so that a count can be checked against the
// remaining bytes before anything is allocated for it.
const (
	minPair   = 8 + 4 + 1     // key's length, type, one byte of value
	minTensor = 8 + 4 + 4 + 8 // name's length, dimensions, type, offset
	minString = 8
)

// A decoder reads little-endian values in order. After the first error all of
// them are zero and err stays: callers check it where they allocate or loop,
// and at the end.
type decoder struct {
	r    *bufio.Reader
	at   int64 // bytes read
	size int64 // of the file
	err  error
	word [8]byte
}

func newDecoder(r io.ReaderAt, size int64) *decoder {
	return &decoder{r: bufio.NewReader(io.NewSectionReader(r, 0, size)), size: size}
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("gguf: at byte %d: "+format, append([]any{d.at}, args...)...)
	}
}

// has reports whether n things of at least each bytes fit in the rest.
func (d *decoder) has(n uint64, each int64, what string) bool {
	if left := uint64(d.size - d.at); d.err == nil && n > left/uint64(each) {
		d.fail("%d %s do not fit in the %d bytes that are left: truncated or not a GGUF file", n, what, left)
	}
	return d.err == nil
}

func (d *decoder) fill(p []byte) {
	if !d.has(uint64(len(p)), 1, "bytes") {
		clear(p)
		return
	}
	n, err := io.ReadFull(d.r, p)
	d.at += int64(n)
	if err != nil {
		clear(p)
		d.fail("%w", err)
	}
}

func (d *decoder) uint(width int) uint64 {
	clear(d.word[:])
	d.fill(d.word[:width])
	return binary.LittleEndian.Uint64(d.word[:])
}

func (d *decoder) uint32() uint32 { return uint32(d.uint(4)) }
func (d *decoder) uint64() uint64 { return d.uint(8) }

func (d *decoder) bytes(n uint64) []byte {
	if !d.has(n, 1, "bytes") {
		return nil
	}
	p := make([]byte, n)
	d.fill(p)
	return p
}

func (d *decoder) string() string { return string(d.bytes(d.uint64())) }

// name is a string that lookups use.
func (d *decoder) name() string {
	n := d.uint64()
	if n > maxName {
		d.fail("name of %d bytes, at most %d are allowed", n, maxName)
		return ""
	}
	return string(d.bytes(n))
}
