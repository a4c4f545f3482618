package relay

import (
	"iter"
	"strings"

	"weir"
	"weir/cmd/weir/internal/front"
	"weir/cmd/weir/internal/upstream"
	"weir/http1"
)

// G12: fields that belong to one connection and are never passed on, either
// way, beside those that Connection names (RFC 9110 7.6.1).
func hopByHop(name []byte) bool { return isAny(name, hopFields[:]) }

// isAny reports whether name, in any case, is one of the names.
func isAny(name []byte, names []string) bool {
	for _, other := range names {
		if len(name) == len(other) && strings.EqualFold(string(name), other) {
			return true
		}
	}
	return false
}

var hopFields = [...]string{
	"connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization",
	"te", "trailer", "transfer-encoding", "upgrade",
}

// appendFields appends the client's fields that the upstream is sent: not those
// of the client's connection, not its key, not what describes the framing. They
// are views.
func appendFields(dst []upstream.View, r *weir.Request) []upstream.View {
	named := r.Header().View("Connection")
	for name, value := range r.Header().Views() {
		switch {
		case hopByHop(name), named != nil && http1.HasToken(named, string(name)), isAny(name, ownFields[:]):
		default:
			dst = append(dst, upstream.View{Name: name, Value: value})
		}
	}
	return append(dst, identity)
}

// identity asks for no compression: events are looked at.
var identity = upstream.View{Name: []byte("Accept-Encoding"), Value: []byte("identity")}

// ownFields are those that the gateway writes itself, or keeps to itself.
var ownFields = [...]string{"host", "content-length", "expect", "accept-encoding", "authorization", "x-api-key", "api-key"}

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

// passed are the upstream's fields that the client is sent, Date aside: views.
func passed(h *http1.Response) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		named := h.Get("Connection")
		for i := range h.Len() {
			name, value := h.Field(i)
			if hopByHop(name) || len(named) > 0 && http1.HasToken(named, string(name)) || http1.IsFraming(string(name)) {
				continue
			}
			if !yield(name, value) {
				return
			}
		}
	}
}
