package dialect

import "bytes"

// A Reader reads the body of one response as it passes, in pieces cut anywhere,
// and judges each of its events. Call Reset first, and then Next for each
// piece. A Reader is not safe for concurrent use.
type Reader struct {
	judge    Judge
	endpoint *Endpoint
	line     field
	begun    bool // the first line has ended
	space    bool // a space that comes now is not a part of the field's value
	skipLF   bool // the last line ended in CR at the end of a piece: an LF belongs to it
	whole    bool // the last Next ended an event
	open     bool // bytes of an unfinished event have passed
	data     bool // the event has data
	ids      bool // an event had an id (G22)
	ended    bool
	failed   bool
	headLen  uint8
	head     [8]byte // of a line, until its field is known
	length   int     // of the line, so far
	longest  int     // line of the event
	last     repeat
	name     []byte // of the event field
	scan     scanner
}

// field is what the current line is.
type field uint8

const (
	fieldUnknown field = iota // as yet
	fieldData
	fieldEvent
	fieldOther
)

// Reset prepares the reader for a response to a request of e, and forgets the
// last one.
func (r *Reader) Reset(e *Endpoint) {
	if r.endpoint != e {
		r.judge = e.newJudge()
	}
	r.judge.Reset()
	*r = Reader{
		judge: r.judge, endpoint: e, name: r.name[:0], scan: scanner{text: r.scan.text},
		last: repeat{event: r.last.event[:0]},
	}
	r.scan.start(r.judge.Members())
}

// Next looks at p, the next bytes of the response. n is the number of bytes to
// the end of the current event, and the verdict has Whole, or n is len(p) and
// the event continues. After an event that has ended, call it again with p[n:].
//
// Everything up to an empty line, or to the end of a line, is an event here; one
// that a client would not dispatch has nothing but Whole. An event that ends in
// CR is complete there, and the LF of a CRLF may come with the bytes behind it.
func (r *Reader) Next(p []byte) (n int, v Verdict) {
	if r.whole {
		r.whole, r.longest = false, 0
	}
	begins := !r.open && !r.skipLF
	if begins && len(r.last.event) > 0 {
		if n, filled := r.last.match(p); n > 0 {
			r.whole, r.longest = true, r.last.around+filled
			return n, again
		}
	}
	if r.endpoint.Framing == Lines {
		n, v = r.nextLine(p)
	} else {
		n, v = r.nextEvent(p)
	}
	if begins && v == again && r.scan.free != nil {
		r.last.learn(p[:n], r.scan.free, &r.scan.skipped, r.longest)
	}
	r.scan.forget()
	return n, v
}

// again is the verdict of most events.
const again = Whole | Data | Substance

// nextEvent is Next where events end with an empty line.
func (r *Reader) nextEvent(p []byte) (n int, v Verdict) {
	if r.skipLF && len(p) > 0 {
		if r.skipLF = false; p[0] == '\n' {
			n = 1
		}
	}
	for n < len(p) {
		end := lineEnd(p[n:])
		if end < 0 {
			r.part(p[n:])
			r.open = true
			return len(p), 0
		}
		r.part(p[n : n+end])
		n += end + 1
		if p[n-1] == '\r' {
			if r.skipLF = n == len(p); !r.skipLF && p[n] == '\n' {
				n++
			}
		}
		if r.endLine() {
			return n, r.event()
		}
		r.open = true
	}
	return n, 0
}

// nextLine is Next where each line is an event.
func (r *Reader) nextLine(p []byte) (n int, v Verdict) {
	end := bytes.IndexByte(p, '\n')
	n = end + 1
	if end < 0 {
		end, n = len(p), len(p)
	}
	r.length += end
	r.longest = max(r.longest, r.length)
	r.scan.feed(p[:end], r.judge)
	r.data = r.scan.state != scanBegin
	if n == end {
		r.open = r.open || n > 0
		return n, 0
	}
	r.length = 0
	return n, r.event()
}

// Withhold is called before AppendFault if the client was not sent the beginning
// of the unfinished event.
func (r *Reader) Withhold() { r.open, r.length, r.skipLF = false, 0, false }

// Longest is the length in bytes of the longest line of the event so far,
// without its line break.
func (r *Reader) Longest() int { return r.longest }

// Open reports whether bytes of an unfinished event have passed.
func (r *Reader) Open() bool { return r.open }

// Ended reports whether the end mark has come.
func (r *Reader) Ended() bool { return r.ended }

// Close returns how the response ended, when its body has. properly means that
// the body has arrived whole, as its framing says. Nothing may be read
// afterwards.
//
// An event without the empty line that ends it counts as far as its lines are
// whole. A line without a line break counts if the body ended properly, or if
// the JSON object on it is whole.
func (r *Reader) Close(properly bool) Ending {
	if r.open && (properly || r.settled()) {
		length := r.length
		if length > 0 && r.endpoint.Framing == SSE {
			r.endLine()
		}
		r.event()
		r.open, r.length = true, length // a fault must be set off from it
	}
	switch {
	case r.failed:
		return Reported
	case r.ended, properly && r.judge.Finished():
		return Complete
	}
	return Dead
}

