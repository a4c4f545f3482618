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
	marked    bool // a data line of the event is [DONE]
	dataLines int
	longest   int
	length    int        // of the current line so far
	head      [keep]byte // its first bytes
}

// marker is the data by which OpenAI's protocol and those like it end a stream.
const marker = "[DONE]"

// keep is how much of a line decides what it is: a line of more bytes cannot be
// the longest that matters.
const keep = len(bom+"data: "+marker) + 1

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
		f.complete, f.marked, f.dataLines, f.longest = false, false, 0, 0
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
// line, so that a client dispatches it. Like DoneMarker and Longest it
// describes the event that Next found complete, until the next call of Next.
func (f *Framer) HasData() bool { return f.dataLines > 0 }

// DoneMarker reports whether the event's data is exactly [DONE], with or
// without the space after the colon.
func (f *Framer) DoneMarker() bool { return f.marked && f.dataLines == 1 }

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
	case value[0] == ':':
		f.dataLines++
		f.marked = f.marked || string(value) == ":"+marker || string(value) == ": "+marker
	}
	return false
}
