package http1

import "math"

// framing processes the fields that decide where the message ends and whether
// another follows.
func (h *head) framing(name []byte, f field) *ParseError {
	switch len(name) {
	case len("Connection"):
		if equalFold(name, "Connection") {
			h.connection(f.value.in(h.buf))
		}
	case len("Content-Length"):
		if equalFold(name, "Content-Length") {
			return h.contentLength(f)
		}
	case len("Transfer-Encoding"):
		if equalFold(name, "Transfer-Encoding") {
			return h.transferEncoding(f)
		}
	}
	return nil
}

// contentLength processes a Content-Length field (RFC 9112 6.2, 6.3): one plain
// decimal number. A list of equal numbers, which a recipient may repair, is
// refused like unequal ones.
func (h *head) contentLength(f field) *ParseError {
	off := int(f.value.from)
	switch {
	case h.length != 0:
		return bad(off, reasonTwoLengths)
	case h.flags&sawCoding != 0:
		return bad(off, reasonBoth)
	}
	n, ok := parseLength(f.value.in(h.buf))
	if !ok {
		return bad(off, reasonLength)
	}
	h.length = n + 1
	return nil
}

// parseLength reads a decimal number up to MaxInt64, without sign or leading
// zeros.
func parseLength(b []byte) (uint64, bool) {
	if len(b) == 0 || b[0] == '0' && len(b) > 1 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		d := uint64(c - '0') // a uint8 first: a byte below '0' becomes large
		if d > 9 || n > (math.MaxInt64-d)/10 {
			return 0, false
		}
		n = 10*n + d
	}
	return n, true
}

// transferEncoding processes a Transfer-Encoding field. An unknown coding is
// only noted: a malformed line, this or a later one, is the graver fault.
func (h *head) transferEncoding(f field) *ParseError {
	off := int(f.value.from)
	switch {
	case h.flags&sawCoding != 0:
		return bad(off, reasonTwoCodings)
	case h.length != 0:
		return bad(off, reasonBoth)
	case h.flags&oldMinor != 0:
		// RFC 9112 6.1: such a message has faulty framing.
		return bad(off, reasonOldCoding)
	}
	h.flags |= sawCoding
	v := f.value.in(h.buf)
	if equalFold(v, "chunked") {
		return nil
	}
	h.flags |= unknownTE
	if !validCodings(v) {
		return bad(off, reasonCoding)
	}
	return nil
}

// validCodings reports whether v is a list of bare tokens in which chunked
// comes once and last, if at all. Parameters are not accepted (no known coding
// has any), nor is identity, which RFC 7230 withdrew.
func validCodings(v []byte) bool {
	for chunked := false; ; {
		i := 0
		for i < len(v) && v[i] != ',' {
			i++
		}
		e := trimSpace(v[:i])
		if chunked || !isToken(e) || equalFold(e, "identity") {
			return false
		}
		chunked = equalFold(e, "chunked")
		if i == len(v) {
			return true
		}
		v = v[i+1:]
	}
}

// connection notes the options of a Connection field (RFC 9110 7.6.1) that
// matter here.
func (h *head) connection(value []byte) {
	for len(value) > 0 {
		var e []byte
		e, value = cutElement(value)
		switch {
		case equalFold(e, "close"):
			h.flags |= connClose
		case equalFold(e, "keep-alive"):
			h.flags |= connKeep
		case equalFold(e, "upgrade"):
			h.flags |= connUpgrade
		case len(e) > 0:
			h.flags |= connOther
		}
	}
}
