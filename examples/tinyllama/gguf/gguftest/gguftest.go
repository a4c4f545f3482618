// Package gguftest writes small GGUF files for tests.
package gguftest

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Types of metadata and tensors, as the format numbers them.
const (
	Uint8, Int8, Uint16, Int16, Uint32, Int32, Float32, Bool, String, Array, Uint64, Int64, Float64 = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12

	F32, F16, Q4_0, Q8_0, BF16 = 0, 1, 2, 8, 30
)

const align = 32

// Builder collects a file's parts. The zero value is an empty file.
type Builder struct {
	pairs, infos, data []byte
	nPairs, nTensors   uint64
}

var le = binary.LittleEndian

// AppendString appends s as the format has it.
func AppendString(dst []byte, s string) []byte {
	return append(le.AppendUint64(dst, uint64(len(s))), s...)
}

// Raw adds a pair whose value, and the type before it, are given as bytes.
func (b *Builder) Raw(key string, typ uint32, value []byte) {
	b.nPairs++
	b.pairs = append(le.AppendUint32(AppendString(b.pairs, key), typ), value...)
}

// Set adds a pair: a string, bool, uint32, int64, float32, []string, []float32
// or []int32.
func (b *Builder) Set(key string, value any) {
	switch v := value.(type) {
	case string:
		b.Raw(key, String, AppendString(nil, v))
	case bool:
		b.Raw(key, Bool, []byte{map[bool]byte{true: 1}[v]})
	case uint32:
		b.Raw(key, Uint32, le.AppendUint32(nil, v))
	case int64:
		b.Raw(key, Int64, le.AppendUint64(nil, uint64(v)))
	case float32:
		b.Raw(key, Float32, le.AppendUint32(nil, math.Float32bits(v)))
	case []string:
		array(b, key, String, v, AppendString)
	case []float32:
		array(b, key, Float32, v, appendFloat)
	case []int32:
		array(b, key, Int32, v, func(dst []byte, n int32) []byte { return le.AppendUint32(dst, uint32(n)) })
	default:
		panic(fmt.Sprintf("gguftest: cannot write a %T", value))
	}
}

func array[T any](b *Builder, key string, typ uint32, all []T, add func([]byte, T) []byte) {
	raw := le.AppendUint64(le.AppendUint32(nil, typ), uint64(len(all)))
	for _, v := range all {
		raw = add(raw, v)
	}
	b.Raw(key, Array, raw)
}

func appendFloat(dst []byte, x float32) []byte { return le.AppendUint32(dst, math.Float32bits(x)) }

// Floats adds an F32 tensor.
func (b *Builder) Floats(name string, x []float32, dims ...int) {
	var raw []byte
	for _, v := range x {
		raw = appendFloat(raw, v)
	}
	b.Tensor(name, F32, raw, dims...)
}

// Tensor adds a tensor whose data are given as bytes.
func (b *Builder) Tensor(name string, typ uint32, raw []byte, dims ...int) {
	b.nTensors++
	b.infos = le.AppendUint32(AppendString(b.infos, name), uint32(len(dims)))
	for _, d := range dims {
		b.infos = le.AppendUint64(b.infos, uint64(d))
	}
	b.infos = le.AppendUint64(le.AppendUint32(b.infos, typ), uint64(len(b.data)))
	b.data = pad(append(b.data, raw...))
}

// Bytes is the file.
func (b *Builder) Bytes() []byte {
	head := le.AppendUint32([]byte("GGUF"), 3)
	head = le.AppendUint64(le.AppendUint64(head, b.nTensors), b.nPairs)
	return append(pad(append(append(head, b.pairs...), b.infos...)), b.data...)
}

func pad(p []byte) []byte {
	for len(p)%align != 0 {
		p = append(p, 0)
	}
	return p
}
