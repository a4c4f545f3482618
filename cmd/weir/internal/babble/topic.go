package babble

import (
	"sort"
	"strings"
)

// topicBytes bounds how much of a prompt is searched for a topic: its end,
// where the latest question is.
const topicBytes = 4 << 10

// topic returns the token that a prompt is most about: of its longer words
// that the corpus knows, the one that the corpus has least often.
func (m *Model) topic(prompt string) (token uint32, ok bool) {
	if cut := len(prompt) - topicBytes; cut > 0 {
		prompt = strings.ToValidUTF8(prompt[cut:], "")
	}
	rarest := len(m.text) + 1
	for len(prompt) > 0 {
		end := wordEnd(prompt)
		id, known := m.lookup(strings.TrimPrefix(prompt[:end], " "))
		if n := len(m.after(id)); known && n < rarest {
			token, ok, rarest = id, true, n
		}
		prompt = prompt[end:]
	}
	return token, ok
}

// lookup finds a word of more than three letters in the form it has within a
// sentence: a leading space, lower case.
func (m *Model) lookup(word string) (id uint32, ok bool) {
	var buf [32]byte
	if len(word) <= 3 || len(word) >= len(buf) {
		return 0, false
	}
	form := append(append(buf[:0], ' '), word...)
	for i, c := range form {
		if 'A' <= c && c <= 'Z' {
			form[i] = c + 'a' - 'A'
		}
	}
	id, ok = m.ids[string(form)]
	return id, ok
}

// sentenceOf returns where the sentence around a position begins.
func (m *Model) sentenceOf(pos uint32) uint32 {
	i := sort.Search(len(m.starts), func(i int) bool { return m.starts[i] > pos })
	return m.starts[max(i-1, 0)]
}
