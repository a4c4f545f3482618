package compress

import (
	"bytes"
	"strings"

	"weir"
	"weir/http1"
)

// accepted is the weight of each of some codings in Accept-Encoding, in
// thousandths.
type accepted struct {
	star, identity int // -1 = not named
	named          [8]int
}

// choose returns the coding that the client prefers, and among equal ones the
// first of ours; "" if that is none at all (RFC 9110 12.5.3).
func choose(h *weir.Header, ours []string) string {
	if h.View("Accept-Encoding") == nil {
		return ""
	}
	best, weight := "", 0
	a := readAccepted(h, ours)
	for i, name := range ours[:min(len(ours), len(a.named))] {
		q := a.named[i]
		if q < 0 {
			q = a.star
		}
		if q > weight {
			best, weight = name, q
		}
	}
	if a.identity > weight {
		return ""
	}
	return best
}

func readAccepted(h *weir.Header, ours []string) accepted {
	a := accepted{star: -1, identity: -1}
	for i := range a.named {
		a.named[i] = -1
	}
	for name, value := range h.Views() {
		if len(name) != len("Accept-Encoding") || !strings.EqualFold(string(name), "Accept-Encoding") {
			continue
		}
		for element := range http1.Elements(value) {
			coding, q := weighted(element)
			switch {
			case coding == "*":
				a.star = q
			case strings.EqualFold(coding, "identity"):
				a.identity = q
			}
			for i, name := range ours[:min(len(ours), len(a.named))] {
				if strings.EqualFold(coding, name) || name == "gzip" && strings.EqualFold(coding, "x-gzip") {
					a.named[i] = max(a.named[i], q)
				}
			}
		}
	}
	return a
}

// weighted splits an element into the coding and its weight. One that is
// malformed is not accepted.
func weighted(element []byte) (coding string, q int) {
	name, rest, found := bytes.Cut(element, []byte{';'})
	coding = string(bytes.TrimRight(name, " \t"))
	if !found {
		return coding, 1000
	}
	rest = bytes.Trim(rest, " \t")
	if len(rest) < 3 || rest[0]|0x20 != 'q' || rest[1] != '=' {
		return coding, 0
	}
	return coding, thousandths(rest[2:])
}

// thousandths reads a weight: 0, 0.5, 1.000. What is none is 0.
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
