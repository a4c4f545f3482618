package static

import (
	"math"
	"strings"
)

// span is a part of a file: n bytes from off on.
type span struct{ off, n int64 }

// rangesOf returns the parts of a file of that size that a Range field asks for
// (RFC 9110 14.1.2), in its order. If whole is true, the field does not count:
// its unit is not bytes, or it asks for more than limit ranges or altogether
// more than the file has. Otherwise no spans are no satisfiable range, or a
// syntax error: 416.
func rangesOf(value string, size int64, limit int) (spans []span, whole bool) {
	unit, set, ok := strings.Cut(value, "=")
	if !ok || !strings.EqualFold(unit, "bytes") {
		return nil, true
	}
	count, left := 0, size
	for more := true; more; {
		var spec string
		spec, set, more = strings.Cut(set, ",")
		if spec = strings.Trim(spec, " \t"); spec == "" {
			continue
		}
		s, satisfiable, ok := parseRange(spec, size)
		if !ok {
			return nil, false
		}
		if count++; satisfiable && count <= limit && left >= 0 {
			left -= s.n
			spans = append(spans, s)
		}
	}
	if count > limit || left < 0 {
		return nil, true
	}
	return spans, false
}

// parseRange returns the part that one range-spec stands for: "0-499", "500-" or
// "-500".
func parseRange(spec string, size int64) (s span, satisfiable, ok bool) {
	first, last, dash := strings.Cut(spec, "-")
	if !dash {
		return span{}, false, false
	}
	if first == "" {
		n, ok := parseDigits(last)
		if !ok {
			return span{}, false, false
		}
		n = min(n, size)
		return span{size - n, n}, n > 0, true
	}
	from, ok := parseDigits(first)
	if !ok {
		return span{}, false, false
	}
	to := int64(math.MaxInt64)
	if last != "" {
		if to, ok = parseDigits(last); !ok || less(last, first) {
			return span{}, false, false
		}
	}
	if from >= size {
		return span{}, false, true
	}
	return span{from, min(to, size-1) - from + 1}, true, true
}

// parseDigits reads a number; one that is too large becomes the largest.
func parseDigits(s string) (n int64, ok bool) {
	for i := range len(s) {
		d := s[i] - '0'
		switch {
		case d > 9:
			return 0, false
		case n > (math.MaxInt64-int64(d))/10:
			n = math.MaxInt64
		case n < math.MaxInt64:
			n = n*10 + int64(d)
		}
	}
	return n, s != ""
}

// less compares numbers of any size.
func less(a, b string) bool {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return len(a) < len(b) || len(a) == len(b) && a < b
}
