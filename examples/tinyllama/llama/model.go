// Package llama computes the models of the llama architecture, in plain Go:
// slowly, and short enough to be read.
//
// [Load] reads a GGUF file. A [Cache] is one sequence: what the model keeps of
// the tokens it has seen. A [Worker] takes [Row] after row, a token of some
// sequence each, many sequences in one call, and gives what may come next.
package llama

import (
	"errors"
	"fmt"
	"math"

	"weir/examples/tinyllama/gguf"
)

// Model is a model's weights, as float32 whatever the file has. It does not
// change, and is safe for concurrent use.
type Model struct {
	Tokenizer *Tokenizer
	Name      string // general.name, or ""
	Context   int    // tokens that a sequence may have

	dim, hidden    int // numbers per token, within the layers and within the feed-forward net
	heads, kvHeads int // several heads may share a key and value
	headDim        int
	eps            float32 // rmsNorm's

	embedding []float32 // vocabulary × dim
	layers    []layer
	norm      []float32
	output    []float32 // vocabulary × dim
	turns     rotation
}

// A layer's matrices have a row for each number that they give.
type layer struct {
	attnNorm, ffnNorm []float32
	q, k, v, o        []float32
	gate, up, down    []float32
}

// Load reads the model in a GGUF file.
func Load(path string) (*Model, error) {
	f, closer, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer closer.Close() // it was only read
	return New(f)
}

// New reads the model in f, which is not needed afterwards.
func New(f *gguf.File) (*Model, error) {
	if arch, err := f.Text("general.architecture"); err != nil || arch != "llama" {
		return nil, fmt.Errorf(`llama: the architecture is %q, want "llama" (%v)`, arch, err)
	}
	t, err := NewTokenizer(f)
	if err != nil {
		return nil, err
	}
	m := &Model{Tokenizer: t}
	if m.Name, err = orElse(f.Text, "general.name", ""); err != nil {
		return nil, err
	}
	if err := m.readShape(f); err != nil {
		return nil, err
	}
	if err := m.readWeights(f); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Model) readShape(f *gguf.File) error {
	var layers, kvHeads int
	var err error
	for _, n := range []struct {
		key string
		to  *int
	}{
		{"context_length", &m.Context},
		{"embedding_length", &m.dim},
		{"block_count", &layers},
		{"feed_forward_length", &m.hidden},
		{"attention.head_count", &m.heads},
	} {
		if *n.to, err = f.Int("llama." + n.key); err != nil {
			return fmt.Errorf("llama: %w", err)
		}
		if *n.to <= 0 || *n.to > 1<<24 {
			return fmt.Errorf("llama: llama.%s is %d", n.key, *n.to)
		}
	}
	if kvHeads, err = orElse(f.Int, "llama.attention.head_count_kv", m.heads); err != nil {
		return err
	}
	eps, err := f.Float("llama.attention.layer_norm_rms_epsilon")
	if err != nil {
		return fmt.Errorf("llama: %w", err)
	}
	m.kvHeads, m.eps, m.layers, m.headDim = kvHeads, float32(eps), make([]layer, layers), m.dim/m.heads
	if m.dim%m.heads != 0 || kvHeads <= 0 || m.heads%kvHeads != 0 {
		return fmt.Errorf("llama: %d numbers, %d heads and %d for keys and values do not divide evenly", m.dim, m.heads, kvHeads)
	}
	return m.readRotation(f)
}

// readRotation also refuses settings that would make other text than the
// model's.
func (m *Model) readRotation(f *gguf.File) error {
	base, err := orElse(f.Float, "llama.rope.freq_base", 10000)
	if err != nil {
		return err
	}
	n, err := orElse(f.Int, "llama.rope.dimension_count", m.headDim)
	if err != nil {
		return err
	}
	if n <= 0 || n > m.headDim || n%2 != 0 {
		return fmt.Errorf("llama: llama.rope.dimension_count is %d, want an even number up to %d", n, m.headDim)
	}
	scaling, err := orElse(f.Text, "llama.rope.scaling.type", "none")
	if err != nil {
		return err
	}
	experts, err := orElse(f.Int, "llama.expert_count", 0)
	if err != nil {
		return err
	}
	switch {
	case scaling != "none":
		return fmt.Errorf("llama: rope scaling %q is not supported", scaling)
	case f.Shape("rope_freqs.weight") != nil:
		return errors.New("llama: models with rope_freqs are not supported")
	case experts > 0:
		return errors.New("llama: mixtures of experts are not supported")
	}
	m.turns = newRotation(n, base)
	return nil
}

func (m *Model) readWeights(f *gguf.File) error {
	var errs []error
	read := func(name string, dims ...int) []float32 {
		x, err := f.Tensor(name+".weight", dims...)
		errs = append(errs, err)
		return x
	}
	vocabulary, kv := m.Tokenizer.Size(), m.kvHeads*m.headDim
	m.embedding = read("token_embd", m.dim, vocabulary)
	m.norm = read("output_norm", m.dim)
	if m.output = m.embedding; f.Shape("output.weight") != nil {
		m.output = read("output", m.dim, vocabulary)
	}
	for i := range m.layers {
		block := fmt.Sprintf("blk.%d.", i)
		m.layers[i] = layer{
			attnNorm: read(block+"attn_norm", m.dim),
			ffnNorm:  read(block+"ffn_norm", m.dim),
			q:        read(block+"attn_q", m.dim, m.dim),
			k:        read(block+"attn_k", m.dim, kv),
			v:        read(block+"attn_v", m.dim, kv),
			o:        read(block+"attn_output", m.dim, m.dim),
			gate:     read(block+"ffn_gate", m.dim, m.hidden),
			up:       read(block+"ffn_up", m.dim, m.hidden),
			down:     read(block+"ffn_down", m.hidden, m.dim),
		}
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("llama: %w", err)
		}
	}
	return nil
}

// rotation turns pairs of neighbouring numbers by an angle that grows with the
// position (RoPE).
type rotation []float64 // angle per position, for each pair

func newRotation(n int, base float64) rotation {
	r := make(rotation, n/2)
	for i := range r {
		r[i] = math.Pow(base, -2*float64(i)/float64(n))
	}
	return r
}

// appendAngles appends cosine and sine for each pair.
func (r rotation) appendAngles(dst []float32, pos int) []float32 {
	for _, a := range r {
		sin, cos := math.Sincos(a * float64(pos))
		dst = append(dst, float32(cos), float32(sin))
	}
	return dst
}

// turn turns the beginning of each head in x.
func turn(x []float32, headDim int, angles []float32) {
	for ; len(x) >= headDim; x = x[headDim:] {
		for i := 0; i+1 < len(angles); i += 2 {
			cos, sin := angles[i], angles[i+1]
			a, b := x[i], x[i+1]
			x[i], x[i+1] = a*cos-b*sin, a*sin+b*cos
		}
	}
}
