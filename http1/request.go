package http1

// A Request is a request head: first its parser, then its parts.
//
// The zero value is ready to Parse. Reset makes it ready for the next head and
// keeps its memory. Parts point into the bytes given to Parse or Rebase and are
// valid as long as those. A Request is not safe for concurrent use.
//
// After an error the parts before it are available, for a log line.
type Request struct {
	head
	method, target, path, query, host span
}

// Parse looks for a complete request head at the start of buf, which holds all
// bytes of the head so far, beginning with the empty lines that may precede it.
// It returns the head's length, including those lines, or 0 and no error if
// more bytes are needed; call it again then with the same bytes, which may have
// moved, and more. lim may be nil, and must not change between the calls.
//
// An error is a *ParseError. It is returned as soon as no continuation could
// make the head valid, as far as single octets and limits go; a line as a whole
// is judged at its end. Do not read the rest of the connection as HTTP then.
// Until Reset, further calls return the same error.
//
// The cost of a call is proportional to the bytes not yet seen plus those of
// the last partial line.
func (h *Request) Parse(buf []byte, lim *Limits) (n int, err error) {
	if h.flags&complete == 0 && h.err == nil {
		h.buf = buf
		l := lim.resolved()
		h.err = h.parse(buf, &l)
	}
	return h.done(buf)
}

// Reset forgets the head and the bytes it pointed into.
func (h *Request) Reset() {
	fields := h.fields[:0]
	*h = Request{}
	h.fields = fields
}

func (h *Request) parse(buf []byte, lim *Limits) *ParseError {
	if h.block == 0 {
		if err := h.requestLine(buf, lim.Line); err != nil || h.block == 0 {
			return err
		}
	}
	for {
		f, l, err := h.fieldLine(buf, lim)
		switch {
		case err != nil || l == lineMore:
			return err
		case l == lineEmpty:
			return h.end()
		}
		if err := h.note(f); err != nil {
			return err
		}
		h.add(f)
	}
}

// note processes the fields that concern the message itself.
func (h *Request) note(f field) *ParseError {
	name := f.name.in(h.buf)
	switch len(name) {
	case len("Host"):
		if equalFold(name, "Host") {
			return h.hostField(f)
		}
	case len("Expect"):
		if equalFold(name, "Expect") {
			h.expect(f.value.in(h.buf))
		}
	case len("Upgrade"):
		if equalFold(name, "Upgrade") {
			h.flags |= sawUpgrade
		}
	default:
		return h.framing(name, f)
	}
	return nil
}

// hostField processes a Host field (RFC 9112 3.2). It must be valid even if the
// target's own host is the one that counts.
func (h *Request) hostField(f field) *ParseError {
	if h.flags&sawHost != 0 {
		return bad(int(f.name.from), reasonTwoHosts)
	}
	if !validHost(f.value.in(h.buf)) {
		return bad(int(f.value.from), reasonHost)
	}
	h.flags |= sawHost
	if h.flags&ownHost == 0 {
		h.host = f.value
	}
	return nil
}

// expect processes an Expect field (RFC 9110 10.1.1).
func (h *Request) expect(value []byte) {
	for len(value) > 0 {
		var e []byte
		e, value = cutElement(value)
		switch {
		case equalFold(e, "100-continue"):
			h.flags |= sawExpect
		case len(e) > 0:
			h.flags |= unknownExpect
		}
	}
}

// end judges the head as a whole, first its form, then what is merely not
// supported.
func (h *Request) end() *ParseError {
	off := int(h.pos)
	switch {
	case h.flags&(sawHost|oldMinor) == 0:
		return bad(off, reasonNoHost)
	case h.flags&unknownTE != 0:
		return &ParseError{Status: 501, Offset: off, Reason: reasonUnknown}
	case h.flags&unknownExpect != 0:
		return &ParseError{Status: 417, Offset: off, Reason: reasonExpect}
	}
	h.flags |= complete
	return nil
}

// Method returns the method, a token without lower-case letters.
func (h *Request) Method() []byte { return h.method.in(h.buf) }

// Target returns the request target as it was sent.
func (h *Request) Target() []byte { return h.target.in(h.buf) }

// Path returns the target's path, still percent-encoded and without the query:
// at least "/" for the origin and absolute forms, "*" for the asterisk form,
// nil for the authority form.
func (h *Request) Path() []byte { return h.path.in(h.buf) }

// RawQuery returns what follows the target's first question mark, or nil if
// there is none.
func (h *Request) RawQuery() []byte { return h.query.in(h.buf) }

// Host returns the host, with the port if one was given: the target's in
// absolute and authority form, else the Host field's (RFC 9112 3.3). It is nil
// only for HTTP/1.0. It is returned as it was sent: compare it without regard
// to case.
func (h *Request) Host() []byte { return h.host.in(h.buf) }

// ContentLength returns the body's length by its field, or -1 if there is no
// such field. Without it and without Chunked there is no body (RFC 9112 6.3).
func (h *Request) ContentLength() int64 { return int64(h.length) - 1 }

// Chunked reports whether the body is in chunked transfer coding.
func (h *Request) Chunked() bool { return h.flags&sawCoding != 0 }

// ExpectContinue reports whether the client waits for a 100 (Continue) before
// it sends its body. It is false in HTTP/1.0, and without a body (RFC 9110
// 10.1.1).
func (h *Request) ExpectContinue() bool {
	return h.flags&(sawExpect|oldMinor) == sawExpect && (h.Chunked() || h.ContentLength() > 0)
}

// Upgrades reports whether the client asks to switch to another protocol (RFC
// 9110 7.8): there are Upgrade fields, and Connection has the upgrade option.
// HTTP/1.0 has no upgrades. HasToken("Upgrade", ...) reports whether the client
// names a certain protocol.
func (h *Request) Upgrades() bool {
	return h.flags&(connUpgrade|sawUpgrade|oldMinor) == connUpgrade|sawUpgrade
}
