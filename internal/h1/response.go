package h1

import (
	"strconv"

	"weir/chunked"
	"weir/http1"
)

// This file is how a response is framed. The output is locked.

// A Head is the head of a response. Fields are its fields without Date and
// those of the framing.
type Head struct {
	Status   int
	Date     string
	Fields   interface{ AppendTo(dst []byte) []byte }
	Length   int64           // of the body; negative if it is not known
	NoBody   bool            // whatever Length is
	Close    bool            // the connection is to end with the response
	Trailers []chunked.Field // those that are known
}

// Head appends h, and behind it body, as it is. It reports whether what follows
// of the body is to be in chunks.
func (c *Conn) Head(x *Exchange, h *Head, body []byte) (chunks bool) {
	b, old := c.rc.Buffer(), x.request.Minor() == 0
	chunks = h.Length < 0 && !old && !noContent(h.Status)
	if h.Close || x.unread || !x.request.KeepAlive() || old && h.Length < 0 && !h.NoBody {
		x.last = true
	}
	dst := http1.AppendStatusLine(*b, h.Status)
	dst = append(append(append(dst, "Date: "...), h.Date...), "\r\n"...)
	dst = h.Fields.AppendTo(dst)
	switch {
	case chunks:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
		dst = announceTrailers(dst, h.Trailers)
	case h.Length >= 0 && h.Status != 204 && (h.Status != 304 || h.Length > 0):
		dst = append(dst, "Content-Length: "...)
		dst = append(strconv.AppendInt(dst, h.Length, 10), "\r\n"...)
	}
	switch {
	case x.last:
		dst = append(dst, "Connection: close\r\n"...)
	case old:
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	*b = append(append(dst, "\r\n"...), body...)
	return chunks
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

// Inform appends an informational response. HTTP/1.0 clients do not know what
// that is.
func (c *Conn) Inform(x *Exchange, status int, fields interface{ AppendTo(dst []byte) []byte }) {
	if x.request.Minor() == 0 {
		return
	}
	b := c.rc.Buffer()
	*b = append(fields.AppendTo(http1.AppendStatusLine(*b, status)), "\r\n"...)
}

// Tail appends the last chunk, and the trailers, which AppendTrailers takes.
func (c *Conn) Tail(trailers []chunked.Field) {
	b := c.rc.Buffer()
	*b, _ = chunked.AppendTrailers(*b, trailers...)
}

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
