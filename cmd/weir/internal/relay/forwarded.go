package relay

import (
	"bytes"
	"net/netip"

	"weir"
	"weir/client"
	"weir/http1"
)

// Forwarding is what happens to fields such as X-Forwarded-For and Forwarded,
// in which a proxy names its client.
type Forwarding uint8

const (
	ForwardingDrop Forwarding = iota // no upstream is sent any
	ForwardingPass                   // as they came
	ForwardingAdd                    // the client that is connected here is added, in fields that are lists
)

// maxHops is how many gateways called weir a request may have come through. One
// that has come through more is in a loop.
const maxHops = 8

const pseudonym = "weir" // in Via (RFC 9110 7.6.3)

// loops reports whether a request has come through so many weirs that it must
// be in a loop.
func loops(r *weir.Request) bool {
	if r.Header().View("Via") == nil {
		return false
	}
	hops := 0
	for name, value := range r.Header().Views() {
		if !is(name, "via") {
			continue
		}
		for element := range http1.Elements(value) {
			if by := bytes.Fields(element); len(by) > 1 && string(by[1]) == pseudonym {
				hops++
			}
		}
	}
	return hops >= maxHops
}

func is(name []byte, lower string) bool {
	return len(name) == len(lower) && bytes.EqualFold(name, []byte(lower))
}

// made has room for the fields that depend on the request.
type made struct {
	text   []byte
	fields []madeField
}

// madeField is a field of made whose value ends there in text, and begins where
// the one before ends.
type madeField struct {
	name []byte
	end  int
}

var (
	viaName        = []byte("Via")
	forwardedName  = []byte("Forwarded")
	forwardedFor   = []byte("X-Forwarded-For")
	forwardedHost  = []byte("X-Forwarded-Host")
	forwardedProto = []byte("X-Forwarded-Proto")
)

// field ends a field's value.
func (m *made) field(name []byte) { m.fields = append(m.fields, madeField{name, len(m.text)}) }

// appendTo appends the fields, once all are made: they point into text.
func (m *made) appendTo(dst []client.Field) []client.Field {
	from := 0
	for _, f := range m.fields {
		dst = append(dst, client.Field{Name: f.name, Value: m.text[from:f.end]})
		from = f.end
	}
	return dst
}

// list appends the elements that the request has in a field, over all its
// lines, and what must precede one more.
func (m *made) list(h *weir.Header, lower string) {
	for name, value := range h.Views() {
		if is(name, lower) && len(value) > 0 && h.ClassOf(name)&http1.HopByHop == 0 {
			m.text = append(append(m.text, value...), ", "...)
		}
	}
}

// forwarded makes the fields that name the gateway's client. The last element
// of a list is the gateway's own; fields that are not lists are replaced.
func (m *made) forwarded(r *weir.Request) {
	client := r.RemoteAddr().Addr().Unmap()
	if client.IsValid() {
		m.list(r.Header(), "x-forwarded-for")
		m.text = client.AppendTo(m.text)
		m.field(forwardedFor)
	}
	if host := r.HostBytes(); len(host) > 0 {
		m.text = append(m.text, host...)
		m.field(forwardedHost)
	}
	m.text = append(m.text, "http"...)
	m.field(forwardedProto)
	m.list(r.Header(), "forwarded")
	m.text = appendNode(append(m.text, "for="...), client)
	if host := r.HostBytes(); len(host) > 0 {
		m.text = append(append(append(m.text, `;host="`...), host...), '"') // of octets that need no escape
	}
	m.text = append(m.text, ";proto=http"...)
	m.field(forwardedName)
}

// appendNode appends an address as Forwarded wants it (RFC 7239 6).
func appendNode(dst []byte, addr netip.Addr) []byte {
	switch {
	case !addr.IsValid():
		return append(dst, "unknown"...) // a unix socket
	case addr.Is6():
		return append(addr.AppendTo(append(dst, `"[`...)), `]"`...)
	}
	return addr.AppendTo(dst)
}
