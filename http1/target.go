package http1

import "encoding/binary"

// requestLine looks at the empty lines and the request line at h.pos (RFC 9112
// 3) and, if it is complete, consumes it and sets h.block.
//
// The method must not contain lower-case letters. They are legal in a token,
// but no method has any, methods are compared exactly, and "get" must never
// pass a filter written for "GET".
func (h *Request) requestLine(buf []byte, limit int) *ParseError {
	if ok, err := h.emptyLines(buf); !ok {
		return err
	}
	start := int(h.pos)
	b := buf[:min(len(buf), start+limit+1)]

	i := start
	for i < len(b) && octets[b[i]]&methodC != 0 {
		i++
	}
	if i == len(b) {
		if i-start > limit {
			return bad(i-1, reasonMethodLen)
		}
		return nil
	}
	if b[i] != ' ' || i == start {
		return badMethod(b, i)
	}
	method := spanOf(start, i)

	i, query, err := scanTarget(b, i+1)
	if err != nil {
		return err
	}
	if i == len(b) {
		return tooLong(start, limit, b)
	}
	target := spanOf(int(method.to)+1, i)

	i, err = version(b, i+1)
	if err != nil {
		return err
	}
	if i == len(b) {
		return tooLong(start, limit, b)
	}
	if b[i] != '\r' && b[i] != '\n' {
		return bad(i, reasonVersion)
	}
	if ok, err := lineEnd(buf, i); !ok {
		return err
	}
	if b[i-len("1.1")] != '1' {
		return &ParseError{Status: 505, Offset: i - len("1.1"), Reason: reasonMajor}
	}
	h.setMinor(b[i-1])

	h.method, h.target = method, target
	if reason := h.form(query); reason != "" {
		*h = Request{head: h.head}
		return bad(int(target.from), reason)
	}
	h.pos = uint32(i + 2)
	h.block = h.pos
	return nil
}

// emptyLines steps over the empty lines before the request line (RFC 9112 2.2),
// which some clients send after a body. It reports false and no error if the
// last of them is not complete.
func (h *Request) emptyLines(buf []byte) (bool, *ParseError) {
	for int(h.pos) < len(buf) && buf[h.pos] == '\r' {
		if h.pos == 2*maxEmptyLines {
			return false, bad(int(h.pos), reasonEmpty)
		}
		if ok, err := lineEnd(buf, int(h.pos)); !ok {
			return false, err
		}
		h.pos += 2
	}
	return true, nil
}

// tooLong returns what it means that b ended within the start line: nil for
// now, or that the line is longer than the limit.
func tooLong(start, limit int, b []byte) *ParseError {
	if len(b)-start <= limit {
		return nil
	}
	return &ParseError{Status: 414, Offset: start + limit, Reason: reasonLineLen}
}

// badMethod is the error for the octet at i that ended the method.
func badMethod(b []byte, i int) *ParseError {
	switch c := b[i]; {
	case c == '\r', c >= ' ' && c != 0x7f:
		return bad(i, reasonMethod)
	default:
		return bad(i, controlReason(c))
	}
}

// scanTarget returns the end of the request target that begins at start, where
// a space is or b ends, and the index of its first question mark, or 0.
func scanTarget(b []byte, start int) (end, query int, err *ParseError) {
	i := start
	for {
		if i = indexTargetStop(b, i); i == len(b) {
			return i, query, nil
		}
		switch c := b[i]; c {
		case ' ':
			if i == start {
				return i, 0, bad(i, reasonTarget)
			}
			return i, query, nil
		case '?':
			if query == 0 {
				query = i
			}
		case '%':
			if query != 0 {
				break // a query is opaque: what an escape in it means is up to the application
			}
			for _, x := range b[i+1 : min(i+3, len(b))] {
				if octets[x]&hexDigit == 0 {
					return i, 0, bad(i, reasonPercent)
				}
			}
		case '\\':
			// Browsers make it a slash in a path, and keep it in a query.
			if query == 0 {
				return i, 0, bad(i, reasonBackslash)
			}
		case '!', '"', '$':
		default:
			return i, 0, badTarget(b, i)
		}
		i++
	}
}

// badTarget is the error for the octet at i that is not allowed in a request
// target.
func badTarget(b []byte, i int) *ParseError {
	switch c := b[i]; {
	case c == '#':
		return bad(i, reasonFragment)
	case c >= 0x80:
		return bad(i, reasonNonASCII)
	case c == '\r':
		return bad(i, reasonVersion) // HTTP/0.9, which has none
	default:
		return bad(i, controlReason(c))
	}
}

// http11 is "HTTP/1.1" in one word.
const http11 = '1'<<56 | '.'<<48 | '1'<<40 | '/'<<32 | 'P'<<24 | 'T'<<16 | 'T'<<8 | 'H'

// version returns the end of the version (RFC 9112 2.3) that begins at i, or
// len(b) if b ends with or within it.
func version(b []byte, i int) (int, *ParseError) {
	const layout = "HTTP/d.d"
	if i+len(layout) <= len(b) && binary.LittleEndian.Uint64(b[i:]) == http11 {
		return i + len(layout), nil
	}
	for j := 0; j < len(layout) && i < len(b); j, i = j+1, i+1 {
		if want := layout[j]; want == 'd' && !isDigit(b[i]) || want != 'd' && b[i] != want {
			return i, bad(i, reasonVersion)
		}
	}
	return i, nil
}

// form splits the target by its form (RFC 9112 3.2). query is the index of its
// first question mark, or 0. It returns a reason if the target has no valid
// form, or one that the method does not allow.
func (h *Request) form(query int) (reason string) {
	from, to := int(h.target.from), int(h.target.to)
	method := h.method.in(h.buf)
	if string(method) == "CONNECT" {
		if !validAuthority(h.target.in(h.buf)) {
			return reasonAuthority
		}
		h.flags |= ownHost
		h.host = h.target
		return ""
	}
	if h.buf[from] == '*' {
		h.path = h.target
		if to != from+1 || string(method) != "OPTIONS" {
			return reasonForm
		}
		return ""
	}
	end := to
	if query != 0 {
		h.query = spanOf(query+1, to)
		end = query
	}
	if h.buf[from] == '/' {
		h.path = spanOf(from, end)
		return ""
	}
	return h.absolute(from, end)
}

// absolute splits a target in absolute form: buf[from:end], a URL without its
// query. Its scheme is http, or https from a proxy that ended TLS.
func (h *Request) absolute(from, end int) (reason string) {
	host := from
	for _, scheme := range [...]string{"http://", "https://"} {
		if n := from + len(scheme); n <= end && equalFold(h.buf[from:n], scheme) {
			host = n
		}
	}
	if host == from {
		return reasonForm
	}
	slash := host
	for slash < end && h.buf[slash] != '/' {
		slash++
	}
	if !validHost(h.buf[host:slash]) {
		return reasonAuthority
	}
	h.flags |= ownHost
	h.host = spanOf(host, slash)
	h.path = spanOf(slash, end)
	if slash == end {
		// An empty path is "/" (RFC 9110 4.2.3), and the byte before the
		// authority is one.
		h.path = spanOf(host-1, host)
	}
	return ""
}
