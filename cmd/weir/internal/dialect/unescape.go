package dialect

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// unescape decodes what is between the quotes of a JSON string, in place. It
// returns false if an escape is not one.
func unescape(b []byte) (text []byte, ok bool) {
	text = b[:0]
	for {
		i := bytes.IndexByte(b, '\\')
		if i < 0 {
			return append(text, b...), true
		}
		text = append(text, b[:i]...)
		r, n := escaped(b[i:])
		if n == 0 {
			return nil, false
		}
		b = b[i+n:] // text is shorter by then
		text = utf8.AppendRune(text, r)
	}
}

// escaped decodes the escape that b begins with; n is its length, 0 if it is
// not one.
func escaped(b []byte) (r rune, n int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	}
	r, ok := unit(b)
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(r) {
		if low, ok := unit(b[6:]); ok {
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				return both, 12
			}
		}
		r = utf8.RuneError
	}
	return r, 6
}

// unit decodes \uXXXX.
func unit(b []byte) (r rune, ok bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var digits [4]byte
	copy(digits[:], b[2:6])
	for _, c := range digits {
		if c == '+' || c == '-' || c == '_' {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(string(digits[:]), 16, 16)
	return rune(n), err == nil
}
