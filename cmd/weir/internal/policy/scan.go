package policy

import (
	"encoding/binary"
	"math/bits"
)

// The functions in this file read JSON text. Each takes the text and the place
// where something begins, and returns the place behind it, or bad.

const bad = -1

// space skips white space. It returns len(b) if there is nothing else.
func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// is reports whether c is at b[i], which may be behind the end.
func is(b []byte, i int, c byte) bool { return i < len(b) && b[i] == c }

// skipString skips the string at b[i]: eight bytes at a time while they have no
// quote, backslash or control character.
func skipString(b []byte, i int) int {
	for i++; ; {
		for i+8 <= len(b) {
			special := specials(binary.LittleEndian.Uint64(b[i:]))
			if special != 0 {
				i += bits.TrailingZeros64(special) / 8
				break
			}
			i += 8
		}
		switch {
		case i >= len(b), b[i] < ' ':
			return bad
		case b[i] == '"':
			return i + 1
		case b[i] == '\\':
			if i = skipEscape(b, i); i == bad {
				return bad
			}
		default:
			i++
		}
	}
}

// specials marks bytes of a word with their highest bits: quotes, backslashes
// and control characters. The lowest mark is exact; those above it may be wrong.
func specials(word uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quote, back := word^(ones*'"'), word^(ones*'\\')
	return ((quote-ones)&^quote | (back-ones)&^back | (word-ones*' ')&^word) & highs
}

func skipEscape(b []byte, i int) int {
	if i+1 >= len(b) {
		return bad
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		if _, ok := hex4(b, i+2); ok {
			return i + 6
		}
	}
	return bad
}

// hex4 reads four hexadecimal digits.
func hex4(b []byte, i int) (v rune, ok bool) {
	if i+4 > len(b) {
		return 0, false
	}
	for _, c := range b[i : i+4] {
		switch {
		case '0' <= c && c <= '9':
			v = v<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			v = v<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

func skipWord(b []byte, i int, word string) int {
	if i+len(word) > len(b) || string(b[i:i+len(word)]) != word {
		return bad
	}
	return i + len(word)
}

func skipNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	if is(b, i, '0') {
		i++
	} else if i = skipDigits(b, i); i == bad {
		return bad
	}
	if is(b, i, '.') {
		if i = skipDigits(b, i+1); i == bad {
			return bad
		}
	}
	if is(b, i, 'e') || is(b, i, 'E') {
		if i++; is(b, i, '+') || is(b, i, '-') {
			i++
		}
		return skipDigits(b, i)
	}
	return i
}

// skipDigits skips one digit or more.
func skipDigits(b []byte, i int) int {
	from := i
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	if i == from {
		return bad
	}
	return i
}
