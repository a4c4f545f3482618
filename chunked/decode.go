package chunked

// Defaults of the Decoder's limits.
const (
	DefaultMaxLine     = 256      // bytes
	DefaultMaxTrailer  = 32 << 10 // bytes
	DefaultMaxTrailers = 100      // fields

	// A peer may spend freeOverhead bytes on framing, and overheadPerByte more
	// for each byte of data; beyond that it wastes our time on purpose.
	// One-byte chunks cost 5 bytes of framing each.
	freeOverhead    = 4 << 10
	overheadPerByte = 16
)

// A Decoder removes the coding from a body that arrives in pieces cut anywhere.
// The zero value is ready to use; set the exported fields before the first call
// of Next. It holds no data, so an idle one costs its own size. A Decoder is
// not safe for concurrent use.
type Decoder struct {
	// Trailer, if set, is called with each trailer field that is well-formed
	// and may be merged; name and value are valid until it returns. Fields that
	// must not be in a trailer section (framing, routing, authentication,
	// control) are silently dropped. A later line may still be malformed: use
	// the fields only once Done reports true. While Trailer is set, a trailer
	// line that is cut between two calls of Next is kept in a buffer of at most
	// MaxTrailer bytes.
	Trailer func(name, value []byte)

	MaxLine     int   // bytes of a size line with its extensions, without CRLF; 0 = DefaultMaxLine; breach: 400
	MaxTrailer  int   // bytes of the trailer section; 0 = DefaultMaxTrailer; breach: 431
	MaxTrailers int   // fields in the trailer section; 0 = DefaultMaxTrailers; breach: 431
	MaxBody     int64 // bytes of data in all, checked at the size line that crosses it; 0 = no limit; breach: 413

	phase  phase
	digits uint8  // of the size read so far
	line   int    // bytes of the current size line or trailer section so far
	fields int    // trailer fields so far
	name   int    // length of the current trailer field's name
	held   []byte // the current trailer line, as far as earlier calls had it

	left     int64 // of the current chunk; while its size is read, the size so far
	offset   int64 // bytes consumed
	data     int64 // bytes handed out
	overhead int64 // bytes consumed that were framing, without the trailer section
	err      *Error
}

// phase is what the next byte belongs to.
type phase uint8

const (
	sizeStart    phase = iota // first digit of a size
	sizeDigits                // later digits, or what ends them
	sizeBlank                 // blanks before a ';'
	extStart                  // after ';'
	extName                   // in an extension's name
	extNameEnd                // blanks after the name: '=' or ';' follows
	extValue                  // after '='
	extToken                  // in a value that is a token
	extQuoted                 // in a value that is a quoted string
	extEscaped                // after a backslash in it
	extQuoteEnd               // after its closing quote
	sizeLF                    // after the CR of a size line
	inData                    // chunk data
	dataCR                    // CR after the data
	dataLF                    // LF after the data
	trailerStart              // first byte of a trailer line, or the final CR
	trailerName               // in a name
	trailerValue              // in a value
	trailerLF                 // after the CR of a trailer line
	endLF                     // the final LF
	done                      // the body has ended
)

// Next consumes the first n bytes of src. data is the part of them that was
// data, always contiguous: a slice of src, empty if only framing was consumed.
// Call it again with src[n:]. With a nil error, n == 0 means that more input is
// needed or, if Done reports true, that the body has ended and src does not
// belong to it.
//
// Next accepts every beginning of a valid body, so the caller must report the
// end of input before Done as a truncated body. An error is an *[Error], and
// every later call returns it again; data before it has been returned by then,
// and n counts the bytes before the offending one.
func (d *Decoder) Next(src []byte) (data []byte, n int, err error) {
	if d.err != nil {
		return nil, 0, d.err
	}
	n, bad := d.framing(src)
	d.offset += int64(n)
	if bad != fine {
		d.err = &Error{Status: faults[bad].status, Offset: d.offset, Reason: faults[bad].reason}
		return nil, n, d.err
	}
	if d.phase != inData || n == len(src) {
		return nil, n, nil
	}
	end := n + int(min(d.left, int64(len(src)-n)))
	data = src[n:end:end]
	d.offset += int64(len(data))
	d.data += int64(len(data))
	d.left -= int64(len(data))
	if d.left == 0 {
		d.phase = dataCR
	}
	return data, end, nil
}

// Done reports whether the whole body, including the CRLF that ends its trailer
// section, has been consumed.
func (d *Decoder) Done() bool { return d.phase == done }

// Reset makes d ready for another body. Limits, Trailer and the buffer for cut
// trailer lines are kept.
func (d *Decoder) Reset() {
	*d = Decoder{
		Trailer: d.Trailer, MaxLine: d.MaxLine, MaxTrailer: d.MaxTrailer,
		MaxTrailers: d.MaxTrailers, MaxBody: d.MaxBody, held: d.held[:0],
	}
}

// framing consumes everything up to data, the end of src, the end of the body
// or a fault.
func (d *Decoder) framing(src []byte) (n int, bad fault) {
	for n < len(src) && bad == fine && d.phase != inData && d.phase != done {
		used := 0
		switch {
		case d.phase <= sizeLF:
			used, bad = d.sizeLine(src[n:])
			d.overhead += int64(used)
		case d.phase <= dataLF:
			used, bad = d.dataEnd(src[n:])
			d.overhead += int64(used)
		default:
			used, bad = d.trailerSection(src[n:])
		}
		n += used
	}
	return n, bad
}

// dataEnd consumes the CRLF after chunk data.
func (d *Decoder) dataEnd(src []byte) (n int, bad fault) {
	if d.phase == dataCR {
		if src[0] != '\r' {
			return 0, badDataEnd
		}
		d.phase, n = dataLF, 1
	}
	if n == len(src) {
		return n, fine
	}
	if src[n] != '\n' {
		return n, badDataEnd
	}
	d.phase = sizeStart
	return n + 1, fine
}
