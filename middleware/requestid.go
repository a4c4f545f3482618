package middleware

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"

	"weir"
)

// RequestIDs gives each request an id, by which it is found again in logs, and
// sends it back. [ID] returns it, and lines of [AccessLog] have it.
type RequestIDs struct {
	// Field has the id, in requests and responses: X-Request-Id by default.
	Field string
	// Prefix begins the ids that are made here.
	Prefix string
	// Proxies are the peers whose requests keep the id that they have, if that
	// is one: visible ASCII, at most 128 bytes. All others get a new one, since
	// a client could give a request of its own the id of another's.
	Proxies Peers
}

// requestID has the id by which a request is known here.
var requestID = weir.NewKey[string]("request id")

// ID returns the request's id; "" if it has none.
func ID(r *weir.Request) string {
	id, _ := requestID.Get(r)
	return id
}

// Middleware returns the middleware. It panics if Field or Prefix cannot be in
// a head.
func (c RequestIDs) Middleware() weir.Middleware {
	if new(weir.Header).TrySet(c.field(), c.Prefix) != nil || c.Prefix != "" && !usableID(c.Prefix) {
		panic("middleware: RequestIDs: want a Field that is a token, and a Prefix of visible ASCII")
	}
	return func(next weir.Handler) weir.Handler {
		return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
			c.Identify(w, r)
			next.Serve(w, r)
		})
	}
}

// Identify gives the request an id, unless it has one, and sets it in the
// response. The middleware calls it; a Server's OnHeaders or OnError may, too,
// for responses that middleware does not see.
func (c *RequestIDs) Identify(w *weir.Response, r *weir.Request) (id string) {
	if id = ID(r); id == "" {
		if id = c.given(r); id == "" {
			id = newID(c.Prefix)
		}
		requestID.Set(r, id)
		if e, ok := logged.Get(r); ok {
			noted := id
			e.id.Store(&noted)
		}
	}
	w.Header().Set(c.field(), id)
	return id
}

// given is the id that a trusted peer has given the request.
func (c *RequestIDs) given(r *weir.Request) string {
	if !c.Proxies.Has(r.RemoteAddr().Addr()) {
		return ""
	}
	if id := r.Header().Get(c.field()); usableID(id) {
		return id
	}
	return ""
}

func (c *RequestIDs) field() string {
	if c.Field == "" {
		return "X-Request-Id"
	}
	return c.Field
}

// usableID reports whether an id is visible ASCII of a length that a log can
// bear.
func usableID(id string) bool {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return 0 < len(id) && len(id) <= 128
}

func newID(prefix string) string {
	var store [64]byte
	var random [16]byte
	binary.NativeEndian.PutUint64(random[:], rand.Uint64())
	binary.NativeEndian.PutUint64(random[8:], rand.Uint64())
	return string(hex.AppendEncode(append(store[:0], prefix...), random[:]))
}
