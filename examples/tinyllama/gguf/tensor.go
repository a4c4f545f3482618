package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// A tensor is where its data is and how it is written.
type tensor struct {
	dims   []int // the innermost first, as in the file
	format format
	offset uint64 // from File.data
	count  int    // of elements
	bytes  int64  // of data; -1 for a format that this package cannot read
}

// format is how a tensor's numbers are written (ggml_type).
type format uint32

const (
	f32  format = 0
	f16  format = 1
	q8_0 format = 8 // blocks of 32: an f16 scale, 32 × i8
	bf16 format = 30
)

const q8Block, q8Bytes = 32, 2 + 32

// bytes is the space that n numbers take, -1 for an unknown format and for a
// broken block.
func (t format) bytes(n int) int64 {
	switch t {
	case f32:
		return 4 * int64(n)
	case f16, bf16:
		return 2 * int64(n)
	case q8_0:
		if n%q8Block == 0 {
			return int64(n) / q8Block * q8Bytes
		}
	}
	return -1
}

func (f *File) readTensors(d *decoder, n uint64) {
	if !d.has(n, minTensor, "tensors") {
		return
	}
	f.tensors = make(map[string]tensor, n)
	for range n {
		name := d.name()
		t := d.tensor(name)
		if _, twice := f.tensors[name]; twice {
			d.fail("tensor %q comes twice", name)
		}
		if d.err != nil {
			return
		}
		f.tensors[name] = t
	}
}

func (d *decoder) tensor(name string) tensor {
	n := d.uint32()
	if n == 0 || n > maxDims {
		d.fail("tensor %q has %d dimensions, want 1 to %d", name, n, maxDims)
		return tensor{}
	}
	t := tensor{dims: make([]int, n), count: 1}
	for i := range t.dims {
		dim := d.uint64()
		// No format takes less than a bit for a number.
		high, count := bits.Mul64(uint64(t.count), dim)
		if dim == 0 || high != 0 || count > 8*uint64(d.size) {
			d.fail("tensor %q: dimension %d is %d, which the file's %d bytes cannot hold", name, i, dim, d.size)
			return tensor{}
		}
		t.dims[i], t.count = int(dim), int(count)
	}
	t.format, t.offset = format(d.uint32()), d.uint64()
	t.bytes = t.format.bytes(t.count)
	return t
}

// Shape returns the dimensions of a tensor, the innermost first; nil if there
// is no such tensor.
func (f *File) Shape(name string) []int { return slices.Clone(f.tensors[name].dims) }

// Tensor reads a tensor of the given dimensions, the innermost first, as
// float32, whatever its format is.
func (f *File) Tensor(name string, dims ...int) ([]float32, error) {
	t, found := f.tensors[name]
	switch {
	case !found:
		return nil, fmt.Errorf("gguf: tensor %q is missing", name)
	case !slices.Equal(t.dims, dims):
		return nil, fmt.Errorf("gguf: tensor %q has the dimensions %v, want %v", name, t.dims, dims)
	case t.bytes < 0:
		return nil, fmt.Errorf("gguf: tensor %q is of type %d; only F32, F16, BF16 and Q8_0 can be read: convert the model", name, t.format)
	}
	raw := make([]byte, t.bytes)
	if _, err := f.r.ReadAt(raw, f.data+int64(t.offset)); err != nil {
		return nil, fmt.Errorf("gguf: tensor %q: %w", name, err)
	}
	return t.format.decode(make([]float32, t.count), raw), nil
}

// decode fills dst with what raw holds.
func (t format) decode(dst []float32, raw []byte) []float32 {
	le := binary.LittleEndian
	switch t {
	case f32:
		for i := range dst {
			dst[i] = math.Float32frombits(le.Uint32(raw[4*i:]))
		}
	case f16:
		for i := range dst {
			dst[i] = half(le.Uint16(raw[2*i:]))
		}
	case bf16:
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(le.Uint16(raw[2*i:])) << 16)
		}
	case q8_0:
		for b := range len(dst) / q8Block {
			block := raw[b*q8Bytes:][:q8Bytes]
			scale := half(le.Uint16(block))
			for i, q := range block[2:] {
				dst[b*q8Block+i] = scale * float32(int8(q))
			}
		}
	}
	return dst
}

// half is an IEEE 754 binary16 as a float32; every one has its exact value
// there.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h&0x8000)<<16, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch {
	case exp == 0x1f: // infinities and NaN
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	case exp != 0:
		return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
	}
	x := float32(frac) / (1 << 24) // subnormal, or zero
	if sign != 0 {
		return -x
	}
	return x
}
