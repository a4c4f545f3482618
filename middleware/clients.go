package middleware

import (
	"bytes"
	"net/netip"
	"strings"

	"weir"
	"weir/internal/peers"
)

// Peers are peers whose word is taken: those of [ParsePeers], and nobody by
// default. The value is safe for concurrent use.
type Peers struct{ set peers.Set }

// ParsePeers reads a list of peers: addresses, prefixes such as 10.0.0.0/8, and
// the words loopback, private (RFC 1918 and RFC 4193), unix (whoever can open
// the unix socket) and * (everybody).
func ParsePeers(list ...string) (Peers, error) {
	set, err := peers.Parse(list...)
	return Peers{set}, err
}

// MustPeers is [ParsePeers] for a list that is part of the program. It panics
// where that returns an error.
func MustPeers(list ...string) Peers {
	p, err := ParsePeers(list...)
	if err != nil {
		panic("middleware: " + err.Error())
	}
	return p
}

// Has reports whether an address is one of the peers'. The zero Addr is that of
// a peer on a unix socket.
func (p Peers) Has(addr netip.Addr) bool { return p.set.Has(addr) }

// Clients finds out who a request is from where proxies pass them on. A nil
// *Clients believes nobody: the client is who has connected.
//
// What a proxy that speaks the PROXY protocol says is in Request.RemoteAddr
// already (see weir.Server.Serve), and is not asked here.
type Clients struct {
	// Proxies are the peers whose Field is believed. Everybody else could write
	// what they like there.
	Proxies Peers
	// Field is the one in which the proxies name their clients:
	// X-Forwarded-For by default, Forwarded (RFC 7239), or one with a single
	// address, such as X-Real-IP. Only this one is read: a proxy that sets one
	// may pass the others as clients have sent them.
	Field string
}

// Addr returns the address of the client. It goes from the connection back
// through the list that the proxies have made, as long as each is one of
// Proxies: the first that is not is the client. What stands before that is the
// client's own invention, and is not looked at. Where an element is not an
// address, the proxy that has written it is the last that is known. The zero
// Addr is a client on a unix socket.
func (c *Clients) Addr(r *weir.Request) netip.Addr {
	client := peerOf(r)
	if c == nil || !c.Proxies.Has(client) {
		return client
	}
	var store [4][]byte
	list := listOf(store[:0], r.Header(), c.field())
	for element := list.cutLast(); element != nil; element = list.cutLast() {
		addr := nodeOf(element, c.isForwarded())
		if !addr.IsValid() {
			break
		}
		if client = addr; !c.Proxies.Has(addr) {
			break
		}
	}
	return client
}

func peerOf(r *weir.Request) netip.Addr { return r.RemoteAddr().Addr().Unmap() }

// Name is the client as a log names it: see [ClientName]. One that a proxy has
// named has no port.
func (c *Clients) Name(r *weir.Request) string { return nameOf(c.Addr(r), r) }

// nameOf names the client of a request that is from that address.
func nameOf(addr netip.Addr, r *weir.Request) string {
	if addr != peerOf(r) {
		return addr.String()
	}
	return ClientName(r.RemoteAddr(), r.ListenAddr())
}

func (c *Clients) field() string {
	if c.Field == "" {
		return "X-Forwarded-For"
	}
	return c.Field
}

func (c *Clients) isForwarded() bool { return strings.EqualFold(c.Field, "Forwarded") }

// Secure reports whether the client sent the request by TLS: to this server, or
// to one of Proxies, as the nearest says in X-Forwarded-Proto, or in Forwarded
// where that is the Field.
func (c *Clients) Secure(r *weir.Request) bool {
	if r.TLS() != nil {
		return true
	}
	if c == nil || !c.Proxies.Has(peerOf(r)) {
		return false
	}
	field, forwarded := "X-Forwarded-Proto", c.isForwarded()
	if forwarded {
		field = c.Field
	}
	var store [4][]byte
	list := listOf(store[:0], r.Header(), field)
	nearest := list.cutLast()
	if forwarded {
		nearest = parameter(nearest, "proto")
	}
	return strings.EqualFold(string(nearest), "https")
}

