package static

import (
	"strings"
	"time"

	"weir"
)

// verdict is what the conditions of a request ask for.
type verdict uint8

const (
	proceed     verdict = iota
	notModified         // 304
	failed              // 412
)

// judge evaluates the conditions of a request in their order (RFC 9110 13.2.2).
// tag is the ETag of what would be sent, "" for none; modified is its
// Last-Modified, zero for none.
func judge(h *weir.Header, tag string, modified time.Time) verdict {
	if h.Has("If-Match") {
		if !lists(h, "If-Match", tag, strongly) {
			return failed
		}
	} else if at, ok := dateOf(h, "If-Unmodified-Since"); ok && !modified.IsZero() && modified.After(at) {
		return failed
	}
	if h.Has("If-None-Match") {
		if lists(h, "If-None-Match", tag, weakly) {
			return notModified
		}
	} else if at, ok := dateOf(h, "If-Modified-Since"); ok && !modified.IsZero() && !modified.After(at) {
		return notModified
	}
	return proceed
}

// rangeHolds reports whether If-Range, if it is there, lets the range count (RFC
// 9110 13.1.5): only if what the client has is exactly what would be sent.
func rangeHolds(h *weir.Header, tag string, modified time.Time) bool {
	if !h.Has("If-Range") {
		return true
	}
	value, one := only(h, "If-Range")
	if !one {
		return false
	}
	if strings.HasPrefix(value, `"`) || strings.HasPrefix(value, "W/") {
		got, rest, ok := nextTag(value)
		return ok && rest == "" && tag != "" && strongly(got, tag)
	}
	at, ok := parseDate(value)
	return ok && !modified.IsZero() && modified.Equal(at)
}

// lists reports whether a line of the field has an entity tag that is the same
// as tag, or "*", for which there need only be something. What is behind a
// syntax error in a line does not count.
func lists(h *weir.Header, name, tag string, same func(a, b string) bool) bool {
	for _, line := range h.Values(name) {
		if strings.Trim(line, " \t") == "*" {
			return true
		}
		for {
			line = strings.TrimLeft(line, " \t,")
			got, rest, ok := nextTag(line)
			if !ok {
				break
			}
			if tag != "" && same(got, tag) {
				return true
			}
			line = rest
		}
	}
	return false
}

// nextTag cuts the entity tag off the beginning of s (RFC 9110 8.8.3).
func nextTag(s string) (tag, rest string, ok bool) {
	start := len("W/")
	if !strings.HasPrefix(s, "W/") {
		start = 0
	}
	if start == len(s) || s[start] != '"' {
		return "", s, false
	}
	for i := start + 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[:i+1], s[i+1:], true
		case c <= ' ' || c == 0x7f:
			return "", s, false
		}
	}
	return "", s, false
}

func strongly(a, b string) bool { return a == b && a[0] == '"' }

func weakly(a, b string) bool { return strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/") }

// dateOf returns the date of a field that has one.
func dateOf(h *weir.Header, name string) (time.Time, bool) {
	value, one := only(h, name)
	if !one {
		return time.Time{}, false
	}
	return parseDate(value)
}

// only returns the value of a field that has exactly one line.
func only(h *weir.Header, name string) (value string, one bool) {
	for n, v := range h.Views() {
		if !strings.EqualFold(string(n), name) {
			continue
		}
		if one {
			return "", false
		}
		value, one = string(v), true
	}
	return strings.Trim(value, " \t"), one
}

// parseDate reads an HTTP-date: an IMF-fixdate or an obsolete form (RFC 9110
// 5.6.7).
func parseDate(s string) (time.Time, bool) {
	for _, layout := range []string{imfFixdate, time.RFC850, time.ANSIC} {
		if at, err := time.Parse(layout, s); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

const imfFixdate = "Mon, 02 Jan 2006 15:04:05 GMT"
