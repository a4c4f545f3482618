package mock

import (
	"slices"
	"strconv"
	"unicode/utf8"

	"weir/chunked"
	"weir/http1"
)

// fate is how a response ended.
type fate uint8

const (
	fateDisconnected fate = iota // the client disconnected
	fateEnded                    // the plan was to end it so
	fateWhole                    // it was written to its end
)

// garbage is what garbage-head sends.
const garbage = "\x16\x03\x01 this is not HTTP\r\n\r\n"

// badSize is the line that bad-chunk-size sends.
const badSize = "5g\r\n"

// player sends one response by the plan.
type player struct {
	c    *conn
	in   *incoming
	p    *plan
	a    answer
	how  framing // never auto
	keep bool    // the connection stays open
	raw  []byte  // scratch: an event
	out  []byte  // scratch: an event as it is sent
}

func newPlayer(c *conn, in *incoming, p *plan, a answer) *player {
	pl := &player{c: c, in: in, p: p, a: a, how: p.framing}
	if pl.how == framingAuto {
		pl.how = framingLength
		if a.stream != nil || p.bytePerChunk || p.head == headBoth {
			pl.how = framingChunked
		}
	}
	if in.minor == 0 && pl.how == framingChunked { // HTTP/1.0 does not know chunks
		pl.how = framingClose
	}
	pl.keep = in.keep && pl.how != framingClose
	return pl
}

// play sends the response.
func (pl *player) play() fate {
	p := pl.p
	if p.hints && !pl.c.write([]byte("HTTP/1.1 103 Early Hints\r\nLink: </hint>; rel=preload\r\n\r\n")) {
		return fateDisconnected
	}
	wait := p.slowHead
	if pl.a.stream == nil && !p.slowFirst {
		wait += p.ttft // a whole response takes that long to be made
	}
	if !pl.c.pause(wait) || p.holdHead && !pl.c.hold() {
		return fateDisconnected
	}
	switch p.head {
	case headReset, headClose, headGarbage:
		return pl.wrongHead()
	}
	pl.c.srv.seen.update(func(*Counts) { pl.in.Status = pl.a.status })
	return pl.playBody()
}

func (pl *player) wrongHead() fate {
	if pl.p.head == headReset {
		pl.lastBytes()
		pl.c.reset()
		return fateEnded
	}
	if pl.p.head == headGarbage && !pl.c.write([]byte(garbage)) {
		return fateDisconnected
	}
	pl.lastBytes()
	pl.c.finish(false)
	return fateEnded
}

// playBody sends the head and the body.
func (pl *player) playBody() fate {
	pl.out = pl.appendHead(pl.out)
	if pl.bodiless() {
		return pl.playParts(nil)
	}
	if pl.a.stream == nil && !pl.p.slowFirst {
		pl.p.ttft = 0 // it was waited for ahead of the head
	}
	whole := pl.p.end == endWhole && pl.p.holdEvent == 0
	if pl.a.stream == nil && whole && pl.p.ttft == 0 {
		return pl.playParts([][]byte{pl.a.body}) // in one write with the head, as a server's are
	}
	if !pl.writeOut() {
		return fateDisconnected
	}
	switch {
	case pl.a.stream != nil:
		return pl.playStream()
	case !whole:
		return pl.playParts(Pieces(pl.a.body))
	}
	return pl.playParts([][]byte{pl.a.body})
}

// bodiless reports whether the status leaves no room for a body.
func (pl *player) bodiless() bool { return pl.a.status == 204 || pl.a.status == 304 }

func (pl *player) playStream() fate { return pl.playEvents(newSpeech(*pl.a.stream)) }

func (pl *player) playParts(list [][]byte) fate { return pl.playEvents((*parts)(&list)) }

// events are what a body consists of, one by one.
type events interface {
	more() bool
	appendNext(dst []byte) []byte
}

// parts are the events of a body that was made whole.
type parts [][]byte

func (p *parts) more() bool { return len(*p) > 0 }

func (p *parts) appendNext(dst []byte) []byte {
	dst = append(dst, (*p)[0]...)
	*p = (*p)[1:]
	return dst
}

// playEvents sends the events and what ends the body.
func (pl *player) playEvents(of events) fate {
	wait, sent := pl.p.ttft, 0
	for ; of.more(); sent++ {
		if !pl.c.pause(wait) || sent+1 == pl.p.holdEvent && !pl.c.hold() {
			return fateDisconnected
		}
		wait = pl.p.pace
		pl.raw = of.appendNext(pl.raw[:0])
		if pl.p.end != endWhole && sent == pl.p.endAfter {
			return pl.endEarly(pl.raw)
		}
		if !of.more() && pl.how == framingLength {
			pl.lastBytes()
		}
		if !pl.send(pl.raw) {
			return fateDisconnected
		}
		pl.c.srv.seen.event(pl.in.request)
	}
	if pl.p.end != endWhole && pl.p.endAfter == sent {
		return pl.endEarly(nil)
	}
	return pl.endBody()
}