// settled reports whether what has come of an event is not changed by what may
// have been lost of it.
func (r *Reader) settled() bool {
	return r.length == 0 || r.line != fieldData && r.endpoint.Framing == SSE || r.scan.state == scanDone
}

// AppendFault appends the error with which a response ends that has failed,
// behind what the client was sent; nothing if the dialect has no form for that.
// If the client was sent nothing of the response that was read, call Reset
// first.
func (r *Reader) AppendFault(dst []byte, f *Fault, s Stamp) []byte {
	before := len(dst)
	dst = r.appendBreak(dst)
	begin := len(dst)
	if dst = r.judge.AppendFault(dst, f, s); len(dst) == begin {
		return dst[:before]
	}
	return dst
}

// appendBreak ends an unfinished event.
func (r *Reader) appendBreak(dst []byte) []byte {
	switch {
	case !r.open:
		return dst
	case r.endpoint.Framing == SSE && (r.length > 0 || r.skipLF):
		return append(dst, "\n\n"...)
	}
	return append(dst, '\n')
}

// AppendKeepAlive appends what a client may be sent between two events, so that
// it hears something (G22); nothing within an event.
func (r *Reader) AppendKeepAlive(dst []byte, s Stamp) []byte {
	if r.open {
		return dst
	}
	before := len(dst)
	switch dst = r.judge.AppendKeepAlive(dst, s); {
	case len(dst) > before || r.endpoint.Framing != SSE:
		return dst
	case !r.ids:
		return append(dst, ": keep-alive\n\n"...)
	case r.skipLF:
		return dst // its other half would be an empty line
	}
	// OpenAI's client for Python takes each empty line behind an id for an event.
	return append(dst, ": keep-alive\n"...)
}

// event ends an event.
func (r *Reader) event() Verdict {
	v := Whole
	if r.data {
		e := Event{Name: r.name}
		e.Object, e.Text = r.scan.result()
		v |= Data | r.judge.Event(e)
		r.ended = r.ended || v.Has(End)
		r.failed = r.failed || v.Has(Failed)
		r.scan.start(r.judge.Members())
	}
	r.whole, r.open, r.data, r.name = true, false, false, r.name[:0]
	return v
}

// part processes a part of a line.
func (r *Reader) part(p []byte) {
	r.length += len(p)
	r.longest = max(r.longest, r.length)
	if r.line == fieldUnknown {
		p = r.classify(p)
	}
	if r.space && len(p) > 0 {
		if r.space = false; p[0] == ' ' {
			p = p[1:]
		}
	}
	switch r.line {
	case fieldData:
		r.scan.feed(p, r.judge)
	case fieldEvent:
		r.name = append(r.name, p[:min(len(p), textKept-len(r.name))]...)
	}
}

// endLine ends a line and reports whether it was empty.
func (r *Reader) endLine() (blank bool) {
	if r.line == fieldUnknown {
		blank = r.named()
	}
	r.line, r.space, r.begun, r.headLen, r.length = fieldUnknown, false, true, 0, 0
	return blank
}

// classify finds out what a line is, by its first bytes, and returns the part
// of p behind them.
func (r *Reader) classify(p []byte) []byte {
	if r.headLen == 0 && len(p) >= 6 && string(p[:6]) == "data: " { // nearly always
		r.beginData()
		return p[6:]
	}
	for i, c := range p {
		if c == ':' {
			r.named()
			r.space = true
			return p[i+1:]
		}
		if int(r.headLen) == len(r.head) {
			r.line = fieldOther
			return nil
		}
		r.head[r.headLen] = c
		r.headLen++
	}
	return nil
}

const bom = "\xef\xbb\xbf"

// named sets what the line is when its name is whole, and reports whether it is
// empty.
func (r *Reader) named() (empty bool) {
	name := r.head[:r.headLen]
	if !r.begun {
		name = bytes.TrimPrefix(name, []byte(bom))
	}
	r.line = fieldOther
	switch string(name) {
	case "data":
		r.beginData()
	case "event":
		r.line, r.name = fieldEvent, r.name[:0]
	case "id":
		r.ids = true
	}
	return len(name) == 0
}

// beginData begins a line of data; it is on a line of its own in the data, too.
func (r *Reader) beginData() {
	if r.data {
		r.scan.feed([]byte{'\n'}, r.judge)
	}
	r.line, r.data = fieldData, true
}

// lineEnd is the index of the first CR or LF in p, or -1. It looks in windows
// that grow: a pass over all of p for each line would be a peer's to demand.
func lineEnd(p []byte) int {
	if len(p) > 0 && (p[0] == '\n' || p[0] == '\r') {
		return 0
	}
	for from, window := 0, 512; from < len(p); window *= 4 {
		w := p[from:min(from+window, len(p))]
		lf := bytes.IndexByte(w, '\n')
		if lf >= 0 {
			w = w[:lf]
		}
		if cr := bytes.IndexByte(w, '\r'); cr >= 0 {
			return from + cr
		}
		if lf >= 0 {
			return from + lf
		}
		from += len(w)
	}
	return -1
}
