package static

import (
	"strings"

	"weir"
)

// A preference is how much a client wants a content coding, in thousandths.
type preference struct {
	name string
	q    int
}

// acceptable appends the codings of known that the client prefers to the file as
// it is, the best first; known is in the server's order (RFC 9110 12.5.3).
func acceptable(dst []coding, h *weir.Header, known []coding) []coding {
	var store [8]preference
	all := store[:0]
	for name, value := range h.Views() {
		if strings.EqualFold(string(name), "Accept-Encoding") {
			all = appendPreferences(all, string(value))
		}
	}
	if len(all) == 0 {
		return dst
	}
	plain := identity(all)
	var weights [len(codings)]int
	for _, c := range known {
		q := weightOf(all, c.name)
		if q == 0 || q < plain {
			continue
		}
		i := len(dst) // behind those that are wanted as much or more
		for i > 0 && weights[i-1] < q {
			i--
		}
		dst = append(dst, coding{})
		copy(dst[i+1:], dst[i:])
		copy(weights[i+1:], weights[i:])
		dst[i], weights[i] = c, q
	}
	return dst
}

// identity is how much the client wants the file as it is: where it does not say
// so, less than every coding that it accepts.
func identity(all []preference) int {
	for _, p := range all {
		if p.name == "identity" {
			return p.q
		}
	}
	return 0
}

// weightOf returns the weight of a coding: its own, or that of "*". Zero is not
// acceptable.
func weightOf(all []preference, name string) (q int) {
	for _, p := range all {
		switch p.name {
		case name:
			return p.q
		case "*":
			q = p.q
		}
	}
	return q
}

// appendPreferences appends the elements of one line. Those that are malformed
// do not count.
func appendPreferences(dst []preference, line string) []preference {
	for line != "" {
		var element string
		element, line, _ = strings.Cut(line, ",")
		name, param, weighted := strings.Cut(element, ";")
		p := preference{strings.ToLower(strings.Trim(name, " \t")), 1000}
		if p.name == "x-gzip" { // RFC 9110 8.4.1.3
			p.name = "gzip"
		}
		if weighted {
			var ok bool
			if p.q, ok = parseWeight(strings.Trim(param, " \t")); !ok {
				continue
			}
		}
		if p.name != "" {
			dst = append(dst, p)
		}
	}
	return dst
}

// parseWeight reads a weight, such as "q=0.5", in thousandths (RFC 9110 12.4.2).
func parseWeight(s string) (q int, ok bool) {
	if len(s) < 3 || s[0]|0x20 != 'q' || s[1] != '=' || s[2] != '0' && s[2] != '1' {
		return 0, false
	}
	q = int(s[2]-'0') * 1000
	if s = s[3:]; s == "" {
		return q, true
	}
	if s[0] != '.' || len(s) > 4 {
		return 0, false
	}
	for i, unit := 1, 100; i < len(s); i, unit = i+1, unit/10 {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		q += int(s[i]-'0') * unit
	}
	return q, q <= 1000
}
