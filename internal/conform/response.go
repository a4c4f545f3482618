package conform

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// response is one response, read to its end.
type response struct {
	version  string // "HTTP/1.1"
	status   int
	fields   []field
	framing  framing
	body     []byte
	trailers []field
}

type field struct{ name, value string }

// framing is how the end of the body is found (RFC 9112 6.3).
type framing int

const (
	noBody framing = iota
	byLength
	byChunks
	byClose
)

// maxBody bounds what a case collects; larger streams are read piecewise.
const maxBody = 64 << 20

// value joins all values of a field, as RFC 9110 5.2 does.
func (r *response) value(name string) (string, bool) {
	var all []string
	for _, f := range r.fields {
		if strings.EqualFold(f.name, name) {
			all = append(all, f.value)
		}
	}
	return strings.Join(all, ", "), len(all) > 0
}

// saysClose reports whether the response announces the end of the connection.
func (r *response) saysClose() bool { return r.connection("close") }

func (r *response) connection(option string) bool {
	v, _ := r.value("Connection")
	for _, token := range strings.Split(v, ",") {
		if strings.EqualFold(strings.TrimSpace(token), option) {
			return true
		}
	}
	return false
}

// readResponse reads one whole response to a request of that method, interim or
// final: an unexpected 100 is also a response.
func (p *peer) readResponse(method string) (*response, error) {
	r, err := p.readHead(method)
	if err != nil {
		return nil, err
	}
	for err == nil {
		var piece []byte
		piece, err = p.readPiece(r)
		r.body = append(r.body, piece...)
		if len(r.body) > maxBody {
			err = errors.New("body over 64 MiB")
		}
	}
	if err != io.EOF {
		return nil, fmt.Errorf("body of %d: %w", r.status, err)
	}
	p.note("< %d %s", r.status, shorten(string(r.body)))
	return r, nil
}

// readHead reads status line and fields and decides the framing.
func (p *peer) readHead(method string) (*response, error) {
	deadline := p.until()
	line, err := p.readLine(deadline)
	if err != nil {
		return nil, fmt.Errorf("status line: %w", err)
	}
	r := &response{}
	if r.version, r.status, err = parseStatusLine(line); err != nil {
		return nil, err
	}
	if r.fields, err = p.readFields(deadline); err != nil {
		return nil, err
	}
	r.framing, err = r.decideFraming(method)
	p.last = r
	return r, err
}

// parseStatusLine splits "HTTP/1.1 200 OK" (RFC 9112 4). A server of this suite
// always responds with HTTP/1.1, also to HTTP/1.0 clients.
func parseStatusLine(line string) (version string, status int, err error) {
	bad := fmt.Errorf("got status line %s, want HTTP/1.1 SP 3DIGIT SP reason", shorten(line))
	version, rest, ok := strings.Cut(line, " ")
	if !ok || version != "HTTP/1.1" || len(rest) < 4 || rest[3] != ' ' {
		return "", 0, bad
	}
	status, err = strconv.Atoi(rest[:3])
	if err != nil || status < 100 || status > 599 || hasCTL(rest[4:]) {
		return "", 0, bad
	}
	return version, status, nil
}

