package pattern

import (
	"bytes"
	"strings"
)

// lookupHost returns the patterns of host, nil if it has none of its own. It
// ignores case and port.
func (t *Tree[V]) lookupHost(host []byte) *site[V] {
	var buf [64]byte
	return t.hosts[string(appendLower(buf[:0], stripPort(host)))]
}

// appendLower appends host to dst with its ASCII letters in lower case.
func appendLower(dst, host []byte) []byte {
	for _, c := range host {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

// lowerHost is appendLower for the host of a pattern: the same letters and no
// others, so that both meet.
func lowerHost(host string) string {
	if strings.IndexFunc(host, func(c rune) bool { return 'A' <= c && c <= 'Z' }) < 0 {
		return host
	}
	return string(appendLower(nil, []byte(host)))
}

// stripPort returns host without its ":port", and a bracketed address with a
// port without its brackets. What cannot be split that way is returned
// unchanged; the rules are those of net.SplitHostPort, which net/http uses.
func stripPort(host []byte) []byte {
	colon := bytes.LastIndexByte(host, ':')
	if colon < 0 {
		return host
	}
	name := host[:colon]
	if host[0] == '[' {
		if bytes.IndexByte(host, ']') != colon-1 {
			return host
		}
		name = host[1 : colon-1]
	} else if bytes.IndexByte(name, ':') >= 0 {
		return host
	}
	if bytes.IndexByte(name, '[') >= 0 || bytes.IndexByte(name, ']') >= 0 || bytes.ContainsAny(host[colon:], "[]") {
		return host
	}
	return name
}
