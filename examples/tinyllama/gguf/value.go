package gguf

import (
	"encoding/binary"
	"math"
)

// kind is the type of a metadata value, as the file has it.
type kind uint32

const (
	kindUint8 kind = iota
	kindInt8
	kindUint16
	kindInt16
	kindUint32
	kindInt32
	kindFloat32
	kindBool
	kindString
	kindArray
	kindUint64
	kindInt64
	kindFloat64
)

// widths are the bytes of a value of each kind; 0 for those that contain their
// length.
var widths = [...]int{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}

// A value is one of the metadata. Numbers stay as they are in the file until
// they are used.
type value struct {
	kind  kind     // of the elements, for an array
	array bool     // and not a single one
	raw   []byte   // numbers and booleans, one after the other
	texts []string // strings
}

func (d *decoder) value() value {
	k, n, array := kind(d.uint32()), uint64(1), false
	if k == kindArray {
		k, n, array = kind(d.uint32()), d.uint64(), true
		if k == kindArray {
			d.fail("arrays of arrays are not supported")
		}
	}
	switch {
	case d.err != nil:
	case int(k) >= len(widths):
		d.fail("unknown value type %d", k)
	case k == kindString:
		return value{kind: k, array: array, texts: d.texts(n)}
	case d.has(n, int64(widths[k]), "array elements"):
		return value{kind: k, array: array, raw: d.bytes(n * uint64(widths[k]))}
	}
	return value{}
}

func (d *decoder) texts(n uint64) []string {
	if !d.has(n, minString, "strings") {
		return nil
	}
	texts := make([]string, 0, n)
	for range n {
		texts = append(texts, d.string())
		if d.err != nil {
			return nil
		}
	}
	return texts
}

// length is the number of elements.
func (v value) length() int {
	if v.kind == kindString {
		return len(v.texts)
	}
	return len(v.raw) / widths[v.kind]
}

// integer returns element i as a number; ok is false if it is not one, or does
// not fit.
func (v value) integer(i int) (n int, ok bool) {
	le, wide := binary.LittleEndian, int64(0)
	switch p := v.raw; v.kind {
	case kindUint8:
		wide = int64(p[i])
	case kindInt8:
		wide = int64(int8(p[i]))
	case kindUint16:
		wide = int64(le.Uint16(p[2*i:]))
	case kindInt16:
		wide = int64(int16(le.Uint16(p[2*i:])))
	case kindUint32:
		wide = int64(le.Uint32(p[4*i:]))
	case kindInt32:
		wide = int64(int32(le.Uint32(p[4*i:])))
	case kindUint64, kindInt64:
		wide = int64(le.Uint64(p[8*i:]))
		if v.kind == kindUint64 && wide < 0 {
			return 0, false
		}
	default:
		return 0, false
	}
	return int(wide), int64(int(wide)) == wide
}

// float returns element i as a number; integers are not accepted.
func (v value) float(i int) (x float64, ok bool) {
	switch v.kind {
	case kindFloat32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(v.raw[4*i:]))), true
	case kindFloat64:
		return math.Float64frombits(binary.LittleEndian.Uint64(v.raw[8*i:])), true
	}
	return 0, false
}

func (v value) text(i int) (s string, ok bool) {
	if v.kind != kindString {
		return "", false
	}
	return v.texts[i], true
}

func (v value) boolean(i int) (b, ok bool) {
	if v.kind != kindBool {
		return false, false
	}
	return v.raw[i] != 0, true
}
