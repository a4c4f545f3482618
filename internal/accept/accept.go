// Package accept reads which content codings a client accepts: Accept-Encoding,
// RFC 9110 12.5.3.
package accept

import (
	"bytes"
	"iter"
	"strings"
)

// Codings appends to dst those of known that a client prefers to the content as
// it is, the best first, and equal ones in the order of known. fields are those
// of its request. An element that is malformed is not accepted.
func Codings(dst []string, fields iter.Seq2[[]byte, []byte], known []string) []string {
	var store [8]int
	w := weights{star: -1, identity: -1, named: store[:0]}
	for range known {
		w.named = append(w.named, -1)
	}
	for name, value := range fields {
		if strings.EqualFold(string(name), "Accept-Encoding") {
			w.read(value, known)
		}
	}
	begin := len(dst)
	var placed [8]int
	sorted := placed[:0] // the weights of dst[begin:]
	for i, name := range known {
		q := w.named[i]
		if q < 0 {
			q = w.star
		}
		if q <= 0 || q < w.identity {
			continue
		}
		at := len(sorted)
		dst, sorted = append(dst, name), append(sorted, q)
		for ; at > 0 && sorted[at-1] < q; at-- {
			dst[begin+at], sorted[at] = dst[begin+at-1], sorted[at-1]
		}
		dst[begin+at], sorted[at] = name, q
	}
	return dst
}

// weights are how much a client wants the codings, in thousandths; -1 is what it
// does not name.
type weights struct {
	star, identity int
	named          []int // in the order of those that are known
}

// read takes one line of the field.
func (w *weights) read(line []byte, known []string) {
	for element := range bytes.SplitSeq(line, []byte{','}) {
		coding, q := weighted(bytes.Trim(element, " \t"))
		switch {
		case string(coding) == "*":
			w.star = q
		case is(coding, "identity"):
			w.identity = q
		}
		for i, name := range known {
			if is(coding, name) || name == "gzip" && is(coding, "x-gzip") { // RFC 9110 8.4.1.3
				w.named[i] = max(w.named[i], q)
			}
		}
	}
}

func is(coding []byte, name string) bool { return strings.EqualFold(string(coding), name) }

// weighted splits an element into the coding and its weight.
func weighted(element []byte) (coding []byte, q int) {
	coding, param, found := bytes.Cut(element, []byte{';'})
	if coding = bytes.TrimRight(coding, " \t"); !found {
		return coding, 1000
	}
	param = bytes.Trim(param, " \t")
	if len(param) < 3 || param[0]|0x20 != 'q' || param[1] != '=' {
		return coding, 0
	}
	return coding, thousandths(param[2:])
}

// thousandths reads a weight: 0, 0.5, 1.000 (RFC 9110 12.4.2). What is not one
// is 0.
func thousandths(s []byte) int {
	if s[0] != '0' && s[0] != '1' || len(s) > 5 || len(s) > 1 && s[1] != '.' {
		return 0
	}
	q := int(s[0]-'0') * 1000
	for i, unit := 2, 100; i < len(s); i, unit = i+1, unit/10 {
		if s[i] < '0' || s[i] > '9' {
			return 0
		}
		q += int(s[i]-'0') * unit
	}
	if q > 1000 {
		return 0
	}
	return q
}
