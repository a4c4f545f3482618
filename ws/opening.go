package ws

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/client"
	"weir/http1"
	"weir/reactor"
)

// A HandshakeError is why a server's response does not open a WebSocket.
type HandshakeError struct {
	Status int    // of the response
	Reason string // what is wrong with it
	Body   []byte // of a response other than 101: at most its first KiB
}

func (e *HandshakeError) Error() string {
	return fmt.Sprintf("ws: handshake failed with status %d: %s", e.Status, e.Reason)
}

// opening is a client's opening handshake (RFC 6455 4.1): a request, and the
// Receiver of its response. After prepare it is its loop's.
type opening struct {
	set     *settings
	handler Handler
	origin  *client.Origin
	request client.Request
	key     string
	timeout time.Duration
	loop    *reactor.Loop
	release func() // of the loop, when it is not needed any more; may be nil
	done    func(*Conn, error)

	call    *client.Call
	timer   reactor.Timer // of DialOn
	over    bool          // done was called
	stopped error         // why, by stop
	refusal *HandshakeError
}

// newKey returns a key for one handshake: 16 random bytes in base64.
func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.StdEncoding.EncodeToString(b[:])
}

// deflateOffer is what a client offers: neither side's compression is to refer to
// an earlier message.
const deflateOffer = deflateName + "; " + serverNoContext + "; " + clientNoContext

// fields are those of the request, but for Connection and Upgrade.
func (o *opening) fields() []client.Field {
	list := []client.Field{client.NewField("Sec-WebSocket-Version", "13"), client.NewField("Sec-WebSocket-Key", o.key)}
	if p := o.set.Subprotocols; len(p) > 0 {
		list = append(list, client.NewField("Sec-WebSocket-Protocol", strings.Join(p, ", ")))
	}
	if o.set.Deflate {
		list = append(list, client.NewField("Sec-WebSocket-Extensions", deflateOffer))
	}
	return list
}

// reserved reports whether the field is one of the handshake's own.
func reserved(name []byte) bool {
	return http1.IsFraming(name) || http1.ClassOf(name)&http1.HopByHop != 0 || strings.EqualFold(string(name), "Host") ||
		len(name) >= len("Sec-WebSocket-") && strings.EqualFold(string(name[:len("Sec-WebSocket-")]), "Sec-WebSocket-")
}

// begin sends the request. If it returns an error, the handshake has not begun.
func (o *opening) begin() (err error) {
	o.call, err = o.origin.Do(o.loop, &o.request, o)
	return err
}

// stop ends the handshake, if it has not ended.
func (o *opening) stop(cause error) {
	if !o.over {
		o.stopped = cause
		o.call.Cancel()
	}
}

// finish reports what came of the handshake.
func (o *opening) finish(c *Conn, err error) {
	o.over = true
	o.loop.StopTimer(&o.timer)
	if c == nil && o.release != nil {
		o.release()
	}
	o.done(c, err)
}

// Head implements client.Receiver: the server responds as if it had not been
// asked.
func (o *opening) Head(h *http1.Response) {
	o.refusal = &HandshakeError{Status: h.Status(), Reason: "want 101 Switching Protocols"}
}

// longestRefusal is how much of a response's body is kept, in bytes.
const longestRefusal = 1 << 10

// Body implements client.Receiver.
func (o *opening) Body(p []byte) {
	b := &o.refusal.Body
	*b = append(*b, p[:min(len(p), longestRefusal-len(*b))]...)
	if len(*b) == longestRefusal {
		o.call.Cancel()
	}
}

// Drained implements client.Receiver.
func (o *opening) Drained() {}

// Done implements client.Receiver. A refusal is the error, whatever has ended its
// body.
func (o *opening) Done(err error) {
	switch {
	case o.refusal != nil:
		err = o.refusal
	case o.stopped != nil:
		err = o.stopped
	}
	o.finish(nil, err)
}

