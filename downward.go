package weir

import (
	"crypto/tls"
	"io"
	"net"

	"weir/chunked"
	"weir/http1"
	"weir/internal/h1"
	"weir/reactor"
)

// downward is an exchange as the carrier of itself, on its HTTP/1.1 connection.
type downward exchange

func (d *downward) head(l locked, length int64, body []byte) (chunks bool) {
	ex, w, b := l.ex, l.ex.out, d.conn.Wire().Buffer()
	if !ex.stream.file {
		d.conn.Wire().Narrow()
	}
	dst := http1.AppendStatusLine(*b, w.Status())
	dst = ex.appendDate(dst)
	dst = w.header.appendTo(dst)
	dst, chunks = d.AppendFraming(dst, &h1.Framing{
		Status: w.Status(), Length: length, NoBody: length < 0 && ex.bodyless(),
		Close: w.header.close || ex.srv.isDraining(), Trailers: ex.stream.trailers, Upgrade: w.wanted,
	})
	*b = append(dst, body...)
	return chunks
}

func (d *downward) inform(_ locked, status int, h *Header) {
	if d.Informs() {
		b := d.conn.Wire().Buffer()
		*b = append(h.appendTo(http1.AppendStatusLine(*b, status)), "\r\n"...)
	}
}

func (d *downward) upgrade(l locked, protocol string) {
	d.conn.Wire().Narrow()
	b := d.conn.Wire().Buffer()
	*b = append(l.ex.res.header.appendTo(h1.AppendSwitch(*b, protocol)), "\r\n"...)
}

func (d *downward) tail(l locked) {
	if s := &l.ex.stream; s.chunks && !l.ex.bodyless() {
		b := d.conn.Wire().Buffer()
		*b, _ = chunked.AppendTrailers(*b, s.trailers...) // each was checked by SetTrailer
	}
}

func (d *downward) last(locked) { d.Last() }

// waits: of a response that was made by a handler's goroutine, and after which
// the connection stays, the loop learns when it next has something to do.
func (d *downward) waits(l locked) bool { return d.Awaited() || l.ex.stream.id != 0 }

func (d *downward) seal(locked)                    { d.conn.Leave(&d.Exchange) }
func (d *downward) completed(onLoop bool)          { d.conn.Completed(onLoop) }
func (d *downward) abort(_ *exchange, cause error) { d.conn.Abort(&d.Exchange, cause) }
func (d *downward) turn() turn                     { return d.conn.Loop() }
func (d *downward) draining() <-chan struct{}      { return d.srv.draining }
func (d *downward) scratch() []byte                { return d.shard.scratch[:0] }
func (d *downward) listenAddr() net.Addr           { return d.conn.Wire().ListenAddr() }
func (d *downward) tls() *tls.ConnectionState      { return d.conn.Wire().TLS() }

// The loopCarrier.

func (d *downward) eventLoop() *reactor.Loop   { return d.conn.Loop() }
func (d *downward) pauseBody(*exchange)        { d.conn.PauseBody(&d.Exchange) }
func (d *downward) bodyArrived(*exchange) bool { return !d.conn.Arriving(&d.Exchange) }
func (d *downward) dispatch(*exchange)         { d.conn.Serve(&d.Exchange) }

func (d *downward) receiveBody(ex *exchange) {
	if c := d.conn; ex.pipe != nil {
		return // it receives what the peer sends
	} else if !c.Arriving(&d.Exchange) {
		ex.loop.endBody(io.EOF)
	} else if c.Expecting(&d.Exchange) {
		c.Continue(&d.Exchange)
	}
}

func (d *downward) continueBody(ex *exchange) {
	c := d.conn
	c.ResumeBody(&d.Exchange)
	if c.Expecting(&d.Exchange) && ex.loop.receiver != nil {
		c.Continue(&d.Exchange)
	}
}
