package babble

import (
	"unicode"
	"unicode/utf8"
)

// Words longer than wholeRunes that the corpus holds fewer than wholeCount
// times are cut into pieces of at most pieceRunes, the way a language model's
// vocabulary holds common words whole and rare ones in parts.
const (
	wholeRunes = 7
	wholeCount = 3
	pieceRunes = 5
)

// wordEnd returns where the first word of s ends. A word is one of
//   - a run of newlines;
//   - a run of other white space, less the one space that belongs to the word
//     behind it;
//   - letters and digits, with at most one space before them, and joined by
//     single marks as in net/http, llama.cpp and don't;
//   - one other character, with at most one space before it.
//
// The words of a text, one after another, are that text. s must not be empty.
func wordEnd(s string) int {
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case r == '\n':
		return runEnd(s, size, func(r rune) bool { return r == '\n' })
	case unicode.IsSpace(r):
		end := runEnd(s, size, func(r rune) bool { return r != '\n' && unicode.IsSpace(r) })
		if end == len(s) || s[end] == '\n' || s[end-1] != ' ' {
			return end
		}
		if end > 1 {
			return end - 1
		}
		return 1 + barEnd(s[1:])
	}
	return barEnd(s)
}

// barEnd is wordEnd for a text that does not begin with white space.
func barEnd(s string) int {
	r, i := utf8.DecodeRuneInString(s)
	if !wordRune(r) {
		return i
	}
	for i < len(s) {
		r, size := utf8.DecodeRuneInString(s[i:])
		if !wordRune(r) && !(joinsWords(r) && startsWord(s[i+size:])) {
			break
		}
		i += size
	}
	return i
}

// runEnd returns the end of the run of runes that in accepts, from i on.
func runEnd(s string, i int, in func(rune) bool) int {
	for i < len(s) {
		r, size := utf8.DecodeRuneInString(s[i:])
		if !in(r) {
			break
		}
		i += size
	}
	return i
}

func wordRune(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

func joinsWords(r rune) bool {
	switch r {
	case '.', '/', '-', '\'', '’', ':':
		return true
	}
	return false
}

func startsWord(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return len(s) > 0 && wordRune(r)
}

// pieces returns into how many pieces a rare word is cut: 1 for a short one.
func pieces(word string) int {
	n := utf8.RuneCountInString(word)
	if word[0] == ' ' {
		n--
	}
	if n <= wholeRunes {
		return 1
	}
	return (n + pieceRunes - 1) / pieceRunes
}

// appendPieces cuts a word into k pieces of about the same length, at rune
// boundaries; the first keeps the word's leading space.
func appendPieces(dst []string, word string, k int) []string {
	left := utf8.RuneCountInString(word)
	i := 0
	if word[0] == ' ' {
		left, i = left-1, 1
	}
	for ; k > 1; k-- {
		take := (left + k - 1) / k
		left -= take
		for ; take > 0; take-- {
			_, size := utf8.DecodeRuneInString(word[i:])
			i += size
		}
		dst = append(dst, word[:i])
		word, i = word[i:], 0
	}
	return append(dst, word)
}
