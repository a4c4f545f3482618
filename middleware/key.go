package middleware

import (
	"encoding/binary"

	"weir"
)

// A Key appends to dst what a [RateLimit] counts a request by, and returns it:
// equal bytes are one client. If it appends nothing, the request is counted by
// its address. It must not block.
type Key func(dst []byte, r *weir.Request) []byte

// ByAddr counts by the client's address, as c finds it; c may be nil. Addresses
// of IPv6 count by their first 64 bits, which is what one client is given.
func ByAddr(c *Clients) Key {
	return func(dst []byte, r *weir.Request) []byte {
		addr := c.Addr(r)
		dst = append(dst, 'a')
		switch {
		case !addr.IsValid(): // all clients of a unix socket together
		case addr.Is4():
			b := addr.As4()
			dst = append(dst, b[:]...)
		default:
			b := addr.As16()
			dst = append(dst, b[:8]...)
		}
		return dst
	}
}

// ByRoute counts by the pattern of the route.
func ByRoute(dst []byte, r *weir.Request) []byte { return append(append(dst, 'r'), r.Pattern()...) }

// ByField counts by the value of a field, such as Authorization, of the requests
// that have it. Anybody can make values up, and has a limit of its own for each:
// use it behind what checks the value, or together with a limit by address.
func ByField(name string) Key {
	return func(dst []byte, r *weir.Request) []byte {
		if v := r.Header().View(name); v != nil {
			dst = append(append(dst, 'f'), v...)
		}
		return dst
	}
}

// ByValue counts by a value of the request, such as the user that middleware has
// found out. Requests without one count by their address.
func ByValue(k *weir.Key[string]) Key {
	return func(dst []byte, r *weir.Request) []byte {
		if v, ok := k.Get(r); ok {
			dst = append(append(dst, 'v'), v...)
		}
		return dst
	}
}

// ByAll counts by several keys together: ByAll(ByRoute, ByAddr(nil)) gives each
// client a limit for each route. A request for which one of them appends nothing
// is counted by its address.
func ByAll(keys ...Key) Key {
	return func(dst []byte, r *weir.Request) []byte {
		begin := len(dst)
		for _, key := range keys {
			from := len(dst) + 4
			dst = key(append(dst, 0, 0, 0, 0), r)
			if len(dst) == from {
				return dst[:begin]
			}
			binary.BigEndian.PutUint32(dst[from-4:], uint32(len(dst)-from)) // so that no two lists of keys are the same bytes
		}
		return dst
	}
}
