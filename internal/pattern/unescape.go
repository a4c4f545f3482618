package pattern

import "bytes"

// decode percent-decodes a literal of a pattern. Like net/http, it returns a
// text with a malformed escape unchanged.
func decode(s string) string {
	if b, ok := unescape(nil, []byte(s)); ok {
		return string(b)
	}
	return s
}

// unescape appends src to dst with its percent escapes decoded; "+" stays a
// plus. If an escape is malformed, ok is false and what was appended is
// meaningless.
func unescape(dst, src []byte) (out []byte, ok bool) {
	for {
		i := bytes.IndexByte(src, '%')
		if i < 0 {
			return append(dst, src...), true
		}
		if i+2 >= len(src) {
			return dst, false
		}
		hi, lo := unhex(src[i+1]), unhex(src[i+2])
		if hi < 0 || lo < 0 {
			return dst, false
		}
		dst = append(dst, src[:i]...)
		dst = append(dst, byte(hi<<4|lo))
		src = src[i+3:]
	}
}

// unhex returns the value of a hexadecimal digit, -1 for any other byte.
func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
