// Package babble makes text that looks like a language model's, from an n-gram
// model of a corpus small enough to build at start.
//
// The model is the corpus itself and one sorted index into it. With the tokens
//
//	0:A 1: stream 2: ends 3:. 4: A 5: stream 6: waits 7:.
//
// the index holds every position, sorted by the token before it, then by the
// token before that one, then by the token at it. All that ever followed
// " stream" is then one range of the index (positions 2 and 6), and all that
// followed " A stream" is a range within that range (position 6). Drawing a
// position from a range draws a token with the corpus's own frequency, and
// backing off from two tokens of context to one is taking the wider range.
// The text is taken as a ring, so that every token has followers.
package babble

import (
	"cmp"
	"slices"
	"strings"
)

// Model is an n-gram model of order 3 (two tokens of context) with back-off. It
// is immutable and safe for concurrent use. The zero value is the model of an
// empty corpus, which yields no text.
type Model struct {
	vocab  []string          // token texts by token number
	ids    map[string]uint32 // the other way
	text   []uint32          // the corpus, as token numbers
	order  []uint32          // positions, sorted as in the package comment
	first  []uint32          // order[first[t]:first[t+1]]: positions behind token t
	starts []uint32          // positions that begin a sentence, ascending
}

// New builds the model of a corpus. The model refers to the corpus's memory.
func New(corpus string) *Model {
	m := &Model{ids: make(map[string]uint32)}
	for _, token := range split(strings.ToValidUTF8(corpus, "\uFFFD")) {
		m.text = append(m.text, m.intern(token))
	}
	m.index()
	m.findStarts()
	return m
}

// split cuts a corpus into tokens.
func split(corpus string) []string {
	var words []string
	count := make(map[string]int)
	for len(corpus) > 0 {
		end := wordEnd(corpus)
		words = append(words, corpus[:end])
		count[corpus[:end]]++
		corpus = corpus[end:]
	}
	tokens := make([]string, 0, len(words)+len(words)/4)
	for _, w := range words {
		k := 1
		if count[w] < wholeCount {
			k = pieces(w)
		}
		tokens = appendPieces(tokens, w, k)
	}
	return tokens
}

func (m *Model) intern(token string) uint32 {
	id, ok := m.ids[token]
	if !ok {
		id = uint32(len(m.vocab))
		m.ids[token] = id
		m.vocab = append(m.vocab, token)
	}
	return id
}

func (m *Model) index() {
	m.order = make([]uint32, len(m.text))
	m.first = make([]uint32, len(m.vocab)+1)
	for i := range m.text {
		m.order[i] = uint32(i)
		m.first[m.before(uint32(i), 1)+1]++
	}
	for t := range m.vocab {
		m.first[t+1] += m.first[t]
	}
	slices.SortFunc(m.order, func(a, b uint32) int {
		return cmp.Or(
			cmp.Compare(m.before(a, 1), m.before(b, 1)),
			cmp.Compare(m.before(a, 2), m.before(b, 2)),
			cmp.Compare(m.text[a], m.text[b]),
		)
	})
}

// before returns the token k places before a position, round the ring.
func (m *Model) before(pos uint32, k int) uint32 {
	n := len(m.text)
	return m.text[(int(pos)+n-k%n)%n]
}

func (m *Model) findStarts() {
	for i, t := range m.text {
		if strings.TrimSpace(m.vocab[t]) == "" {
			continue
		}
		prev := m.vocab[m.before(uint32(i), 1)]
		if len(m.starts) == 0 || endsSentence(prev) || prev[0] == '\n' {
			m.starts = append(m.starts, uint32(i))
		}
	}
}

func endsSentence(token string) bool {
	return token == "." || token == "!" || token == "?"
}

// after returns the positions behind token t.
func (m *Model) after(t uint32) []uint32 {
	return m.order[m.first[t]:m.first[t+1]]
}

// afterPair narrows the positions behind a token to those that have t one
// place further back.
func (m *Model) afterPair(behind []uint32, t uint32) []uint32 {
	lo, _ := slices.BinarySearchFunc(behind, t, m.comparePair)
	hi, _ := slices.BinarySearchFunc(behind, t+1, m.comparePair)
	return behind[lo:hi]
}

func (m *Model) comparePair(pos, t uint32) int {
	return cmp.Compare(m.before(pos, 2), t)
}

// Count returns how many tokens a text is to this model.
func (m *Model) Count(text string) int {
	n := 0
	for len(text) > 0 {
		end := wordEnd(text)
		if _, known := m.ids[text[:end]]; known {
			n++
		} else {
			n += pieces(text[:end])
		}
		text = text[end:]
	}
	return n
}
