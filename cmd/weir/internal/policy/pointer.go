package policy

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// token is a step of a path (RFC 6901): the name of a member, or an index.
type token struct {
	name  []byte // decoded
	index int    // of an array's element, or one of the following
}

const (
	notIndex = -1 // no element of an array
	behind   = -2 // "-", the one behind the last
)

var errPointer = errors.New("want a JSON pointer: empty, or with a / in front of each step")

// parsePointer splits a JSON pointer.
func parsePointer(s string) ([]token, error) {
	if s == "" {
		return nil, nil
	}
	if s[0] != '/' {
		return nil, errPointer
	}
	var path []token
	for step := range strings.SplitSeq(s[1:], "/") {
		name, err := unescapeStep(step)
		if err != nil {
			return nil, err
		}
		path = append(path, token{[]byte(name), indexOf(name)})
	}
	return path, nil
}

func unescapeStep(step string) (string, error) {
	rest := step
	for {
		_, after, ok := strings.Cut(rest, "~")
		if !ok {
			return strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~"), nil
		}
		if after == "" || after[0] != '0' && after[0] != '1' {
			return "", errors.New("want ~0 for a ~ and ~1 for a / in a step of a JSON pointer")
		}
		rest = after[1:]
	}
}

// indexOf reads an index, without zeros in front and without a sign.
func indexOf(s string) int {
	if s == "-" {
		return behind
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return notIndex
	}
	return int(n)
}

// isPrefix reports whether the path a leads to what b's place is in, or to the
// same place.
func isPrefix(a, b []token) bool {
	if len(a) > len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i].name, b[i].name) {
			return false
		}
	}
	return true
}

// decodesTo reports whether the inside of a JSON string, which is well-formed,
// is text. Lone surrogates are compared as if UTF-8 could have them.
func decodesTo(raw, text []byte) bool {
	if len(raw) == len(text) && bytes.Equal(raw, text) {
		return bytes.IndexByte(raw, '\\') < 0
	}
	for len(raw) > len(text) { // escapes make it longer
		n := bytes.IndexByte(raw, '\\')
		if n < 0 || !bytes.HasPrefix(text, raw[:n]) {
			return false
		}
		var char [utf8.UTFMax]byte
		size, read := unescape(char[:], raw[n:])
		if text = text[n:]; !bytes.HasPrefix(text, char[:size]) {
			return false
		}
		raw, text = raw[n+read:], text[size:]
	}
	return bytes.Equal(raw, text) && bytes.IndexByte(raw, '\\') < 0
}

// foldsTo reports whether the inside of a JSON string, which is well-formed, is
// text for readers who compare without regard to case, as encoding/json does.
func foldsTo(raw, text []byte) bool {
	if len(raw) > len(text) && bytes.IndexByte(raw, '\\') >= 0 {
		raw = decode(raw)
	}
	return bytes.EqualFold(raw, text)
}

// decode returns the text of the inside of a well-formed JSON string.
func decode(raw []byte) []byte {
	text := make([]byte, 0, len(raw))
	for {
		n := bytes.IndexByte(raw, '\\')
		if n < 0 {
			return append(text, raw...)
		}
		var char [utf8.UTFMax]byte
		size, read := unescape(char[:], raw[n:])
		text = append(append(text, raw[:n]...), char[:size]...)
		raw = raw[n+read:]
	}
}

// unescape decodes the escape with which raw begins into char, and returns how
// long both are.
func unescape(char, raw []byte) (size, read int) {
	switch c := raw[1]; c {
	case 'b':
		char[0] = '\b'
	case 'f':
		char[0] = '\f'
	case 'n':
		char[0] = '\n'
	case 'r':
		char[0] = '\r'
	case 't':
		char[0] = '\t'
	case 'u':
		return unescapeUnicode(char, raw)
	default:
		char[0] = c
	}
	return 1, 2
}

func unescapeUnicode(char, raw []byte) (size, read int) {
	const high, low, lowEnd = 0xD800, 0xDC00, 0xE000
	r, _ := hex4(raw, 2)
	if high <= r && r < low && len(raw) >= 12 && raw[6] == '\\' && raw[7] == 'u' {
		if second, _ := hex4(raw, 8); low <= second && second < lowEnd {
			return utf8.EncodeRune(char, 0x10000+(r-high)<<10+(second-low)), 12
		}
	}
	if high <= r && r < lowEnd { // a lone one, which EncodeRune refuses
		char[0], char[1], char[2] = 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F
		return 3, 6
	}
	return utf8.EncodeRune(char, r), 6
}
