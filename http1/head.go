package http1

// span is a range of the head's bytes. The zero span means absent: no part of a
// head ends at its first byte.
type span struct{ from, to uint32 }

func spanOf(from, to int) span { return span{uint32(from), uint32(to)} }

// in returns the part of buf that s spans, with no room to append, or nil for
// the zero span.
func (s span) in(buf []byte) []byte {
	if s.to == 0 {
		return nil
	}
	return buf[s.from:s.to:s.to]
}

// field is a field line: its name, and its value without white space around it.
type field struct{ name, value span }

// called reports whether the field has that name, in any case.
func (f field) called(buf []byte, name string) bool {
	return int(f.name.to-f.name.from) == len(name) && equalFold(f.name.in(buf), name)
}

// flags are what is known so far from the start line of a head and its fields.
type flags uint16

const (
	complete  flags = 1 << iota // the empty line was seen
	oldMinor                    // HTTP/1.0
	sawHost                     // a Host field
	sawCoding                   // a Transfer-Encoding field
	unknownTE                   // ... with a coding other than chunked
	connClose                   // Connection options
	connKeep
	connUpgrade
	connOther     // ... and one that names a field
	sawUpgrade    // an Upgrade field
	sawExpect     // Expect: 100-continue
	unknownExpect // another expectation
	ownHost       // the target names the host
)

// head is what requests and responses share: the bytes, the fields and how far
// parsing has come.
type head struct {
	buf    []byte  // up to pos; where all spans point
	fields []field // in order
	length uint64  // Content-Length + 1; 0 = none, so that the zero value is right
	pos    uint32  // first byte of the first line that was not consumed
	block  uint32  // first byte after the start line; 0 = that is not complete yet
	flags  flags
	err    *ParseError // the first error; Parse returns it again
}

// firstFields is the number of fields a head has room for at first: what
// browsers send.
const firstFields = 16

// done ends a call of Parse: all spans now point into buf, as far as it was
// consumed.
func (h *head) done(buf []byte) (int, error) {
	h.Rebase(buf)
	switch {
	case h.err != nil:
		return 0, h.err
	case h.flags&complete == 0:
		return 0, nil
	}
	return int(h.pos), nil
}

// Rebase makes all parts point into buf, which begins with a copy of the head's
// n bytes.
func (h *head) Rebase(buf []byte) { h.buf = buf[:h.pos:h.pos] }

// Len returns the number of fields.
func (h *head) Len() int { return len(h.fields) }

// Field returns the name, as it was sent, and the value, without white space
// around it, of field i, 0 <= i < Len(). Both point into the head.
func (h *head) Field(i int) (name, value []byte) {
	f := h.fields[i]
	return f.name.in(h.buf), f.value.in(h.buf)
}

// Get returns the value of the first field with that name, in any case, or nil
// if there is none. An empty value is not nil. It points into the head.
func (h *head) Get(name string) []byte {
	for _, f := range h.fields {
		if f.called(h.buf, name) {
			return f.value.in(h.buf)
		}
	}
	return nil
}

// Count returns the number of fields with that name, in any case.
func (h *head) Count(name string) int {
	n := 0
	for _, f := range h.fields {
		if f.called(h.buf, name) {
			n++
		}
	}
	return n
}

// Minor returns the minor version: 0 for HTTP/1.0, 1 for HTTP/1.1 and any later
// 1.x, which RFC 9110 2.5 wants treated like the highest known one.
func (h *head) Minor() int {
	if h.flags&oldMinor != 0 {
		return 0
	}
	return 1
}

func (h *head) setMinor(digit byte) {
	if digit == '0' {
		h.flags |= oldMinor
	}
}

// KeepAlive reports whether the version and the Connection options keep the
// connection open for another message (RFC 9112 9.3): close wins over
// keep-alive, which HTTP/1.0 needs.
func (h *head) KeepAlive() bool {
	switch {
	case h.flags&connClose != 0:
		return false
	case h.flags&oldMinor != 0:
		return h.flags&connKeep != 0
	}
	return true
}

