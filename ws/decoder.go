package ws

import (
	"math"

	"github.com/gobwas/ws"
)

// event is what a decoder has found.
type event uint8

const (
	nothing event = iota // more bytes are needed
	message
	ping
	pong
	closing
)

// A decoder is the state of what one peer sends: frames, and the messages that
// they are pieces of (RFC 6455 5). It does no I/O. The same one is for clients
// and servers.
//
// A frame's head and a control frame are taken whole, and wait in the caller's
// hands until they are there; what is there of a head is checked at once. The
// payload of data is taken as it comes: unmasked where it lies, checked to be
// UTF-8, and kept until the message is complete. A message that arrives in one
// piece is not copied.
type decoder struct {
	masked  bool // the peer is a client: its frames are masked
	deflate bool // compression was agreed on
	discard bool // messages are of no interest any more
	limit   int64

	// The frame whose payload arrives.
	payload bool
	fin     bool
	at      uint8 // of mask
	mask    [4]byte
	left    int64

	// The message that it is a piece of.
	kind     Kind // 0: there is none
	deflated bool
	text     text
	size     int64 // as its frames have announced it so far
	buf      []byte
}

// next takes bytes from the beginning of p and returns how many, and what they
// complete: then body is the message's payload, or the control frame's, valid
// until done is called, and p may be changed. kind and deflated are the message's
// until then. With nothing, the rest of p is to be shown again, with more behind
// it. An error is a *CloseError, and final.
func (d *decoder) next(p []byte) (n int, ev event, body []byte, err error) {
	if !d.payload {
		var h head
		n, err = h.parse(p, d.rules())
		switch {
		case n == 0 || err != nil:
			return 0, nothing, nil, err
		case h.op().IsControl():
			return controlFrame(&h, p, n)
		}
		d.begin(&h)
	}
	piece := p[n:]
	piece = piece[:min(int64(len(piece)), d.left)]
	n += len(piece)
	body, ok, err := d.take(piece)
	if ok {
		ev = message
	}
	return n, ev, body, err
}

// controlFrame returns a control frame whose head ends at n, if p has it whole.
func controlFrame(h *head, p []byte, n int) (int, event, []byte, error) {
	end := n + int(h.length)
	if len(p) < end {
		return 0, nothing, nil, nil
	}
	body := p[n:end]
	if h.masked {
		ws.Cipher(body, h.mask, 0)
	}
	switch h.op() {
	case ws.OpPing:
		return end, ping, body, nil
	case ws.OpPong:
		return end, pong, body, nil
	}
	return end, closing, body, nil
}

// rules are those for the next frame. A message that will be too big is refused
// by the head of a frame (RFC 6455 10.4).
func (d *decoder) rules() rules {
	r := rules{masked: d.masked, deflate: d.deflate, within: d.kind != 0, room: d.limit - d.size}
	if d.discard {
		r.room = math.MaxInt64
	}
	return r
}

// begin begins the payload of a data frame.
func (d *decoder) begin(h *head) {
	if op := h.op(); op != ws.OpContinuation {
		d.kind, d.deflated, d.text = Kind(op), h.first&rsv1Bit != 0, text{}
	}
	d.payload, d.fin = true, h.fin()
	d.at, d.mask, d.left = 0, h.mask, h.length
	d.size += h.length
}

// take takes a piece of a data frame's payload. It reports whether a message is
// complete, and returns it.
func (d *decoder) take(piece []byte) (body []byte, ok bool, err error) {
	d.left -= int64(len(piece))
	d.payload = d.left > 0
	whole := d.fin && !d.payload
	if d.discard {
		if d.size = 0; whole {
			d.kind = 0
		}
		return nil, false, nil
	}
	if d.masked {
		ws.Cipher(piece, d.mask, int(d.at))
		d.at = uint8((int(d.at) + len(piece)) % 4)
	}
	if d.kind == Text && !d.deflated && (!d.text.add(piece) || whole && !d.text.ended()) {
		return nil, false, errText
	}
	if whole && d.buf == nil && !d.deflated {
		return piece, true, nil
	}
	if len(piece) > 0 || d.deflated {
		d.keep(piece)
	}
	return d.buf, whole, nil
}

// keep appends a piece to the message.
func (d *decoder) keep(piece []byte) {
	room := len(piece)
	if d.buf == nil { // believe what is announced, up to what is kept for others anyway
		room = int(min(d.size, keptBuffer))
	}
	if d.deflated {
		room += len(deflateTail) // which inflating appends
	}
	room = max(room, len(piece))
	most := d.limit
	if d.fin { // the size is known
		most = d.size
	}
	d.buf = append(grow(d.buf, room, int(min(most, maxSize))+len(deflateTail)), piece...)
}

// done ends the message that next has returned.
func (d *decoder) done() {
	release(d.buf)
	d.buf = nil
	d.kind, d.size = 0, 0
}

// hand passes the message that next has returned to the caller, who releases it.
// It is copied if it lies in what next was shown.
func (d *decoder) hand(body []byte) []byte {
	if d.buf == nil {
		body = append(grow(nil, len(body), len(body)), body...)
	}
	d.buf = nil
	d.done()
	return body
}

// ignore drops what comes from now on, except control frames.
func (d *decoder) ignore() {
	d.discard = true
	release(d.buf)
	d.buf = nil
}

// held returns how many bytes wait for the rest of a message.
func (d *decoder) held() int { return cap(d.buf) }
