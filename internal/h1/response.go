package h1

import (
	"strconv"

	"weir/chunked"
)

// This file is how a response is framed. The output is locked.

// A Framing is what the end of a response depends on.
type Framing struct {
	Status   int
	Length   int64           // of the body; negative if it is not known
	NoBody   bool            // though its length is not known
	Close    bool            // the connection is to end with the response
	Trailers []chunked.Field // those that are known
	Upgrade  string          // a protocol that the client is to use (RFC 9110 7.8); "" = none
}

// AppendFraming appends the last fields of a head and the empty line. It
// reports whether the body is to be in chunks.
func (x *Exchange) AppendFraming(dst []byte, f *Framing) (_ []byte, chunks bool) {
	old := x.request.Minor() == 0
	chunks = f.Length < 0 && !old && !noContent(f.Status)
	if f.Close || x.unread || !x.request.KeepAlive() || old && f.Length < 0 && !f.NoBody {
		x.last = true
	}
	switch {
	case chunks:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
		dst = announceTrailers(dst, f.Trailers)
	case f.Length >= 0 && f.Status != 204 && (f.Status != 304 || f.Length > 0):
		dst = append(dst, "Content-Length: "...)
		dst = append(strconv.AppendInt(dst, f.Length, 10), "\r\n"...)
	}
	if f.Upgrade != "" {
		dst = append(append(append(dst, "Connection: Upgrade\r\nUpgrade: "...), f.Upgrade...), "\r\n"...)
	}
	switch {
	case x.last:
		dst = append(dst, "Connection: close\r\n"...)
	case old:
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	return append(dst, "\r\n"...), chunks
}

// noContent reports whether a response with that status has no content (RFC
// 9110 15.3.5, 15.3.6, 15.4.5).
func noContent(status int) bool { return status == 204 || status == 205 || status == 304 }

// announceTrailers names the trailers that are known when the head is made.
func announceTrailers(dst []byte, trailers []chunked.Field) []byte {
	for i, f := range trailers {
		if i == 0 {
			dst = append(dst, "Trailer: "...)
		} else {
			dst = append(dst, ", "...)
		}
		dst = append(dst, f.Name...)
	}
	if len(trailers) > 0 {
		dst = append(dst, "\r\n"...)
	}
	return dst
}

// Pass puts next in the place of x, whose response has begun and of which
// nothing but its end is to come any more. It reports whether that was possible.
// The output is locked. On the loop.
func (c *Conn) Pass(x, next *Exchange) bool {
	if c.x != x || c.phase != phaseResponding || x.tunnel != nil || x.unread || x.received > 0 {
		return false
	}
	next.last, next.awaited = x.last, true
	next.Become(x.Stage())
	c.x = next
	return true
}

// Informs reports whether an informational response may precede this one:
// HTTP/1.0 clients do not know what that is.
func (x *Exchange) Informs() bool { return x.request.Minor() != 0 }

// Last makes the response the last of its connection.
func (x *Exchange) Last() { x.last = true }

// Awaited reports whether Completed is to be called when the response is
// complete. Otherwise the loop finds that out when it next has something to do.
func (x *Exchange) Awaited() bool { return x.last || x.awaited }

// Completed is called when a response is complete, without the lock.
func (c *Conn) Completed(onLoop bool) {
	if onLoop {
		c.Loop().Later((*settleTask)(c))
	} else {
		c.Loop().Post((*settleTask)(c))
	}
}

// settleTask is a connection as a task, so that posting it allocates nothing.
type settleTask Conn

func (t *settleTask) Run() { (*Conn)(t).settle() }
