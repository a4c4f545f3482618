package gguf_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/examples/tinyllama/gguf"
	"weir/examples/tinyllama/gguf/gguftest"
)

func read(file []byte) (*gguf.File, error) {
	return gguf.Read(bytes.NewReader(file), int64(len(file)))
}

// small has a value of every kind that the model reader asks for, and a tensor of every format.
func small() []byte {
	var b gguftest.Builder
	b.Set("name", "tiny")
	b.Set("layers", uint32(5))
	b.Set("low", int64(-7))
	b.Set("eps", float32(0.5))
	b.Set("yes", true)
	b.Set("words", []string{"a", "", "é"})
	b.Set("scores", []float32{0, -1.5})
	b.Set("types", []int32{1, -3})
	b.Floats("f32", []float32{1, -2, 0.25, 3, 4, 5}, 3, 2)
	b.Tensor("f16", gguftest.F16, []byte{0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0x00, 0x80}, 4)
	b.Tensor("bf16", gguftest.BF16, []byte{0x80, 0x3f, 0x00, 0xc0}, 2)
	b.Tensor("q4", gguftest.Q4_0, make([]byte, 18), 32)
	q8 := []byte{0x00, 0x38} // scale 0.5
	for i := range 32 {
		q8 = append(q8, byte(int8(i-16)))
	}
	b.Tensor("q8", gguftest.Q8_0, q8, 32)
	return b.Bytes()
}

func TestMetadata(t *testing.T) {
	f, err := read(small())
	if err != nil {
		t.Fatal(err)
	}
	check := func(key string, got any, err error, want any) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", key, got, err, want)
		}
	}
	name, err := f.Text("name")
	check("name", name, err, "tiny")
	layers, err := f.Int("layers")
	check("layers", layers, err, 5)
	low, err := f.Int("low")
	check("low", low, err, -7)
	eps, err := f.Float("eps")
	check("eps", eps, err, 0.5)
	yes, err := f.Bool("yes")
	check("yes", yes, err, true)
	words, err := f.Texts("words")
	check("words", strings.Join(words, "|"), err, "a||é")
	scores, err := f.Floats("scores")
	check("scores", slices.Equal(scores, []float64{0, -1.5}), err, true)
	types, err := f.Ints("types")
	check("types", slices.Equal(types, []int{1, -3}), err, true)
	if !f.Has("eps") || f.Has("none") || len(f.Keys()) != 8 {
		t.Errorf("got the keys %q", f.Keys())
	}
}

func TestWrongQuestions(t *testing.T) {
	f, err := read(small())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Int("none"); !errors.Is(err, gguf.ErrNoKey) {
		t.Errorf("got %v, want ErrNoKey", err)
	}
	tests := []struct {
		name string
		ask  func() error
		want string
	}{
		{"text as number", func() error { _, err := f.Int("name"); return err }, "name is not an integer"},
		{"number as text", func() error { _, err := f.Text("layers"); return err }, "layers is not a string"},
		{"array as one", func() error { _, err := f.Int("types"); return err }, "types is not an integer"},
		{"one as array", func() error { _, err := f.Ints("layers"); return err }, "layers is not an array"},
		{"array of others", func() error { _, err := f.Texts("scores"); return err }, "not an array of strings"},
		{"no tensor", func() error { _, err := f.Tensor("none", 1); return err }, `"none" is missing`},
		{"another shape", func() error { _, err := f.Tensor("f32", 2, 3); return err }, "dimensions [3 2], want [2 3]"},
		{"another format", func() error { _, err := f.Tensor("q4", 32); return err }, "type 2; only"},
	}
	for _, tt := range tests {
		if err := tt.ask(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want an error with %q", tt.name, err, tt.want)
		}
	}
}

func TestTensors(t *testing.T) {
	f, err := read(small())
	if err != nil {
		t.Fatal(err)
	}
	q8 := make([]float32, 32)
	for i := range q8 {
		q8[i] = float32(i-16) / 2
	}
	tests := []struct {
		name string
		dims []int
		want []float32
	}{
		{"f32", []int{3, 2}, []float32{1, -2, 0.25, 3, 4, 5}},
		{"f16", []int{4}, []float32{1, -2, 1.0 / (1 << 24), float32(math.Copysign(0, -1))}},
		{"bf16", []int{2}, []float32{1, -2}},
		{"q8", []int{32}, q8},
	}
	for _, tt := range tests {
		got, err := f.Tensor(tt.name, tt.dims...)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, %v, want %v", tt.name, got, err, tt.want)
		}
		if shape := f.Shape(tt.name); !slices.Equal(shape, tt.dims) {
			t.Errorf("%s: got the shape %v, want %v", tt.name, shape, tt.dims)
		}
	}
}

