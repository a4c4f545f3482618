package llama

import (
	"container/heap"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"weir/examples/tinyllama/gguf"
)

// Tokenizer turns text into tokens and back, as SentencePiece's BPE does for
// models of the llama family: spaces are written as "▁", one is put before the
// text, and what the vocabulary does not have falls back to tokens for single
// bytes. It is safe for concurrent use.
type Tokenizer struct {
	pieces   []string // what a token stands for; "" for those that are not text
	scores   []float64
	ids      map[string]int // of the vocabulary's words as they are, including control tokens
	bytes    [256]int
	bos      int
	eos      int
	unknown  int
	addBOS   bool
	addSpace bool
}

// Types of tokens (llama_token_type).
const (
	typeUnknown = 2
	typeControl = 3
	typeByte    = 6
)

const space = "▁"

// NewTokenizer reads the vocabulary from a model's metadata.
func NewTokenizer(f *gguf.File) (*Tokenizer, error) {
	if model, err := f.Text("tokenizer.ggml.model"); err != nil || model != "llama" {
		return nil, fmt.Errorf(`llama: the tokenizer is %q, only "llama" (SentencePiece BPE) is known (%v)`, model, err)
	}
	words, err1 := f.Texts("tokenizer.ggml.tokens")
	scores, err2 := f.Floats("tokenizer.ggml.scores")
	types, err3 := f.Ints("tokenizer.ggml.token_type")
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("llama: vocabulary: %w", err)
	}
	if len(words) == 0 || len(scores) != len(words) || len(types) != len(words) {
		return nil, fmt.Errorf("llama: vocabulary of %d words with %d scores and %d types", len(words), len(scores), len(types))
	}
	t := &Tokenizer{pieces: make([]string, len(words)), scores: scores, ids: make(map[string]int, len(words))}
	if err := t.readSettings(f); err != nil {
		return nil, err
	}
	if err := t.readWords(words, types); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Tokenizer) readSettings(f *gguf.File) (err error) {
	ids := []struct {
		key      string
		to       *int
		fallback int
	}{
		{"tokenizer.ggml.bos_token_id", &t.bos, 1},
		{"tokenizer.ggml.eos_token_id", &t.eos, 2},
		{"tokenizer.ggml.unknown_token_id", &t.unknown, 0},
	}
	for _, id := range ids {
		if *id.to, err = orElse(f.Int, id.key, id.fallback); err != nil {
			return err
		}
		if *id.to < 0 || *id.to >= len(t.pieces) {
			return fmt.Errorf("llama: %s is %d, the vocabulary has %d words", id.key, *id.to, len(t.pieces))
		}
	}
	if t.addBOS, err = orElse(f.Bool, "tokenizer.ggml.add_bos_token", true); err != nil {
		return err
	}
	t.addSpace, err = orElse(f.Bool, "tokenizer.ggml.add_space_prefix", true)
	return err
}

func (t *Tokenizer) readWords(words []string, types []int) error {
	for b := range t.bytes {
		t.bytes[b] = t.unknown
	}
	for id, word := range words {
		if _, twice := t.ids[word]; !twice {
			t.ids[word] = id
		}
		switch types[id] {
		case typeUnknown, typeControl: // no text
		case typeByte:
			b, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(word, "<0x"), ">"), 16, 8)
			if err != nil {
				return fmt.Errorf("llama: byte token %d is %q, want <0xHH>", id, word)
			}
			t.bytes[b], t.pieces[id] = id, string([]byte{byte(b)})
		default:
			t.pieces[id] = strings.ReplaceAll(word, space, " ")
		}
	}
	return nil
}

// Size is the number of tokens.
func (t *Tokenizer) Size() int { return len(t.pieces) }

// EOS is the token that ends a text.
func (t *Tokenizer) EOS() int { return t.eos }

// Piece is what the token adds to a text: bytes that may begin or end within a
// character; "" for a control token.
func (t *Tokenizer) Piece(token int) string { return t.pieces[token] }

