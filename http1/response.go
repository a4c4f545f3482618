package http1

// A Response is a response head, as a client reads it: first its parser, then
// its parts. It is used like a [Request].
//
// A 1xx head (RFC 9110 15.2) is a head like any other: after it, Reset and
// parse the next.
type Response struct {
	head
	reason span
	status uint16
}

// Parse looks for a complete response head at the start of buf. Its contract is
// that of [Request.Parse], except that no empty lines may come first and that
// every error has status 502, with which a gateway responds.
func (h *Response) Parse(buf []byte, lim *Limits) (n int, err error) {
	if h.flags&complete == 0 && h.err == nil {
		h.buf = buf
		l := lim.resolved()
		if h.err = h.parse(buf, &l); h.err != nil {
			h.err.Status = 502
		}
	}
	return h.done(buf)
}

// Reset forgets the head and the bytes it pointed into.
func (h *Response) Reset() {
	fields := h.fields[:0]
	*h = Response{}
	h.fields = fields
}

func (h *Response) parse(buf []byte, lim *Limits) *ParseError {
	if h.block == 0 {
		if err := h.statusLine(buf, lim.Line); err != nil || h.block == 0 {
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
		if err := h.framing(f.name.in(buf), f); err != nil {
			return err
		}
		h.add(f)
	}
}

// statusLine looks at the status line (RFC 9112 4) and, if it is complete,
// consumes it and sets h.block. The space before an empty reason may be
// missing: many servers omit it.
func (h *Response) statusLine(buf []byte, limit int) *ParseError {
	b := buf[:min(len(buf), limit+1)]
	i, err := version(b, 0)
	if err != nil {
		return err
	}
	if i == len("HTTP/d.d") && b[len("HTTP/")] != '1' {
		return bad(len("HTTP/"), reasonMajor)
	}
	for _, want := range []byte(" ddd") {
		if i == len(b) {
			return tooLong(0, limit, b)
		}
		if c := b[i]; want == ' ' && c != ' ' || want == 'd' && !isDigit(c) {
			return bad(i, reasonStatus)
		}
		i++
	}
	code := i - 3
	if b[code] == '0' {
		return bad(code, reasonStatus)
	}
	if i == len(b) {
		return tooLong(0, limit, b)
	}
	switch b[i] {
	case ' ':
		i++
	case '\r', '\n':
	default:
		return bad(i, reasonStatus)
	}
	from := i
	for i = indexControl(b, i); i < len(b) && b[i] == '\t'; {
		i = indexControl(b, i+1)
	}
	if i == len(b) {
		return tooLong(0, limit, b)
	}
	if ok, err := lineEnd(buf, i); !ok {
		return err
	}
	h.status = uint16(b[code]-'0')*100 + uint16(b[code+1]-'0')*10 + uint16(b[code+2]-'0')
	h.setMinor(b[len("HTTP/1.")])
	h.reason = spanOf(from, i)
	h.pos = uint32(i + 2)
	h.block = h.pos
	return nil
}

func (h *Response) end() *ParseError {
	if h.flags&unknownTE != 0 {
		return bad(int(h.pos), reasonUnknown)
	}
	h.flags |= complete
	return nil
}

// Status returns the status code, 100 to 999.
func (h *Response) Status() int { return int(h.status) }

// Reason returns the reason phrase, which may be empty and has no meaning.
func (h *Response) Reason() []byte { return h.reason.in(h.buf) }

// BodyKind is how a response's body ends.
type BodyKind uint8

const (
	BodyNone       BodyKind = iota // there is none
	BodyLength                     // after a number of bytes
	BodyChunked                    // by its last chunk
	BodyUntilClose                 // when the server closes the connection
)

func (k BodyKind) String() string {
	return [...]string{"none", "length", "chunked", "until close"}[k]
}

// Body returns how the body of the response to a request with that method ends,
// and its length if that is BodyLength, else 0 (RFC 9112 6.3). What follows the
// head of a 101, or of a 2xx to CONNECT, is not a body but another protocol:
// [BodyNone].
func (h *Response) Body(method string) (kind BodyKind, length int64) {
	switch {
	case method == "HEAD" || h.noContent() || h.status == 304:
		return BodyNone, 0
	case method == "CONNECT" && h.status/100 == 2:
		return BodyNone, 0
	case h.flags&sawCoding != 0:
		return BodyChunked, 0
	case h.length != 0:
		return BodyLength, int64(h.length - 1)
	}
	return BodyUntilClose, 0
}

// noContent reports whether the status has no body, whatever the method and the
// fields.
func (h *Response) noContent() bool { return h.status < 200 || h.status == 204 }

// KeepAlive reports whether the version and the Connection options keep the
// connection open for another request (RFC 9112 9.3). It is false if the body
// ends with the connection, and for a 1xx or 204 that claims to have a body:
// whether one follows cannot be known.
func (h *Response) KeepAlive() bool {
	if h.noContent() && (h.flags&sawCoding != 0 || h.length > 1) {
		return false
	}
	return h.head.KeepAlive()
}
