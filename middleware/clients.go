package middleware

import (
	"bytes"
	"net/netip"
	"strings"

	"weir"
	"weir/http1"
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
// client's own invention. Where an element is not an address, the proxy that
// has written it is the last that is known. The zero Addr is a client on a unix
// socket.
func (c *Clients) Addr(r *weir.Request) netip.Addr {
	peer := r.RemoteAddr().Addr().Unmap()
	if c == nil || !c.Proxies.Has(peer) {
		return peer
	}
	field := c.field()
	forwarded := strings.EqualFold(field, "Forwarded")
	var found netip.Addr // from the left: the last one that is not a proxy, or the first proxy behind it
	for name, value := range r.Header().Views() {
		if len(name) != len(field) || !bytes.EqualFold(name, []byte(field)) {
			continue
		}
		for element := range http1.Elements(value) {
			switch addr := nodeOf(element, forwarded); {
			case !addr.IsValid():
				found = netip.Addr{}
			case !found.IsValid(), !c.Proxies.Has(addr):
				found = addr
			}
		}
	}
	if found.IsValid() {
		return found
	}
	return peer
}

// Name is the client as a log names it: see [ClientName]. One that a proxy has
// named has no port.
func (c *Clients) Name(r *weir.Request) string {
	if addr := c.Addr(r); addr != r.RemoteAddr().Addr().Unmap() {
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

// Secure reports whether the client sent the request by TLS: to this server, or
// to one of Proxies, as that says in X-Forwarded-Proto, or in Forwarded where
// that is the Field.
func (c *Clients) Secure(r *weir.Request) bool {
	if r.TLS() != nil {
		return true
	}
	if c == nil || !c.Proxies.Has(r.RemoteAddr().Addr()) {
		return false
	}
	field, forwarded := "X-Forwarded-Proto", strings.EqualFold(c.field(), "Forwarded")
	if forwarded {
		field = "Forwarded"
	}
	values := r.Header().Values(field)
	if len(values) == 0 {
		return false
	}
	var last []byte // the nearest proxy's
	for element := range http1.Elements([]byte(values[len(values)-1])) {
		last = element
	}
	if forwarded {
		last = parameter(last, "proto")
	}
	return strings.EqualFold(string(last), "https")
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

// parameter is a parameter of an element of Forwarded, without quotes; nil if
// it is not there, or there twice.
func parameter(element []byte, name string) (found []byte) {
	for pair := range bytes.SplitSeq(element, []byte{';'}) {
		key, value, _ := bytes.Cut(bytes.TrimSpace(pair), []byte{'='})
		if !strings.EqualFold(string(key), name) {
			continue
		}
		if found != nil {
			return nil
		}
		if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
			value = value[1 : n-1]
		}
		found = value
	}
	return found
}
