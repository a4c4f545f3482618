package policy

import "bytes"

// Event returns a server-sent event, whole and with its line breaks, as p
// changes its data. An event to which p does not apply, or whose data is not
// JSON, is returned as it is, with the reason. The event is not modified; the
// result is valid until the next call of a method.
func (e *Editor) Event(p *Patch, event []byte) ([]byte, error) {
	e.edits = e.edits[:0]
	first, ok := nextData(event, 0)
	if !ok {
		return event, ErrNoData
	}
	if second, more := nextData(event, first.next); more {
		return e.lines(p, event, first, second)
	}
	return e.ApplyIn(p, event, first.from, first.to)
}

// Line is Event for a line of JSON (NDJSON), with or without its line break.
func (e *Editor) Line(p *Patch, line []byte) ([]byte, error) {
	return e.Apply(p, line) // a line break is white space
}

// dataLine is a line with data in an event: where its value and where the next
// line begins.
type dataLine struct{ begin, from, to, next int }

// nextData finds the next line of data, from i on.
func nextData(event []byte, i int) (d dataLine, ok bool) {
	if i == 0 && bytes.HasPrefix(event, []byte("\uFEFF")) { // before the first event of a stream
		i = len("\uFEFF")
	}
	for i < len(event) {
		d.begin, d.to = i, len(event)
		if n := bytes.IndexAny(event[i:], "\r\n"); n >= 0 {
			d.to = i + n
		}
		d.next = min(d.to+1, len(event))
		if bytes.HasPrefix(event[d.to:], []byte("\r\n")) {
			d.next++
		}
		const name = "data"
		if line := event[i:d.to]; bytes.HasPrefix(line, []byte(name)) {
			switch line = line[len(name):]; {
			case bytes.HasPrefix(line, []byte(": ")):
				d.from = d.to - len(line) + len(": ")
				return d, true
			case bytes.HasPrefix(line, []byte(":")):
				d.from = d.to - len(line) + len(":")
				return d, true
			case len(line) == 0:
				d.from = d.to
				return d, true
			}
		}
		i = d.next
	}
	return d, false
}

// lines patches the data of an event that has it on several lines: they are one
// document, with line feeds between them. The result has as many lines of data
// as the changed document, at the place of the first; other lines stay.
func (e *Editor) lines(p *Patch, event []byte, first, second dataLine) ([]byte, error) {
	e.data = append(append(e.data[:0], event[first.from:first.to]...), '\n')
	e.data = append(e.data, event[second.from:second.to]...)
	e.event = append(e.event[:0], event[:first.begin]...)
	rest := append([]byte(nil), event[first.next:second.begin]...)
	at := second.next
	for {
		d, ok := nextData(event, at)
		if !ok {
			break
		}
		e.data = append(append(e.data, '\n'), event[d.from:d.to]...)
		rest = append(rest, event[at:d.begin]...)
		at = d.next
	}
	result, err := e.Apply(p, e.data)
	if err != nil || len(e.edits) == 0 {
		return event, err
	}
	name := event[first.begin:first.from]
	if len(name) == len("data") { // an empty line of data needs no colon
		name = []byte("data: ")
	}
	for line := range bytes.SplitSeq(result, []byte("\n")) {
		e.event = append(append(e.event, name...), line...)
		e.event = append(e.event, event[first.to:first.next]...)
	}
	e.event = append(append(e.event, rest...), event[at:]...)
	e.edits = append(e.edits[:0], Edit{first.begin, at, first.begin, len(e.event) - (len(event) - at)})
	return e.event, nil
}
