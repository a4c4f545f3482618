package relay

import (
	"bytes"
	"net/url"
	"strings"
)

// strays reports whether a path leads elsewhere when its escapes are decoded:
// "%2e%2e" and "%2F" are text for the patterns of package weir, but for many
// servers they are dots and slashes. An upstream's key is for what is below the
// base of its API.
func strays(path []byte) bool {
	if bytes.IndexByte(path, '%') < 0 {
		return false // dots that are written plainly match no pattern
	}
	decoded, err := url.PathUnescape(string(path))
	if err != nil {
		return true
	}
	for part := range strings.FieldsFuncSeq(decoded, func(r rune) bool { return r == '/' || r == '\\' }) {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}