// A list is the lines of a field that is one. It is read from its end.
type list [][]byte

// listOf appends the lines of the fields of that name.
func listOf(dst list, h *weir.Header, name string) list {
	for n, line := range h.Views() {
		if len(n) == len(name) && strings.EqualFold(string(n), name) {
			dst = append(dst, line)
		}
	}
	return dst
}

// cutLast removes the last element and returns it; nil if there is none. Empty
// ones are skipped.
func (l *list) cutLast() []byte {
	for len(*l) > 0 {
		line := &(*l)[len(*l)-1]
		if len(*line) == 0 {
			*l = (*l)[:len(*l)-1]
			continue
		}
		var element []byte
		if *line, element = cutLast(*line); len(element) > 0 {
			return element
		}
	}
	return nil
}

// cutLast splits a list before its last element. Quoted strings are read from
// their ends: what a client has put in front, half of one for instance, changes
// nothing in what a proxy has appended.
func cutLast(line []byte) (before, last []byte) {
	for i := len(line) - 1; i >= 0; i-- {
		switch line[i] {
		case ',':
			return line[:i], bytes.TrimSpace(line[i+1:])
		case '"':
			i = opening(line[:i])
		}
	}
	return nil, bytes.TrimSpace(line)
}

// opening is where the quoted string begins whose end is behind s; -1 if it does
// not.
func opening(s []byte) int {
	for i := bytes.LastIndexByte(s, '"'); i >= 0; i = bytes.LastIndexByte(s[:i], '"') {
		if escapes := i - len(bytes.TrimRight(s[:i], `\`)); escapes%2 == 0 {
			return i
		}
	}
	return -1
}

// nodeOf is the address in an element of the list; the zero Addr if there is
// none.
func nodeOf(element []byte, forwarded bool) netip.Addr {
	if forwarded {
		element = parameter(element, "for")
	}
	addr, err := netip.ParseAddr(string(withoutPort(element)))
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}
	}
	return addr.Unmap()
}

// withoutPort is a node without its port, and without the brackets of IPv6.
func withoutPort(node []byte) []byte {
	if len(node) > 0 && node[0] == '[' {
		end := bytes.IndexByte(node, ']')
		return node[1:max(end, 1)]
	}
	if i := bytes.IndexByte(node, ':'); i >= 0 && i == bytes.LastIndexByte(node, ':') {
		return node[:i]
	}
	return node
}

// parameter is a parameter of an element of Forwarded (RFC 7239 4), without
// quotes; nil if it is not there, or there twice, or the element is malformed.
func parameter(element []byte, name string) (found []byte) {
	for len(element) > 0 {
		key, rest, _ := bytes.Cut(element, []byte{'='})
		value, rest, ok := cutValue(rest)
		switch {
		case !ok:
			return nil
		case !strings.EqualFold(string(bytes.TrimSpace(key)), name):
		case found != nil:
			return nil
		default:
			found = value
		}
		element = rest
	}
	return found
}

// cutValue splits off the value of a parameter, without quotes, and the
// semicolon behind it.
func cutValue(s []byte) (value, rest []byte, ok bool) {
	if len(s) == 0 || s[0] != '"' {
		value, rest, _ = bytes.Cut(s, []byte{';'})
		value = bytes.TrimSpace(value)
		return value, rest, len(value) > 0 && bytes.IndexByte(value, '"') < 0
	}
	end := 1
	for end < len(s) && s[end] != '"' {
		if s[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(s) {
		return nil, nil, false
	}
	behind, rest, _ := bytes.Cut(s[end+1:], []byte{';'})
	return s[1:end], rest, len(bytes.TrimSpace(behind)) == 0
}
