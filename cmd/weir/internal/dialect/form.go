package dialect

import (
	"bytes"
	"mime"
	"strings"

	"weir/http1"
)

// form reads a multipart body for a Peek: the parts model, stream and user,
// before or behind the file, whose bytes only pass.
type form struct {
	delimiter []byte // CRLF, two hyphens and the boundary
	carry     []byte // the end of what was read, which may begin a delimiter
	state     formState
	line      []byte // what has come of a line of a part's header, or behind a delimiter
	part      string // the name of the current part
	begin     int    // where its content begins
	models    int    // parts with that name
}

type formState uint8

const (
	formContent formState = iota // of a part, or ahead of the first one
	formMark                     // behind a delimiter
	formHeader                   // of a part
	formOver
)

// formLine bounds a line of a part's header, in bytes.
const formLine = 4 << 10

// Form makes p read a form if that is what the body is, by its Content-Type.
// It is called before Feed.
func (p *Peek) Form(contentType []byte) {
	if !http1.IsMediaType(contentType, "multipart/form-data") {
		return
	}
	p.form = new(form)
	_, params, err := mime.ParseMediaType(string(contentType))
	if boundary := params["boundary"]; err == nil && 0 < len(boundary) && len(boundary) <= 70 {
		p.form.delimiter = []byte("\r\n--" + boundary)
		p.form.carry = []byte("\r\n") // the first delimiter may be ahead of all else
		return
	}
	p.state = peekBad
}

// feed looks at the next piece.
func (f *form) feed(p *Peek, b []byte) {
	for len(b) > 0 && p.state != peekBad {
		n := len(b)
		switch f.state {
		case formContent:
			n = f.content(p, b)
		case formMark, formHeader:
			n = f.header(p, b)
		}
		p.read += n
		b = b[n:]
	}
}

// content looks for the delimiter that ends a part and returns how far it read.
func (f *form) content(p *Peek, b []byte) (n int) {
	before := len(f.carry)
	f.carry = append(f.carry, b[:min(len(b), len(f.delimiter)-1)]...)
	end := bytes.Index(f.carry, f.delimiter) - before // from where b begins
	if end < -before {
		end = bytes.Index(b, f.delimiter)
		if end < 0 {
			f.keep(p, b)
			f.hold(b)
			return len(b)
		}
	}
	n = end + len(f.delimiter)
	f.keep(p, b[:max(0, end)])
	f.endPart(p, p.read+end)
	f.carry, f.state = f.carry[:0], formMark
	return n
}

// hold keeps what may be the beginning of a delimiter.
func (f *form) hold(b []byte) {
	most := len(f.delimiter) - 1
	if len(b) >= most {
		f.carry = append(f.carry[:0], b[len(b)-most:]...)
		return
	}
	f.carry = append(f.carry[:0], f.carry[max(0, len(f.carry)-most):]...)
}

// keep keeps a piece of a part that is read.
func (f *form) keep(p *Peek, b []byte) {
	switch f.part {
	case "model", "stream", "user":
		room := peekValue + len(f.delimiter) - len(p.text)
		p.text = append(p.text, b[:min(len(b), max(0, room))]...)
	}
}

// endPart ends a part whose content ends at end.
func (f *form) endPart(p *Peek, end int) {
	n := end - f.begin
	var text string
	if 0 <= n && n <= min(peekValue, len(p.text)) {
		text = string(p.text[:n])
	}
	switch f.part {
	case "model":
		p.Model, p.modelFrom, p.modelTo, p.seen = text, f.begin, end, true
	case "stream":
		p.Stream = text == "true" || text == "True" || text == "1"
		p.stream = true
	case "user":
		p.User = text
	}
	f.part, p.text = "", p.text[:0]
}

// header reads a line behind a delimiter, or of a part's header.
func (f *form) header(p *Peek, b []byte) (n int) {
	n = bytes.IndexByte(b, '\n') + 1
	line := b[:n]
	if n == 0 {
		line = b
	}
	f.line = append(f.line, line...)
	switch {
	case f.state == formMark && len(f.line) >= 2 && string(f.line[:2]) == "--":
		f.state, p.state = formOver, peekOver
		return len(b)
	case len(f.line) > formLine:
		p.state = peekBad
	case n == 0:
		return len(b)
	}
	f.endLine(p, bytes.TrimSpace(f.line), p.read+n)
	f.line = f.line[:0]
	return len(line)
}

// endLine processes a line that ends at end.
func (f *form) endLine(p *Peek, line []byte, end int) {
	if f.state == formMark {
		if f.state = formHeader; len(line) > 0 {
			p.state = peekBad // it was not a delimiter
		}
		return
	}
	if len(line) == 0 {
		f.state, f.begin = formContent, end
		return
	}
	name, value, _ := strings.Cut(string(line), ":")
	if !strings.EqualFold(name, "content-disposition") {
		return
	}
	_, params, _ := mime.ParseMediaType(value)
	if f.part = params["name"]; f.part == "model" {
		if f.models++; f.models > 1 {
			p.twice = 1
		}
	}
}