// Encode returns the tokens of a text that begins a sequence, with the token
// for the beginning if the model wants one. Names of control tokens within the
// text are text. The caller may modify the result.
func (t *Tokenizer) Encode(text string) []int {
	var tokens []int
	if t.addBOS {
		tokens = append(tokens, t.bos)
	}
	if text == "" {
		return tokens
	}
	if t.addSpace {
		text = " " + text
	}
	m := merger{t: t, text: strings.ReplaceAll(text, " ", space)}
	m.split()
	for m.mergeBest() {
	}
	return m.appendTokens(tokens)
}

// A merger joins neighbouring symbols, the pair with the best score first and
// of equal ones the first in the text, until no two neighbours are a word. At
// the start each character is a symbol.
//
//	▁ o n c e  →  ▁ on c e  →  ▁ on ce  →  ▁on ce  →  ▁once
type merger struct {
	t       *Tokenizer
	text    string
	symbols []symbol
	pairs   pairs
}

// A symbol is a part of the text. One that was joined to its left neighbour is
// empty.
type symbol struct {
	start, end int
	prev, next int // indexes of the neighbours, -1 at the ends
}

// A pair of neighbours that is a word. It is out of date if one of them has
// grown or been merged, which its length shows.
type pair struct {
	left, right int
	length      int // bytes of both
	score       float64
}

func (m *merger) split() {
	for at := 0; at < len(m.text); {
		_, n := utf8.DecodeRuneInString(m.text[at:]) // 1 for a byte that is not UTF-8
		i := len(m.symbols)
		m.symbols = append(m.symbols, symbol{at, at + n, i - 1, i + 1})
		at += n
	}
	m.symbols[len(m.symbols)-1].next = -1
	for i := range m.symbols {
		m.offer(i-1, i)
	}
}

// offer makes a pair of two neighbours, if they are a word.
func (m *merger) offer(left, right int) {
	if left < 0 || right < 0 {
		return
	}
	word := m.text[m.symbols[left].start:m.symbols[right].end]
	if id, ok := m.t.ids[word]; ok {
		heap.Push(&m.pairs, pair{left, right, len(word), m.t.scores[id]})
	}
}

// mergeBest joins the best pair and reports whether there was one.
func (m *merger) mergeBest() bool {
	for len(m.pairs) > 0 {
		p := heap.Pop(&m.pairs).(pair)
		l, r := &m.symbols[p.left], &m.symbols[p.right]
		if l.start == l.end || r.start == r.end || r.end-l.start != p.length {
			continue
		}
		l.end, l.next = r.end, r.next
		r.start = r.end
		if l.next >= 0 {
			m.symbols[l.next].prev = p.left
		}
		m.offer(l.prev, p.left)
		m.offer(p.left, l.next)
		return true
	}
	return false
}

func (m *merger) appendTokens(tokens []int) []int {
	for i := 0; i >= 0; i = m.symbols[i].next {
		word := m.text[m.symbols[i].start:m.symbols[i].end]
		if id, ok := m.t.ids[word]; ok {
			tokens = append(tokens, id)
			continue
		}
		for j := range len(word) {
			tokens = append(tokens, m.t.bytes[word[j]])
		}
	}
	return tokens
}

// pairs is a heap with the best pair on top.
type pairs []pair

func (p pairs) Len() int      { return len(p) }
func (p pairs) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *pairs) Push(x any)   { *p = append(*p, x.(pair)) }

func (p pairs) Less(i, j int) bool {
	return p[i].score > p[j].score || p[i].score == p[j].score && p[i].left < p[j].left
}

func (p *pairs) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}

// orElse reads metadata that a file need not have.
func orElse[T any](ask func(string) (T, error), key string, fallback T) (T, error) {
	v, err := ask(key)
	if errors.Is(err, gguf.ErrNoKey) {
		return fallback, nil
	}
	if err != nil {
		return v, fmt.Errorf("llama: %w", err)
	}
	return v, nil
}
