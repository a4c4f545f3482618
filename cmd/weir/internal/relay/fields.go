package relay

import (
	"iter"

	"weir"
	"weir/client"
	"weir/cmd/weir/internal/front"
	"weir/http1"
)

// fields appends the client's fields that the upstream is sent, and what the
// gateway adds (G12): not those of the client's connection, no key, and nothing
// about framing. The request's id replaces the one that the client sent. They
// point into the request, and into m.
func (g *Gateway) fields(dst []client.Field, r *weir.Request, m *made) []client.Field {
	not := http1.HopByHop
	if g.Forwarding != ForwardingPass {
		not |= http1.Forwarding
	}
	h, keys, passed, id := r.Header(), g.carriers(), false, front.ID(r)
	for name, value := range h.Views() {
		switch {
		case h.ClassOf(name)&not != 0, keys.fields.Has(name):
		case is(name, "via"):
			passed = true
		case id != "" && is(name, front.RequestID):
		default:
			dst = append(dst, client.Field{Name: name, Value: value})
		}
	}
	dst = append(dst, identity)
	m.text, m.fields = m.text[:0], m.fields[:0]
	if id != "" {
		m.text = append(m.text, id...)
		m.field(idName)
	}
	if g.Forwarding == ForwardingAdd {
		m.forwarded(r)
	}
	if !passed {
		return m.appendTo(append(dst, via))
	}
	m.list(h, "via")
	m.text = append(m.text, via.Value...)
	m.field(viaName)
	return m.appendTo(dst)
}

var (
	identity = client.Field{Name: []byte("Accept-Encoding"), Value: []byte("identity")} // events are looked at
	idName   = []byte(front.RequestID)
	via      = client.Field{Name: viaName, Value: []byte("1.1 " + pseudonym)}
)

// ownFields are those that the gateway writes itself.
var ownFields = [...]string{"host", "content-length", "expect", "accept-encoding"}

// passFields puts the upstream's fields into the response, behind the
// request's id if there is none among them (G12). Its Date is kept if it is
// valid.
func passFields(x *weir.LoopExchange, h *http1.Response, id string) {
	w := x.Response()
	w.Header().Clear()
	_ = w.SetDate(string(h.Get("Date")))
	if id != "" && h.Get(front.RequestID) == nil {
		w.Header().Set(front.RequestID, id)
	}
	for name, value := range passed(h) {
		x.AddField(name, value)
	}
}

// notPassed are the upstream's fields that a client is not sent: those of the
// upstream's connection, and which pages may read the response, since the
// gateway decides that (G12).
const notPassed = http1.HopByHop | http1.Framing | http1.CrossOrigin

// passed returns the upstream's fields that the client is sent, except Date.
// They point into the head.
func passed(h *http1.Response) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for i := range h.Len() {
			name, value := h.Field(i)
			if h.ClassOf(name)&notPassed == 0 && !yield(name, value) {
				return
			}
		}
	}
}
