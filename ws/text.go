package ws

import "unicode/utf8"

// text checks that bytes are UTF-8 while they arrive, and finds the first byte
// that cannot be when it is there (RFC 6455 8.1). The zero value is ready.
type text struct {
	tail [utf8.UTFMax]byte // the beginning of a character
	n    uint8
}

// add checks a further piece.
func (t *text) add(p []byte) bool {
	for t.n > 0 && len(p) > 0 {
		t.tail[t.n] = p[0]
		t.n++
		p = p[1:]
		c := t.tail[:t.n]
		if !utf8.FullRune(c) {
			continue
		}
		if r, size := utf8.DecodeRune(c); r == utf8.RuneError && size == 1 {
			return false
		}
		t.n = 0
	}
	whole := len(p) - begun(p)
	if !utf8.Valid(p[:whole]) {
		return false
	}
	if whole < len(p) {
		t.n = uint8(copy(t.tail[:], p[whole:]))
	}
	return true
}

// ended reports whether the text may end here.
func (t *text) ended() bool { return t.n == 0 }

// begun returns how many bytes at the end of p are the beginning of a character.
func begun(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		if c := p[len(p)-n:]; utf8.RuneStart(c[0]) {
			if utf8.FullRune(c) {
				return 0
			}
			return n
		}
	}
	return 0
}
