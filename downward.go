package weir

import (
	"crypto/tls"
	"io"
	"net"

	"weir/internal/h1"
	"weir/reactor"
)

// downward is an exchange as the carrier of itself, on its HTTP/1.1 connection.
type downward exchange

func (d *downward) head(l locked, length int64, body []byte) (chunks bool) {
	ex, w := l.ex, l.ex.out
	h := h1.Head{
		Status: w.Status(), Date: ex.date(), Fields: (*fieldLines)(&w.header),
		Length: length, NoBody: ex.bodyless(), Trailers: ex.stream.trailers,
		Close: w.header.close || ex.srv.isDraining(),
	}
	return d.conn.Head(&d.Exchange, &h, body)
}

func (d *downward) inform(_ locked, status int, h *Header) {
	d.conn.Inform(&d.Exchange, status, (*fieldLines)(h))
}

func (d *downward) upgrade(l locked, protocol string) {
	d.conn.SwitchHead(protocol, (*fieldLines)(&l.ex.res.header))
}

func (d *downward) tail(l locked) {
	if s := &l.ex.stream; s.chunks && !l.ex.bodyless() {
		d.conn.Tail(s.trailers) // each was checked by SetTrailer
	}
}

func (d *downward) last(locked) { d.Last() }

// waits: of a response that was made by a handler's goroutine, and after which
// the connection stays, the loop learns when it next has something to do.
func (d *downward) waits(l locked) bool { return d.Awaited() || l.ex.stream.id != 0 }

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

// fieldLines is a Header as lines of a head.
type fieldLines Header

// AppendTo appends the lines.
func (h *fieldLines) AppendTo(dst []byte) []byte { return (*Header)(h).appendTo(dst) }
