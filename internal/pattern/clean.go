package pattern

import (
	"bytes"
	"path"
)

// Clean returns the canonical form of a request's path, as net/http.ServeMux
// does before it matches: it begins with a slash, holds no empty, "." or ".."
// segment, and keeps its trailing slash. The path is the escaped one: "%2e%2e"
// and "%2F" are text here, not dots and slashes. A clean path is returned as it
// is, without allocating, and changed is false; otherwise cleaned is new
// memory. Clean does not look at "*" or at authority-form targets: handle those
// before.
func Clean(p []byte) (cleaned []byte, changed bool) {
	if isClean(p) {
		return p, false
	}
	c := path.Clean("/" + string(p))
	if c != "/" && len(p) > 0 && p[len(p)-1] == '/' {
		c += "/"
	}
	return []byte(c), true
}

// isClean reports whether Clean would leave p alone. Only what follows a slash
// can be unclean: another slash, or one or two dots and then a slash or the
// end.
func isClean[T string | []byte](p T) bool {
	if len(p) == 0 || p[0] != '/' {
		return false
	}
	for i := 1; i < len(p); i++ {
		if p[i-1] != '/' || p[i] > '/' {
			continue // inside a segment, or at the start of one that is neither empty nor dots
		}
		if p[i] == '/' || p[i] == '.' && isDots(p[i:]) {
			return false
		}
	}
	return true
}

// isDots reports whether the first segment of p, which begins with a dot, is
// "." or "..".
func isDots[T string | []byte](p T) bool {
	n := 1
	if n < len(p) && p[n] == '.' {
		n++
	}
	return n == len(p) || p[n] == '/'
}

// HidesNUL reports whether the path encodes a NUL (%00). Such a path is well
// formed and Match treats it like any other; it is never sent in good faith,
// and to C code behind a router it is another, shorter path. A router that
// responds to it with 400 (X23) keeps it out of every handler.
func HidesNUL(p []byte) bool {
	for {
		i := bytes.IndexByte(p, '%')
		if i < 0 || i+2 >= len(p) {
			return false
		}
		if p[i+1] == '0' && p[i+2] == '0' {
			return true
		}
		p = p[i+1:]
	}
}
