package handler

import (
	"bytes"
	"iter"
	"strings"
	"unicode"
)

// words cuts text before each word that follows white space: put together, the
// parts are the text again.
func words(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for text != "" {
			n := wordLen(text)
			if !yield(text[:n]) {
				return
			}
			text = text[n:]
		}
	}
}

// wordLen is the length of the white space that text begins with, of the word
// behind it, and of the white space behind that.
func wordLen(text string) int {
	word := strings.IndexFunc(text, isWord)
	if word < 0 {
		return len(text)
	}
	space := strings.IndexFunc(text[word:], unicode.IsSpace)
	if space < 0 {
		return len(text)
	}
	next := strings.IndexFunc(text[word+space:], isWord)
	if next < 0 {
		return len(text)
	}
	return word + space + next
}

func isWord(c rune) bool { return !unicode.IsSpace(c) }

// fields is the number of words.
func fields(text []byte) int {
	n := 0
	for range bytes.FieldsSeq(text) {
		n++
	}
	return n
}

// lines is the number of lines, the last one with or without its end.
func lines(text []byte) int {
	n := bytes.Count(text, []byte("\n"))
	if len(text) > 0 && text[len(text)-1] != '\n' {
		n++
	}
	return n
}
