package relay

import (
	"iter"

	"weir"
	"weir/cmd/weir/internal/front"
	"weir/cmd/weir/internal/upstream"
	"weir/http1"
)

// appendFields appends the client's fields that the upstream is sent: not those
// of the client's connection (G12), not its key, not what describes the framing.
// They are views.
func appendFields(dst []upstream.View, r *weir.Request) []upstream.View {
	h := r.Header()
	for name, value := range h.Views() {
		if h.ClassOf(name)&http1.HopByHop == 0 && !ownFields.Has(name) {
			dst = append(dst, upstream.View{Name: name, Value: value})
		}
	}
	return append(dst, identity)
}

// identity asks for no compression: events are looked at.
var identity = upstream.View{Name: []byte("Accept-Encoding"), Value: []byte("identity")}

// ownFields are those that the gateway writes itself, or keeps to itself.
var ownFields = http1.NewFieldSet("host", "content-length", "expect", "accept-encoding", "authorization", "x-api-key", "api-key")

// answerFields puts the upstream's fields into the answer, behind the request's
// id if there is none among them (G12). Its Date stays, but for one that is
// none: then it is ours.
func answerFields(w *weir.Response, h *http1.Response, id string) {
	dst := w.Header()
	dst.Clear()
	_ = w.SetDate(string(h.Get("Date")))
	if id != "" && h.Get(front.RequestID) == nil {
		front.SetField(w, front.RequestID, id)
	}
	for name, value := range passed(h) {
		_ = dst.AddBytes(name, value) // parsed strictly: there is nothing to refuse
	}
}

// notPassed is what of the upstream's fields a client is not sent: what belongs
// to the upstream's connection, and which pages may read the answer, for that is
// the gateway's to say (G12).
const notPassed = http1.HopByHop | http1.Framing | http1.CrossOrigin

// passed are the upstream's fields that the client is sent, Date aside: views.
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
