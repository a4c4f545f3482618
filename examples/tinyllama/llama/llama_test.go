package llama_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"weir/examples/tinyllama/gguf"
	"weir/examples/tinyllama/gguf/gguftest"
	"weir/examples/tinyllama/llama"
	"weir/examples/tinyllama/llama/llamatest"
)

func TestTokenizer(t *testing.T) {
	tok := llamatest.Model(llamatest.Context).Tokenizer
	const bos, firstByte, firstWord = 1, 3, 3 + 256
	word := func(w string) int { return firstWord + slices.Index(llamatest.Words, w) }
	b := func(c byte) int { return firstByte + int(c) }
	tests := []struct {
		name, text string
		want       []int
	}{
		{"empty", "", nil},
		{"one word", "the", []int{word("▁the")}},
		{"best score first", "he", []int{word("▁"), word("he")}}, // "he" before any with "▁"
		{"words in words", "thing", []int{word("▁t"), word("h"), word("ing")}},
		{"spaces", " a", []int{word("▁"), word("▁a")}},
		{"character of two bytes", "é", []int{word("▁"), word("é")}},
		{"bytes of an unknown one", "ü", []int{word("▁"), b(0xc3), b(0xbc)}},
		{"no UTF-8", "a\xc3", []int{word("▁a"), b(0xc3)}},
		{"control tokens are text", "</s>", []int{word("▁"), b('<'), b('/'), word("s"), b('>')}},
		{"the first of equals", "aaa", []int{word("▁a"), word("a"), word("a")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tok.Encode(tt.text)
			if want := append([]int{bos}, tt.want...); !slices.Equal(got, want) {
				t.Errorf("%q: got %v, want %v", tt.text, got, want)
			}
			var back strings.Builder
			for _, token := range got {
				back.WriteString(tok.Piece(token))
			}
			if want := " " + tt.text; tt.text != "" && back.String() != want {
				t.Errorf("back: got %q, want %q", back.String(), want)
			}
		})
	}
}

// TestBatchIsSingle: the same numbers come out of one sequence by itself and of many together, to the last bit.
func TestBatchIsSingle(t *testing.T) {
	m := llamatest.Model(llamatest.Context)
	const sequences, steps = 40, 12 // more than go through the layers together
	random := rand.New(rand.NewPCG(3, 4))
	tokens := make([][]int, sequences)
	for s := range tokens {
		for range 1 + s%steps {
			tokens[s] = append(tokens[s], random.IntN(m.Tokenizer.Size()))
		}
	}
	single := make([][]float32, sequences)
	for s := range single { // a token in each call
		w, c := m.NewWorker(), new(llama.Cache)
		single[s] = make([]float32, m.Tokenizer.Size())
		for _, token := range tokens[s] {
			w.Forward([]llama.Row{{Cache: c, Token: token, Logits: single[s]}})
		}
	}
	var rows []llama.Row // all sequences, each as a whole
	for s := range tokens {
		c := new(llama.Cache)
		for _, token := range tokens[s] {
			rows = append(rows, llama.Row{Cache: c, Token: token})
		}
		rows[len(rows)-1].Logits = make([]float32, m.Tokenizer.Size())
	}
	m.NewWorker().Forward(rows)
	s := 0
	for _, row := range rows {
		if row.Logits == nil {
			continue
		}
		if !slices.Equal(row.Logits, single[s]) {
			t.Errorf("sequence %d gives other numbers in a batch", s)
		}
		s++
	}
}

// TestResetForgets: a cache that is used again gives what a fresh one gives.
func TestResetForgets(t *testing.T) {
	m := llamatest.Model(llamatest.Context)
	w, used, fresh := m.NewWorker(), new(llama.Cache), new(llama.Cache)
	got, want := make([]float32, m.Tokenizer.Size()), make([]float32, m.Tokenizer.Size())
	w.Forward([]llama.Row{{Cache: used, Token: 5}, {Cache: used, Token: 6}})
	if used.Len() != 2 {
		t.Errorf("got %d tokens, want 2", used.Len())
	}
	used.Reset()
	w.Forward([]llama.Row{{Cache: used, Token: 9, Logits: got}, {Cache: fresh, Token: 9, Logits: want}})
	if !slices.Equal(got, want) || used.Len() != 1 {
		t.Errorf("a cache that was used gives other numbers, or has not 1 but %d tokens", used.Len())
	}
}

func TestSampler(t *testing.T) {
	logits := func() []float32 { return []float32{1, 3, 2.9, -1} }
	if got := new(llama.Sampler).Choose(logits()); got != 1 {
		t.Errorf("greedy: got %d, want 1", got)
	}
	draw := func(temperature float64, seed uint64) (counts [4]int) {
		s := llama.NewSampler(temperature, seed)
		for range 1000 {
			counts[s.Choose(logits())]++
		}
		return counts
	}
	if a, b := draw(1, 7), draw(1, 7); a != b {
		t.Errorf("the same seed: got %v and %v", a, b)
	}
	if a, b := draw(1, 7), draw(1, 8); a == b {
		t.Errorf("two seeds: got %v twice", a)
	}
	// e^1 : e^3 : e^2.9 : e^-1 are 6.6, 49, 44 and 0.9 %.
	if c := draw(1, 7); c[1] < 430 || c[1] > 550 || c[2] < 380 || c[2] > 500 || c[0] < 30 || c[0] > 110 {
		t.Errorf("got %v of 1000", c)
	}
	if c := draw(0.01, 7); c[1] < 990 {
		t.Errorf("nearly greedy: got %v of 1000", c)
	}
}

func TestRefusedModels(t *testing.T) {
	tests := []struct {
		name string
		edit func(b *gguftest.Builder)
		want string
	}{
		{"scaled rotation", func(b *gguftest.Builder) { b.Set("llama.rope.scaling.type", "yarn") }, `"yarn" is not supported`},
		{"odd rotation", func(b *gguftest.Builder) { b.Set("llama.rope.dimension_count", uint32(3)) }, "want an even number up to 4"},
		{"experts", func(b *gguftest.Builder) { b.Set("llama.expert_count", uint32(8)) }, "mixtures"},
		{"end outside", func(b *gguftest.Builder) { b.Set("tokenizer.ggml.eos_token_id", uint32(9999)) }, "eos_token_id is 9999"},
		{"wrong type", func(b *gguftest.Builder) { b.Set("llama.rope.freq_base", "x") }, "not a floating-point number"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantRefused(t, llamatest.File(llamatest.Context, tt.edit), tt.want) })
	}
	var nothing, gpt gguftest.Builder
	gpt.Set("general.architecture", "gpt2")
	wantRefused(t, nothing.Bytes(), "no such key")
	wantRefused(t, gpt.Bytes(), `architecture is "gpt2"`)
	whole := llamatest.File(llamatest.Context, nil)
	for old, want := range map[string]string{
		"ffn_gate.":            `blk.0.ffn_gate.weight" is missing`,
		"llama.block_count":    "llama.block_count",
		"<0x0A>":               "byte token 13",
		"tokenizer.ggml.model": "the tokenizer is",
	} {
		other := bytes.Replace(whole, []byte(old), bytes.Repeat([]byte("x"), len(old)), 1)
		wantRefused(t, other, want)
	}
}

func wantRefused(t *testing.T, file []byte, want string) {
	t.Helper()
	f, err := gguf.Read(bytes.NewReader(file), int64(len(file)))
	if err == nil {
		_, err = llama.New(f)
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want an error with %q", err, want)
	}
}
