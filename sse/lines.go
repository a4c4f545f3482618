package sse

import "bytes"

// lineEnd is the index of the first CR or LF in p, or -1.
//
// It looks for each with its own memchr, in windows that grow: one pass over
// all of p would cost O(len(p)) per line if one of the two bytes is rare, and
// the peer chooses which.
func lineEnd(p []byte) int {
	if len(p) > 0 && (p[0] == '\n' || p[0] == '\r') { // a blank line: every other one in most streams
		return 0
	}
	const firstWindow = 256
	for from, window := 0, firstWindow; from < len(p); window *= 4 {
		w := p[from:min(from+window, len(p))]
		lf := bytes.IndexByte(w, '\n')
		if lf >= 0 {
			w = w[:lf]
		}
		if cr := bytes.IndexByte(w, '\r'); cr >= 0 {
			return from + cr
		}
		if lf >= 0 {
			return from + lf
		}
		from += len(w)
	}
	return -1
}

// lineBreak is the length of the line break that p begins with: 2 for CRLF,
// else 1.
func lineBreak[T string | []byte](p T) int {
	if p[0] == '\r' && len(p) > 1 && p[1] == '\n' {
		return 2
	}
	return 1
}

// bom may begin a stream, once.
const bom = "\xef\xbb\xbf"

// withoutBOM drops a byte order mark from the stream's first line.
func withoutBOM(line []byte) []byte {
	if len(line) >= len(bom) && string(line[:len(bom)]) == bom {
		return line[len(bom):]
	}
	return line
}

// cutField splits a line at its first colon and drops one space after it. A
// line without a colon is a field with an empty value; a comment is a field
// with an empty name.
func cutField(line []byte) (name, value []byte) {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return line, nil
	}
	name, value = line[:colon], line[colon+1:]
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	return name, value
}