// Switched implements client.Switcher.
func (o *opening) Switched(h *http1.Response, rc *reactor.Conn) (reactor.Handler, error) {
	subprotocol, deflate, err := o.set.checkResponse(h, o.key)
	if err != nil {
		return nil, err
	}
	c := o.connect(rc)
	c.protocol, c.deflate, c.dec.deflate = subprotocol, deflate, deflate.on
	o.announce(&c.Conn)
	return &c.out, nil
}

// announce is finish for a connection, whose handler's panic it would be.
func (o *opening) announce(c *Conn) {
	defer c.rescue()
	o.finish(c, nil)
}

// connect makes the connection.
func (o *opening) connect(rc *reactor.Conn) *clientConn {
	c := &clientConn{out: outward{rc: rc, over: make(chan struct{}), release: o.release}}
	o.release = nil
	c.out.conn, c.link, c.set, c.handler = &c.Conn, &c.out, o.set, o.handler
	switch {
	case o.handler == nil:
		c.mode, c.queue.ready = reading, make(chan struct{}, 1)
	case !o.set.Inline:
		c.mode = working
	}
	c.remote = rc.RemoteAddr()
	c.dec.limit = o.set.MaxMessage
	o.set.Stats.open.Add(1)
	o.set.Stats.total.Add(1)
	c.startChores()
	return c
}

var _ client.Switcher = (*opening)(nil)

// checkResponse checks the head of a 101 response against what was offered, and returns
// what was agreed on.
func (s *settings) checkResponse(h *http1.Response, key string) (subprotocol string, t terms, err error) {
	bad := func(format string, args ...any) (string, terms, error) {
		return "", terms{}, &HandshakeError{Status: h.Status(), Reason: fmt.Sprintf(format, args...)}
	}
	accept := h.Get("Sec-WebSocket-Accept")
	chosen := values(h, "Sec-WebSocket-Protocol")
	extensions := values(h, "Sec-WebSocket-Extensions")
	switch {
	case !strings.EqualFold(string(h.Get("Upgrade")), "websocket") || h.Count("Upgrade") != 1:
		return bad("want Upgrade: websocket, got %q", values(h, "Upgrade"))
	case !h.HasToken("Connection", "upgrade"):
		return bad("want Connection: Upgrade, got %q", values(h, "Connection"))
	case h.Count("Sec-WebSocket-Accept") != 1 || string(accept) != acceptKey(key):
		return bad("Sec-WebSocket-Accept %q does not belong to the request", accept)
	case len(chosen) > 1 || len(chosen) == 1 && !slices.Contains(s.Subprotocols, chosen[0]):
		return bad("the server has chosen the subprotocols %q, which were not offered", chosen)
	case len(chosen) == 1:
		subprotocol = chosen[0]
	}
	list, err := parseExtensions(extensions)
	switch {
	case err != nil:
		return bad("malformed Sec-WebSocket-Extensions %q", extensions)
	case len(list) == 0:
		return subprotocol, terms{}, nil
	case len(list) > 1 || list[0].name != deflateName || !s.Deflate:
		return bad("the server has chosen the extensions %q, which were not offered", extensions)
	case !list[0].fulfils():
		return bad("the server does not compress as it was offered, but by %q", extensions)
	}
	return subprotocol, terms{on: true, window: maxWindow}, nil
}

// fulfils checks the parameters of the server's permessage-deflate (RFC 7692
// 7.1). It must not refer to earlier messages, since this side keeps none, and
// must not limit the client's window, which was not offered. It may limit its
// own.
func (e *extension) fulfils() bool {
	seen := map[string]bool{}
	for _, p := range e.params {
		_, valid := p.bits()
		switch {
		case seen[p.name]:
			return false
		case (p.name == serverNoContext || p.name == clientNoContext) && !p.has:
		case p.name == serverWindow && valid:
		default:
			return false
		}
		seen[p.name] = true
	}
	return seen[serverNoContext]
}

// values returns the values of the fields with that name.
func values(h *http1.Response, name string) (list []string) {
	for i := range h.Len() {
		if n, v := h.Field(i); strings.EqualFold(string(n), name) {
			list = append(list, string(v))
		}
	}
	return list
}
