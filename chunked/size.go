package chunked

import "math"

const maxDigits = 16

// sizeLine consumes a size line, as much of it as src holds:
//
//	chunk-size [ *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ) ] CRLF
func (d *Decoder) sizeLine(src []byte) (int, fault) {
	limit := orDefault(d.MaxLine, DefaultMaxLine)
	if d.phase == sizeStart {
		d.left, d.digits, d.line = 0, 0, 0
		if size, n := plainSize(src); n > 0 && n-2 <= limit {
			return d.sized(size, n)
		}
	}
	for n, c := range src {
		if d.phase == sizeLF {
			if c != '\n' {
				return n, bareCR
			}
			return d.sized(d.left, n+1)
		}
		if bad := d.sizeByte(c); bad != fine {
			return n, bad
		}
		if d.phase != sizeLF {
			if d.line++; d.line > limit {
				return n, longLine
			}
		}
	}
	return len(src), fine
}

// plainSize reads a size line that is complete and without extensions, as
// nearly all are. n is 0 if src begins with anything else; 15 digits cannot
// overflow.
func plainSize(src []byte) (size int64, n int) {
	for n < len(src) && n < maxDigits-1 {
		v := hexDigit[src[n]]
		if v == notHex {
			break
		}
		size = size<<4 | int64(v)
		n++
	}
	if n == 0 || len(src)-n < 2 || src[n] != '\r' || src[n+1] != '\n' {
		return 0, 0
	}
	return size, n + 2
}

// sized ends a size line whose last n bytes are being consumed.
func (d *Decoder) sized(size int64, n int) (int, fault) {
	last := n - 1 // the offset that an error names: the line's LF
	if (d.overhead+int64(n)-freeOverhead)/overheadPerByte > d.data {
		return last, overhead
	}
	if d.MaxBody > 0 && size > d.MaxBody-d.data {
		return last, bigBody
	}
	d.left, d.phase = size, inData
	if size == 0 {
		d.phase, d.line, d.fields = trailerStart, 0, 0
	}
	return n, fine
}

// sizeByte consumes one byte of a size line, up to its CR.
func (d *Decoder) sizeByte(c byte) fault {
	switch d.phase {
	case sizeStart, sizeDigits:
		return d.sizeDigit(c)
	case sizeBlank:
		return d.semicolon(c)
	case extStart:
		return d.blanksThenToken(c, extName)
	case extName:
		if octets[c]&token != 0 {
			return fine
		}
		return d.nameEnd(c)
	case extNameEnd:
		if c == '\r' {
			return badExtension
		}
		return d.nameEnd(c)
	case extValue:
		if c == '"' {
			d.phase = extQuoted
			return fine
		}
		return d.blanksThenToken(c, extToken)
	case extToken:
		if octets[c]&token != 0 {
			return fine
		}
		return d.valueEnd(c)
	case extQuoteEnd:
		return d.valueEnd(c)
	default:
		return d.quotedByte(c)
	}
}

// sizeDigit consumes a digit of the size or what follows the last one.
func (d *Decoder) sizeDigit(c byte) fault {
	v := hexDigit[c]
	switch {
	case v == notHex && d.digits == 0:
		return badSize
	case v == notHex:
		return d.sizeEnd(c)
	case d.digits == maxDigits:
		return longSize
	case d.left > math.MaxInt64>>4:
		return bigSize
	}
	d.left = d.left<<4 | int64(v)
	d.digits++
	d.phase = sizeDigits
	return fine
}

func (d *Decoder) sizeEnd(c byte) fault {
	switch {
	case c == '\r':
		d.phase = sizeLF
	case c == '\n':
		return bareLF
	case c == ';':
		d.phase = extStart
	case octets[c]&blank != 0:
		d.phase = sizeBlank
	default:
		return badSize
	}
	return fine
}

// semicolon consumes a byte between blanks and the ';' that must follow them.
func (d *Decoder) semicolon(c byte) fault {
	switch {
	case c == ';':
		d.phase = extStart
	case octets[c]&blank == 0:
		return danglingBlank
	}
	return fine
}

// blanksThenToken skips blanks and enters phase next with the first byte of a
// token.
func (d *Decoder) blanksThenToken(c byte, next phase) fault {
	switch {
	case octets[c]&token != 0:
		d.phase = next
	case octets[c]&blank == 0:
		return badExtension
	}
	return fine
}

// nameEnd consumes the byte after an extension's name.
func (d *Decoder) nameEnd(c byte) fault {
	switch {
	case c == '=':
		d.phase = extValue
	case octets[c]&blank != 0:
		d.phase = extNameEnd
	default:
		return d.valueEnd(c)
	}
	return fine
}

// valueEnd consumes the byte after an extension's value, or after its name if
// it has none.
func (d *Decoder) valueEnd(c byte) fault {
	switch {
	case c == ';':
		d.phase = extStart
	case c == '\r':
		d.phase = sizeLF
	case c == '\n':
		return bareLF
	case octets[c]&blank != 0:
		d.phase = sizeBlank
	default:
		return badExtension
	}
	return fine
}

// quotedByte consumes a byte within a quoted string.
func (d *Decoder) quotedByte(c byte) fault {
	switch {
	case d.phase == extEscaped && octets[c]&text != 0:
		d.phase = extQuoted
	case d.phase == extEscaped:
		return badExtension
	case c == '"':
		d.phase = extQuoteEnd
	case c == '\\':
		d.phase = extEscaped
	case octets[c]&quoted == 0:
		return badExtension
	}
	return fine
}

func orDefault(limit, otherwise int) int {
	if limit > 0 {
		return limit
	}
	return otherwise
}
