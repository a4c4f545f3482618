package relay

import (
	"iter"
	"strings"

	"weir"
	"weir/cmd/weir/internal/upstream"
	"weir/http1"
)

// G12: fields that belong to one connection and are never passed on, either
// way, beside those that Connection names (RFC 9110 7.6.1).
func hopByHop(name string) bool {
	for _, own := range hopFields {
		if strings.EqualFold(name, own) {
			return true
		}
	}
	return false
}

var hopFields = [...]string{
	"connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization",
	"te", "trailer", "transfer-encoding", "upgrade",
}

// requestFields are the client's fields that the upstream is sent: not those of
// the client's connection, not its key, not what describes the framing.
func requestFields(r *weir.Request) []upstream.Field {
	named := r.Header().Get("Connection")
	fields := make([]upstream.Field, 0, r.Header().Len()+1)
	for name, value := range r.Header().All() {
		switch {
		case hopByHop(name), named != "" && http1.HasToken([]byte(named), name):
		case strings.EqualFold(name, "Host"), strings.EqualFold(name, "Content-Length"),
			strings.EqualFold(name, "Expect"), strings.EqualFold(name, "Accept-Encoding"),
			strings.EqualFold(name, "Authorization"), strings.EqualFold(name, "X-Api-Key"), strings.EqualFold(name, "Api-Key"):
		default:
			fields = append(fields, upstream.Field{Name: name, Value: value})
		}
	}
	return append(fields, upstream.Field{Name: "Accept-Encoding", Value: "identity"}) // events are looked at
}

// answerFields puts the upstream's fields into the answer. Its Date stays, but
// for one that is none: then it is ours.
func answerFields(w *weir.Response, h *http1.Response) {
	dst := w.Header()
	dst.Clear()
	_ = w.SetDate(string(h.Get("Date")))
	for name, value := range passed(h) {
		_ = dst.Add(name, value) // parsed strictly: there is nothing to refuse
	}
}

// passed are the upstream's fields that the client is sent, Date aside.
func passed(h *http1.Response) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		named := h.Get("Connection")
		for i := range h.Len() {
			n, v := h.Field(i)
			name := string(n)
			if hopByHop(name) || len(named) > 0 && http1.HasToken(named, name) || http1.IsFraming(name) {
				continue
			}
			if !yield(name, string(v)) {
				return
			}
		}
	}
}
