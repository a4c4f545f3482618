package sse

// A Framer finds where events end in a stream that is passed on unchanged. It
// copies and keeps nothing of the stream but the beginning of a line that is
// cut between two calls. The zero value is ready to use. A Framer is not safe
// for concurrent use.
type Framer struct {
	begun     bool // the first line of the stream has ended
	skipLF    bool // the last line ended in CR at the end of a piece: an LF belongs to it
	complete  bool // by the last Next
	open      bool // bytes of an unfinished event have passed
	dataLines int
	longest   int
	length    int        // of the current line so far
	head      [keep]byte // its first bytes
	value     int        // length of the last data line's value, if that is short; else -1
	short     [shortData]byte
}

// shortData is how long data may be for ShortData: the markers by which
// dialects end their streams fit.
const shortData = 8

// keep is how much of a line is looked at: the first one may have a byte order
// mark, and one byte more than the longest that matters distinguishes it from
// that.
const keep = len(bom+"data: ") + shortData + 1

// Next looks at p, the next bytes of the stream. n is the number of bytes up to
// and with the blank line that ends the current event, and complete is true, or
// it is len(p) and the event continues. After a complete event, call it again
// with p[n:].
//
// Everything between two blank lines counts as an event here; HasData reports
// whether a client would dispatch it. One that ends in CR is complete there: an
// LF that follows is the other half of a CRLF, and is counted in n with it if p
// holds both, else with the bytes after.
func (f *Framer) Next(p []byte) (n int, complete bool) {
	if f.complete {
		f.complete, f.dataLines, f.longest = false, 0, 0
	}
	if f.skipLF && len(p) > 0 {
		f.skipLF = false
		if p[0] == '\n' {
			n = 1
		}
	}
	for n < len(p) {
		end := lineEnd(p[n:])
		if end < 0 {
			f.hold(p[n:])
			f.open = true
			return len(p), false
		}
		line := p[n : n+end]
		n += end
		f.skipLF = p[n] == '\r' && n+1 == len(p)
		n += lineBreak(p[n:])
		if f.take(line) {
			f.complete, f.open = true, false
			return n, true
		}
		f.open = true
	}
	return n, false
}

// HasData reports whether the event, as far as it has been seen, has a data
// line, so that a client dispatches it. Like ShortData and Longest it
// describes the event that Next found complete, until the next call of Next.
func (f *Framer) HasData() bool { return f.dataLines > 0 }

// ShortData returns the data of an event that has one line of data, of at most
// 8 bytes, and nil for others: to find the marker by which a protocol ends its
// streams, such as [DONE]. It is valid until the next call of Next.
func (f *Framer) ShortData() []byte {
	if f.dataLines != 1 || f.value < 0 {
		return nil
	}
	return f.short[:f.value:f.value]
}

// Longest is the length in bytes of the event's longest line so far, without
// its line break.
func (f *Framer) Longest() int { return f.longest }

// Open reports whether bytes of an unfinished event have passed: a stream that
// ends now is truncated, and a comment inserted now would fall into the event.
func (f *Framer) Open() bool { return f.open }

// hold counts a piece of a line and keeps the part of it that is among the
// first bytes.
func (f *Framer) hold(piece []byte) {
	if f.length < keep {
		copy(f.head[f.length:], piece)
	}
	f.length += len(piece)
	f.longest = max(f.longest, f.length)
}

// take processes the line that ends with end and reports whether it is blank.
func (f *Framer) take(end []byte) (blank bool) {
	line := end
	if f.length > 0 {
		f.hold(end)
		line = f.head[:min(f.length, keep)]
		f.length = 0
	}
	f.longest = max(f.longest, len(line))
	if !f.begun {
		f.begun = true
		line = withoutBOM(line)
	}
	if len(line) == 0 {
		return true
	}
	if len(line) < 4 || string(line[:4]) != "data" {
		return false
	}
	switch value := line[4:]; {
	case len(value) == 0:
		f.dataLines++
		f.value = 0
	case value[0] == ':':
		f.dataLines++
		if f.value = -1; len(value) <= len(": ")+shortData {
			f.keepShort(value[1:])
		}
	}
	return false
}

// keepShort keeps the value of a data line, if it is short.
func (f *Framer) keepShort(value []byte) {
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	if len(value) <= shortData {
		f.value = copy(f.short[:], value)
	}
}
