package weir

import (
	"net"
	"strconv"

	"weir/chunked"
	"weir/http1"
)

// This file is a connection as the carrier of its exchange: what of a response
// is HTTP/1.1 (RFC 9112).

// head appends the head, and body behind it.
func (c *conn) head(l locked, length int64, body []byte) (chunks bool) {
	ex := l.ex
	w, r, b := ex.out, &ex.req, c.rc.Buffer()
	old := r.head.Minor() == 0
	chunks = length < 0 && !old && !noContent(w.status)
	if !r.head.KeepAlive() || w.header.close || old && length < 0 && !ex.bodyless() || c.mustClose(l) {
		ex.close = true
	}
	dst := http1.AppendStatusLine(*b, w.Status())
	dst = ex.appendDate(dst)
	dst = w.header.appendTo(dst)
	switch {
	case chunks:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
		dst = announceTrailers(dst, ex.stream.trailers)
	case length >= 0 && w.status != 204 && (w.status != 304 || length > 0):
		dst = append(dst, "Content-Length: "...)
		dst = append(strconv.AppendInt(dst, length, 10), "\r\n"...)
	}
	switch {
	case ex.close:
		dst = append(dst, "Connection: close\r\n"...)
	case old:
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	*b = append(append(dst, "\r\n"...), body...)
	return chunks
}

// mustClose reports whether the connection cannot be used after this response.
func (c *conn) mustClose(l locked) bool { return c.srv.isDraining() || l.ex.unread }

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

// tail appends the last chunk and the trailers.
func (c *conn) tail(l locked) {
	if s := &l.ex.stream; s.chunks && !l.ex.bodyless() {
		b := c.rc.Buffer()
		*b, _ = chunked.AppendTrailers(*b, s.trailers...) // each was checked by SetTrailer
	}
}

// waits: of a response that was made by a handler's goroutine, and after which
// the connection stays, the loop learns when it next has something to do.
func (c *conn) waits(l locked) bool { return l.ex.close || l.ex.awaited || l.ex.stream.id != 0 }

func (c *conn) completed(onLoop bool) {
	if onLoop {
		c.loop().Later((*settleTask)(c))
	} else {
		c.loop().Post((*settleTask)(c))
	}
}

func (c *conn) abort(ex *exchange, cause error) { c.loop().Post(&abortTask{c, ex, cause}) }
func (c *conn) turn() turn                      { return c.loop() }
func (c *conn) draining() <-chan struct{}       { return c.srv.draining }
func (c *conn) scratch() []byte                 { return c.shard.scratch[:0] }
func (c *conn) listenAddr() net.Addr            { return c.rc.ListenAddr() }