// line is the outcome of looking at one line.
type line uint8

const (
	lineMore  line = iota // it is not complete
	lineField             // a field
	lineEmpty             // the end of the head
)

// fieldLine looks at the field line at h.pos and steps over it if it is
// complete. It does not look at bytes beyond the limits, so that a limit is the
// same at any split.
func (h *head) fieldLine(buf []byte, lim *Limits) (field, line, *ParseError) {
	pos := int(h.pos)
	if pos == len(buf) {
		return field{}, lineMore, nil
	}
	if buf[pos] == '\r' {
		ok, err := lineEnd(buf, pos)
		if !ok {
			return field{}, lineMore, err
		}
		h.pos += 2
		return field{}, lineEmpty, nil
	}
	room := min(lim.Field, int(h.block)+lim.Header-2-pos)
	if room <= 0 || len(h.fields) >= lim.Fields {
		return field{}, lineMore, h.full(pos, lim)
	}
	b := buf[:min(len(buf), pos+room+1)]

	i := pos
	for i < len(b) && octets[b[i]]&tchar != 0 {
		i++
	}
	if i == len(b) {
		return field{}, lineMore, h.cut(pos, room, b, lim)
	}
	if b[i] != ':' || i == pos {
		return field{}, lineMore, badName(b, pos, i)
	}
	name := spanOf(pos, i)

	i++
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	from := i
	i = indexControl(b, i)
	for i < len(b) && b[i] == '\t' {
		i = indexControl(b, i+1)
	}
	if i == len(b) {
		return field{}, lineMore, h.cut(pos, room, b, lim)
	}
	if ok, err := lineEnd(buf, i); !ok {
		return field{}, lineMore, err
	}
	h.pos = uint32(i + 2)
	for i > from && isSpace(b[i-1]) {
		i--
	}
	return field{name, spanOf(from, i)}, lineField, nil
}

// lineEnd looks for the CRLF where a scan has stopped: at i is a control
// character. It reports false and no error if the LF has not arrived.
func lineEnd(buf []byte, i int) (bool, *ParseError) {
	switch {
	case buf[i] != '\r':
		return false, bad(i, controlReason(buf[i]))
	case i+1 == len(buf):
		return false, nil
	case buf[i+1] != '\n':
		return false, bad(i, reasonBareCR)
	}
	return true, nil
}

// add appends a field.
func (h *head) add(f field) {
	if h.fields == nil {
		h.fields = make([]field, 0, firstFields)
	}
	h.fields = append(h.fields, f)
}

// full is the error for a field line at pos that there is no room for.
func (h *head) full(pos int, lim *Limits) *ParseError {
	if c := h.buf[pos]; isSpace(c) {
		return bad(pos, reasonFold)
	}
	if len(h.fields) >= lim.Fields {
		return &ParseError{Status: 431, Offset: pos, Reason: reasonFields}
	}
	return &ParseError{Status: 431, Offset: pos, Reason: reasonHeaderLen}
}

// cut returns what it means that b ended within the field line at pos: nil for
// now, or that the line is longer than room allows.
func (h *head) cut(pos, room int, b []byte, lim *Limits) *ParseError {
	if len(b)-pos <= room {
		return nil
	}
	reason := reasonHeaderLen
	if room == lim.Field {
		reason = reasonFieldLen
	}
	return &ParseError{Status: 431, Offset: pos + room, Reason: reason}
}

// badName is the error for the octet at i that ended the field name which began
// at pos.
func badName(b []byte, pos, i int) *ParseError {
	switch c := b[i]; {
	case i == pos && isSpace(c):
		// RFC 9112 2.2 for the first line, 5.2 (obs-fold) for the others.
		return bad(i, reasonFold)
	case c == '\r', c == '\t', c >= ' ' && c != 0x7f:
		// No colon, an empty name, a blank before the colon (5.1), or not a
		// token.
		return bad(i, reasonName)
	default:
		return bad(i, controlReason(c))
	}
}
