// Package llamatest makes a small model for tests, of weights that are drawn by
// lot. Its greedy text has no end and is made of Words.
package llamatest

import (
	"bytes"
	"fmt"
	"math/rand/v2"

	"weir/examples/tinyllama/gguf"
	"weir/examples/tinyllama/gguf/gguftest"
	"weir/examples/tinyllama/llama"
)

// Sizes of the model; none is a multiple of another by chance.
const (
	Dim, Hidden, Layers, Heads, KVHeads = 24, 36, 2, 6, 2
)

// Words of the vocabulary, after <unk>, <s>, </s> and the 256 bytes. The later
// one has the lower score.
var Words = []string{"▁t", "he", "▁the", "▁a", "in", "ing", "▁", "a", "c", "e", "g", "h", "i", "n", "o", "s", "t", "é"}

// Context is the number of tokens that a sequence may have, unless a test wants
// another.
const Context = 64

// File is the model as a GGUF file. edit may be nil; it adds metadata.
func File(context int, edit func(b *gguftest.Builder)) []byte {
	var b gguftest.Builder
	b.Set("general.architecture", "llama")
	b.Set("general.name", "lots")
	b.Set("llama.context_length", uint32(context))
	b.Set("llama.embedding_length", uint32(Dim))
	b.Set("llama.block_count", uint32(Layers))
	b.Set("llama.feed_forward_length", uint32(Hidden))
	b.Set("llama.attention.head_count", uint32(Heads))
	b.Set("llama.attention.head_count_kv", uint32(KVHeads))
	b.Set("llama.attention.layer_norm_rms_epsilon", float32(1e-5))
	vocabulary := setVocabulary(&b)
	if edit != nil {
		edit(&b)
	}
	addWeights(&b, vocabulary)
	return b.Bytes()
}

// Model is the model itself.
func Model(context int) *llama.Model {
	file := File(context, nil)
	f, err := gguf.Read(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		panic(err)
	}
	m, err := llama.New(f)
	if err != nil {
		panic(err)
	}
	return m
}

func setVocabulary(b *gguftest.Builder) (size int) {
	words, types := []string{"<unk>", "<s>", "</s>"}, []int32{2, 3, 3}
	for i := range 256 {
		words, types = append(words, fmt.Sprintf("<0x%02X>", i)), append(types, 6)
	}
	scores := make([]float32, len(words))
	for i, w := range Words {
		words, types, scores = append(words, w), append(types, 1), append(scores, -float32(i))
	}
	b.Set("tokenizer.ggml.model", "llama")
	b.Set("tokenizer.ggml.tokens", words)
	b.Set("tokenizer.ggml.scores", scores)
	b.Set("tokenizer.ggml.token_type", types)
	return len(words)
}

func addWeights(b *gguftest.Builder, vocabulary int) {
	random := rand.New(rand.NewPCG(1, 2))
	add := func(name string, dims ...int) {
		n := 1
		for _, d := range dims {
			n *= d
		}
		x := make([]float32, n)
		for i := range x {
			x[i] = random.Float32() - 0.5
		}
		b.Floats(name+".weight", x, dims...)
	}
	const kv = Dim / Heads * KVHeads
	add("token_embd", Dim, vocabulary)
	add("output_norm", Dim)
	// The likeliest token is always a word: those before the words have the
	// same logit, 0, and some word has more.
	output := make([]float32, Dim*vocabulary)
	for i := Dim * (vocabulary - len(Words)); i < len(output); i++ {
		output[i] = 2*random.Float32() - 1
	}
	b.Floats("output.weight", output, Dim, vocabulary)
	for i := range Layers {
		block := fmt.Sprintf("blk.%d.", i)
		add(block+"attn_norm", Dim)
		add(block+"ffn_norm", Dim)
		add(block+"attn_q", Dim, Dim)
		add(block+"attn_k", Dim, kv)
		add(block+"attn_v", Dim, kv)
		add(block+"attn_output", Dim, Dim)
		add(block+"ffn_gate", Dim, Hidden)
		add(block+"ffn_up", Dim, Hidden)
		add(block+"ffn_down", Hidden, Dim)
	}
}
