package chunked

import "weir/http1"

// trailerSection consumes what src holds of the trailer section and the CRLF
// that ends it.
func (d *Decoder) trailerSection(src []byte) (int, fault) {
	start := 0 // of the current line in src; its earlier part is in d.held
	for i, c := range src {
		ends := d.phase == trailerLF
		if bad := d.trailerByte(c); bad != fine {
			return i, bad
		}
		switch {
		case d.phase == done:
			return i + 1, fine
		case ends:
			d.deliver(src[start : i+1])
			start = i + 1
		}
	}
	if d.Trailer != nil && d.phase != endLF {
		d.held = append(d.held, src[start:]...)
	}
	return len(src), fine
}

// trailerByte consumes one byte of the trailer section.
func (d *Decoder) trailerByte(c byte) fault {
	switch d.phase {
	case trailerStart:
		return d.trailerFirst(c)
	case endLF:
		if c != '\n' {
			return bareCR
		}
		d.phase = done
		return fine
	case trailerName:
		switch {
		case octets[c]&token != 0:
			d.name++
		case c == ':':
			d.phase = trailerValue
		default:
			return badTrailer
		}
	case trailerValue:
		switch {
		case c == '\r':
			d.phase = trailerLF
		case octets[c]&text == 0:
			return badTrailer
		}
	case trailerLF:
		if c != '\n' {
			return badTrailer
		}
		d.phase = trailerStart
	}
	return d.countTrailer()
}

// trailerFirst consumes the first byte of a trailer line or of the final CRLF.
func (d *Decoder) trailerFirst(c byte) fault {
	if c == '\r' {
		d.phase = endLF
		return fine
	}
	if octets[c]&token == 0 { // also an empty name, and obs-fold
		return badTrailer
	}
	d.phase, d.name = trailerName, 1
	if d.fields++; d.fields > orDefault(d.MaxTrailers, DefaultMaxTrailers) {
		return manyTrailers
	}
	return d.countTrailer()
}

// countTrailer counts one byte of a trailer line.
func (d *Decoder) countTrailer() fault {
	if d.line++; d.line > orDefault(d.MaxTrailer, DefaultMaxTrailer) {
		return longTrailer
	}
	return fine
}

// deliver calls Trailer with the field on a line whose bytes are d.held and
// then end, CRLF included.
func (d *Decoder) deliver(end []byte) {
	if d.Trailer == nil {
		return
	}
	line := end
	if len(d.held) > 0 {
		d.held = append(d.held, end...)
		line = d.held
		d.held = d.held[:0]
	}
	name, value := line[:d.name], line[d.name+1:len(line)-2]
	for len(value) > 0 && octets[value[0]]&blank != 0 {
		value = value[1:]
	}
	for len(value) > 0 && octets[value[len(value)-1]]&blank != 0 {
		value = value[:len(value)-1]
	}
	if http1.ClassOf(name)&http1.NoTrailer == 0 {
		d.Trailer(name, value)
	}
}
