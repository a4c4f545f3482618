package policy

import "bytes"

// decimal is a number as it is written: 0.d₁d₂d₃… × 10^point, where the digits
// are those of whole and of frac behind it, without zeros at either end. Zero
// has no digits.
type decimal struct {
	negative    bool
	whole, frac []byte
	point       int64
}

// parseDecimal reads a well-formed number of any length.
func parseDecimal(b []byte) (d decimal) {
	if b[0] == '-' {
		d.negative, b = true, b[1:]
	}
	if e := bytes.IndexAny(b, "eE"); e >= 0 {
		d.point = parseExponent(b[e+1:])
		b = b[:e]
	}
	d.whole, d.frac, _ = bytes.Cut(b, []byte("."))
	d.point += int64(len(d.whole))
	d.frac = bytes.TrimRight(d.frac, "0")
	if len(d.frac) == 0 {
		d.whole = bytes.TrimRight(d.whole, "0")
	}
	for len(d.whole) > 0 && d.whole[0] == '0' {
		d.whole, d.point = d.whole[1:], d.point-1
	}
	for len(d.whole) == 0 && len(d.frac) > 0 && d.frac[0] == '0' {
		d.frac, d.point = d.frac[1:], d.point-1
	}
	if len(d.whole)+len(d.frac) == 0 {
		return decimal{} // -0 is 0
	}
	return d
}

// parseExponent reads an exponent. Beyond ±10¹⁷ all are the same.
func parseExponent(b []byte) (n int64) {
	const most = 1e17
	negative := b[0] == '-'
	for _, c := range bytes.TrimLeft(b, "+-") {
		n = min(n*10+int64(c-'0'), most)
	}
	if negative {
		return -n
	}
	return n
}

func (d decimal) digits() int { return len(d.whole) + len(d.frac) }

func (d decimal) digit(i int) byte {
	if i < len(d.whole) {
		return d.whole[i]
	}
	return d.frac[i-len(d.whole)]
}

func (d decimal) equal(o decimal) bool {
	if d.negative != o.negative || d.point != o.point || d.digits() != o.digits() {
		return false
	}
	for i := range d.digits() {
		if d.digit(i) != o.digit(i) {
			return false
		}
	}
	return true
}