// readFields reads field lines up to the empty one.
func (p *peer) readFields(deadline time.Time) ([]field, error) {
	var all []field
	for {
		line, err := p.readLine(deadline)
		if err != nil {
			return nil, fmt.Errorf("field line: %w", cut(err))
		}
		if line == "" {
			return all, nil
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !isToken(name) || hasCTL(value) {
			return nil, fmt.Errorf("got field line %s, want token, colon, text", shorten(line))
		}
		all = append(all, field{name, strings.Trim(value, " \t")})
	}
}

// decideFraming also refuses heads that state the framing twice or not at all.
func (r *response) decideFraming(method string) (framing, error) {
	length, hasLength := r.value("Content-Length")
	coding, hasCoding := r.value("Transfer-Encoding")
	switch {
	case hasLength && hasCoding:
		return 0, errors.New("got both Content-Length and Transfer-Encoding")
	case hasLength && !isDigits(length):
		return 0, fmt.Errorf("got Content-Length %q", length)
	case hasCoding && coding != "chunked":
		return 0, fmt.Errorf("got Transfer-Encoding %q, want chunked", coding)
	case r.status < 200 || r.status == 204:
		if hasLength || hasCoding {
			return 0, fmt.Errorf("got framing fields in a %d", r.status) // RFC 9110 8.6, RFC 9112 6.1
		}
		return noBody, nil
	case method == "HEAD" || r.status == 304:
		return noBody, nil
	case hasCoding:
		return byChunks, nil
	case hasLength:
		return byLength, nil
	case !r.saysClose():
		return 0, fmt.Errorf("got a %d with neither Content-Length, chunks nor Connection: close", r.status)
	}
	return byClose, nil
}

// readPiece reads the next part of r's body: a chunk, or what there is. io.EOF
// is the proper end; errTruncated an end that must not look like one.
func (p *peer) readPiece(r *response) ([]byte, error) {
	switch r.framing {
	case byChunks:
		return p.readChunk(r)
	case byLength:
		length, _ := r.value("Content-Length")
		n, err := strconv.Atoi(length)
		if err != nil {
			return nil, err
		}
		r.framing = noBody
		return p.readExactly(n)
	case byClose:
		if len(p.buf) > 0 {
			return p.take(len(p.buf)), nil
		}
		return nil, p.fill(p.until())
	}
	return nil, io.EOF
}

var errTruncated = errors.New("truncated")

// readChunk reads one chunk, or the last one with its trailer section (RFC 9112
// 7.1).
func (p *peer) readChunk(r *response) ([]byte, error) {
	deadline := p.until()
	line, err := p.readLine(deadline)
	if err != nil {
		return nil, fmt.Errorf("chunk size line: %w", cut(err))
	}
	size, err := strconv.ParseUint(line, 16, 31)
	if err != nil || strings.ContainsAny(line, "+_xX") {
		return nil, fmt.Errorf("got chunk size line %s, want hex digits", shorten(line))
	}
	if size == 0 {
		if r.trailers, err = p.readFields(deadline); err != nil {
			return nil, fmt.Errorf("trailer section: %w", err)
		}
		r.framing = noBody
		return nil, io.EOF
	}
	data, err := p.readExactly(int(size) + 2)
	if err != nil {
		return nil, err
	}
	if !bytes.HasSuffix(data, []byte("\r\n")) {
		return nil, fmt.Errorf("got %q after a chunk's data, want CRLF", data[size:])
	}
	return data[:size], nil
}

// cut turns an end inside a message into errTruncated, and hides io.EOF and
// errReset: those mean an end between messages.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, errReset) {
		return fmt.Errorf("%w by %v", errTruncated, err)
	}
	return err
}

// readLine reads a line that must end with CRLF and hold neither CR nor LF.
func (p *peer) readLine(deadline time.Time) (string, error) {
	const most = 64 << 10
	for {
		if i := bytes.IndexByte(p.buf, '\n'); i >= 0 {
			line := string(p.take(i + 1))
			if text, ok := strings.CutSuffix(line, "\r\n"); ok && !strings.Contains(text, "\r") {
				return text, nil
			}
			return "", fmt.Errorf("got line %s, want one CR, before the LF", shorten(line))
		}
		if len(p.buf) > most {
			return "", fmt.Errorf("got no line end in %d bytes", len(p.buf))
		}
		if err := p.fill(deadline); err != nil {
			return "", p.inLine(err)
		}
	}
}

// inLine distinguishes an end between responses from one inside a line.
func (p *peer) inLine(err error) error {
	if len(p.buf) == 0 {
		return err
	}
	return fmt.Errorf("%w after %s", cut(err), shorten(string(p.buf)))
}

func (p *peer) readExactly(n int) ([]byte, error) {
	deadline := p.until()
	for len(p.buf) < n {
		if err := p.fill(deadline); err != nil {
			return nil, fmt.Errorf("%d of %d bytes: %w", len(p.buf), n, cut(err))
		}
	}
	return p.take(n), nil
}

func isToken(s string) bool {
	for i := range len(s) {
		if !isTchar(s[i]) {
			return false
		}
	}
	return s != ""
}

// isTchar is RFC 9110 5.6.2.
func isTchar(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0
}

// hasCTL reports whether s holds a control character that no field value may
// (RFC 9110 5.5).
func hasCTL(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) >= 0
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