// TestCutAnywhere: a file that ends early is an error wherever it ends.
func TestCutAnywhere(t *testing.T) {
	whole := small()
	for n := range len(whole) - 30 { // its last bytes are padding
		if _, err := read(whole[:n]); err == nil {
			t.Fatalf("a file of %d bytes was accepted after %d", len(whole), n)
		}
	}
}

func TestRefusedFiles(t *testing.T) {
	le := binary.LittleEndian
	build := func(f func(b *gguftest.Builder)) []byte {
		var b gguftest.Builder
		f(&b)
		return b.Bytes()
	}
	head := func(version uint32, tensors, pairs uint64) []byte {
		return le.AppendUint64(le.AppendUint64(le.AppendUint32([]byte("GGUF"), version), tensors), pairs)
	}
	huge := le.AppendUint64(nil, math.MaxUint64)
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "does not begin with GGUF"},
		{"other format", []byte("PK\x03\x04 and more"), "does not begin with GGUF"},
		{"version 1", head(1, 0, 0), "version 1"},
		{"big-endian", []byte("GGUF\x00\x00\x00\x03"), "big-endian"},
		{"pairs without end", head(3, 0, math.MaxUint64), "do not fit"},
		{"tensors without end", head(3, 1<<60, 0), "do not fit"},
		{"string without end", build(func(b *gguftest.Builder) { b.Raw("k", gguftest.String, huge) }), "do not fit"},
		{"array without end", build(func(b *gguftest.Builder) {
			b.Raw("k", gguftest.Array, append([]byte{4, 0, 0, 0}, huge...))
		}), "do not fit"},
		{"array of arrays", build(func(b *gguftest.Builder) {
			b.Raw("k", gguftest.Array, append([]byte{9, 0, 0, 0}, make([]byte, 8)...))
		}), "arrays of arrays"},
		{"unknown type", build(func(b *gguftest.Builder) { b.Raw("k", 13, nil) }), "unknown value type 13"},
		{"key twice", build(func(b *gguftest.Builder) { b.Set("k", true); b.Set("k", false) }), `"k" comes twice`},
		{"long key", build(func(b *gguftest.Builder) { b.Set(strings.Repeat("k", 1<<17), true) }), "at most 65536"},
		{"alignment", build(func(b *gguftest.Builder) { b.Set("general.alignment", uint32(24)) }), "power of two"},
		{"no dimensions", build(func(b *gguftest.Builder) { b.Floats("t", nil) }), "0 dimensions"},
		{"dimension 0", build(func(b *gguftest.Builder) { b.Floats("t", nil, 4, 0) }), "dimension 1 is 0"},
		{"too large", build(func(b *gguftest.Builder) { b.Floats("t", nil, 1<<31, 1<<31, 1<<31) }), "cannot hold"},
		{"data missing", build(func(b *gguftest.Builder) { b.Floats("t", []float32{1}, 100) }), "truncated"},
		{"tensor twice", build(func(b *gguftest.Builder) {
			b.Floats("t", []float32{1}, 1)
			b.Floats("t", []float32{1}, 1)
		}), `"t" comes twice`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := read(tt.file); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "small.gguf")
	if err := os.WriteFile(path, small(), 0o600); err != nil {
		t.Fatal(err)
	}
	f, closer, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	if _, err := f.Tensor("f32", 3, 2); err != nil {
		t.Error(err)
	}
	if _, _, err := gguf.Open(path + ".none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want os.ErrNotExist", err)
	}
}

// FuzzRead: no bytes make it panic, and what it accepts can be read.
func FuzzRead(f *testing.F) {
	whole := small()
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte("GGUF"))
	f.Fuzz(func(t *testing.T, file []byte) {
		g, err := read(file)
		if err != nil {
			if g != nil {
				t.Error("got a file and an error")
			}
			return
		}
		for _, key := range g.Keys() {
			g.Int(key)
			g.Float(key)
			g.Text(key)
			g.Bool(key)
			g.Ints(key)
			g.Floats(key)
			g.Texts(key)
		}
		for _, name := range []string{"f32", "f16", "bf16", "q8", "q4"} {
			shape := g.Shape(name)
			if x, err := g.Tensor(name, shape...); err == nil && len(x) == 0 {
				t.Errorf("%s: got no numbers for the shape %v", name, shape)
			}
		}
	})
}
