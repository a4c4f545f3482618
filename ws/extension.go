package ws

import (
	"errors"
	"strconv"
	"strings"

	"weir/http1"
)

// deflateName is the extension of RFC 7692.
const deflateName = "permessage-deflate"

// Its parameters (RFC 7692 7.1).
const (
	serverNoContext = "server_no_context_takeover"
	clientNoContext = "client_no_context_takeover"
	serverWindow    = "server_max_window_bits"
	clientWindow    = "client_max_window_bits"
)

// An extension is one element of Sec-WebSocket-Extensions (RFC 6455 9.1).
type extension struct {
	name   string
	params []param
}

type param struct {
	name, value string
	has         bool // a value
}

var errExtensions = errors.New("ws: malformed Sec-WebSocket-Extensions")

// parseExtensions reads the field's lines as one list.
func parseExtensions(lines []string) (list []extension, err error) {
	p := parser{strings.Join(lines, ",")}
	for {
		p.blanks()
		if p.rest == "" {
			return list, nil
		}
		if p.take(',') { // an empty element (RFC 9110 5.6.1)
			continue
		}
		e := extension{name: p.token()}
		if e.name == "" {
			return nil, errExtensions
		}
		for p.blanks(); p.take(';'); p.blanks() {
			p.blanks()
			q := param{name: p.token()}
			if p.blanks(); p.take('=') {
				p.blanks()
				q.value, q.has = p.value(), true
			}
			if q.name == "" || q.has && q.value == "" {
				return nil, errExtensions
			}
			e.params = append(e.params, q)
		}
		if list = append(list, e); p.rest != "" && !p.take(',') {
			return nil, errExtensions
		}
	}
}

// parser reads a field's value from left to right.
type parser struct{ rest string }

func (p *parser) blanks() { p.rest = strings.TrimLeft(p.rest, " \t") }

func (p *parser) take(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// token returns a token, "" if there is none.
func (p *parser) token() (t string) {
	n := 0
	for n < len(p.rest) && http1.IsToken(p.rest[n:n+1]) {
		n++
	}
	t, p.rest = p.rest[:n], p.rest[n:]
	return t
}

// value returns a token, or a quoted string that has one inside (RFC 6455 9.1).
func (p *parser) value() string {
	if !p.take('"') {
		return p.token()
	}
	var b strings.Builder
	for p.rest != "" && p.rest[0] != '"' {
		if p.take('\\') && p.rest == "" {
			return ""
		}
		b.WriteByte(p.rest[0])
		p.rest = p.rest[1:]
	}
	if v := b.String(); p.take('"') && http1.IsToken(v) {
		return v
	}
	return ""
}

// terms are what was agreed on for compression. The zero value is none.
type terms struct {
	on     bool
	window uint8 // of what this side compresses
}

// acceptDeflate chooses the first offer that a server can take, and returns its
// response; "" if there is none. An offer with an unknown, repeated or invalid
// parameter is declined (RFC 7692 7.1). The response demands of both sides what
// it may demand without an offer, and of this side alone what was offered.
func acceptDeflate(offers []extension) (t terms, response string) {
	for _, offer := range offers {
		if offer.name != deflateName {
			continue
		}
		if window, asked, ok := offer.window(serverWindow, clientWindow); ok {
			response = deflateName + "; " + serverNoContext + "; " + clientNoContext
			if asked {
				response += "; " + serverWindow + "=" + strconv.Itoa(int(window))
			}
			return terms{true, window}, response
		}
	}
	return terms{}, ""
}

// window checks the parameters and returns how large a window the sender of ours
// allows; a parameter of theirs needs no value.
func (e *extension) window(ours, theirs string) (window uint8, asked, ok bool) {
	window = maxWindow
	seen := map[string]bool{}
	for _, p := range e.params {
		if seen[p.name] {
			return 0, false, false
		}
		seen[p.name] = true
		bits, valid := p.bits()
		switch {
		case (p.name == serverNoContext || p.name == clientNoContext) && !p.has:
		case p.name == ours && valid:
			window, asked = bits, true
		case p.name == theirs && (valid || !p.has):
		default:
			return 0, false, false
		}
	}
	return window, asked, true
}

// bits returns a window's size: 8 to 15, without leading zeros.
func (p *param) bits() (uint8, bool) {
	n, err := strconv.ParseUint(p.value, 10, 8)
	return uint8(n), err == nil && n >= minWindow && n <= maxWindow && strconv.FormatUint(n, 10) == p.value
}