// endBody sends what ends a whole body.
func (pl *player) endBody() fate {
	pl.lastBytes()
	if pl.how == framingChunked && !pl.bodiless() {
		pl.out = chunked.AppendEnd(pl.out)
	}
	if !pl.writeOut() {
		return fateDisconnected
	}
	if !pl.keep {
		pl.c.finish(true)
	}
	return fateWhole
}

// endEarly does what the plan has instead of the next event.
func (pl *player) endEarly(next []byte) fate {
	switch pl.p.end {
	case endStall:
		<-pl.c.disconnected
		return fateDisconnected
	case endReset:
		pl.lastBytes()
		pl.c.reset()
		return fateEnded
	case endInside:
		if !pl.c.write(pl.firstHalf(next)) {
			return fateDisconnected
		}
	case endBadSize:
		if !pl.c.write([]byte(badSize)) {
			return fateDisconnected
		}
	}
	pl.lastBytes()
	pl.c.finish(false)
	return fateEnded
}

// firstHalf is half an event, behind the size of the whole of it.
func (pl *player) firstHalf(event []byte) []byte {
	var out []byte
	if pl.how == framingChunked {
		out = chunked.AppendSize(out, len(event))
	}
	return append(out, event[:len(event)/2]...)
}

// lastBytes notes that a client that disconnects now does so after the
// response.
func (pl *player) lastBytes() {
	pl.c.srv.seen.update(func(*Counts) { pl.in.last = true })
}

// send writes an event by the plan, and reports whether the client took it.
func (pl *player) send(event []byte) bool {
	for i, piece := range pl.cut(event) {
		if i > 0 && !pl.c.pause(pl.p.gap) {
			return false
		}
		pl.out = pl.appendFramed(pl.out, piece)
		if !pl.writeOut() {
			return false
		}
	}
	return true
}

// cut divides an event where writes of their own are to begin.
func (pl *player) cut(event []byte) [][]byte {
	offsets := pl.p.splits
	if pl.p.body.Wide {
		offsets = slices.Clone(offsets)
		for i, b := range event {
			if b >= utf8.RuneSelf && utf8.RuneStart(b) {
				offsets = append(offsets, i+1)
			}
		}
		slices.Sort(offsets)
	}
	var out [][]byte
	from := 0
	for _, at := range offsets {
		if at > from && at < len(event) {
			out = append(out, event[from:at])
			from = at
		}
	}
	return append(out, event[from:])
}

func (pl *player) appendFramed(dst, piece []byte) []byte {
	switch {
	case pl.how != framingChunked:
		return append(dst, piece...)
	case !pl.p.bytePerChunk:
		return chunked.AppendChunk(dst, piece)
	}
	for i := range piece {
		dst = chunked.AppendChunk(dst, piece[i:i+1])
	}
	return dst
}

// writeOut writes what is in out and empties it.
func (pl *player) writeOut() bool {
	out, step := pl.out, len(pl.out)
	if pl.p.bytePerWrite {
		step = 1
	}
	for len(out) > 0 {
		if !pl.c.write(out[:step]) {
			return false
		}
		out = out[step:]
	}
	pl.out = pl.out[:0]
	return true
}

// appendHead appends the head.
func (pl *player) appendHead(dst []byte) []byte {
	dst = http1.AppendStatusLine(dst, pl.a.status)
	dst = http1.AppendField(dst, "Date", date)
	dst = http1.AppendField(dst, "Server", "weir-mock")
	for _, f := range pl.a.fields {
		dst = http1.AppendField(dst, f.Name, f.Value)
	}
	for _, f := range pl.p.fields {
		dst = http1.AppendField(dst, f.Name, f.Value)
	}
	if pl.in.BodyLength >= 0 {
		dst = http1.AppendField(dst, "X-Mock-Body-Length", strconv.FormatInt(pl.in.BodyLength, 10))
		dst = http1.AppendField(dst, "X-Mock-Body-Sha256", pl.in.BodySHA256)
	}
	return append(pl.appendFraming(dst), "\r\n"...)
}

func (pl *player) appendFraming(dst []byte) []byte {
	hasBody := !pl.bodiless()
	if hasBody && (pl.how == framingLength || pl.p.head == headBoth) {
		dst = http1.AppendField(dst, "Content-Length", strconv.Itoa(pl.length()))
	}
	if hasBody && pl.how == framingChunked {
		dst = http1.AppendField(dst, "Transfer-Encoding", "chunked")
	}
	switch {
	case !pl.keep:
		dst = http1.AppendField(dst, "Connection", "close")
	case pl.in.minor == 0:
		dst = http1.AppendField(dst, "Connection", "keep-alive")
	}
	return dst
}

// length is the body's.
func (pl *player) length() int {
	if pl.a.stream == nil {
		return len(pl.a.body)
	}
	n := 0
	for s := newSpeech(*pl.a.stream); s.more(); {
		pl.raw = s.appendNext(pl.raw[:0])
		n += len(pl.raw)
	}
	return n
}
