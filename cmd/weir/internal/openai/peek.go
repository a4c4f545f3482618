package openai

import (
	"bytes"
	"encoding/json"
)

const (
	peekKey   = 32  // bytes of a top-level key that can matter
	peekValue = 512 // bytes of a string value that is kept
)

// Peek reads what a gateway must know of a request while its body passes: the
// top-level model, stream and user. It looks at each byte once, keeps nothing
// else and checks no more of the JSON than it needs. The zero value is ready.
type Peek struct {
	Model  string
	User   string
	Stream bool

	state  peekState
	depth  int
	escape bool
	isKey  bool // the string that is being read is a top-level key
	seen   uint8
	key    []byte
	text   []byte
	ended  bool // the string that was read is over
	long   bool // text is longer than what is kept

	read      int // bytes looked at
	begin     int // of the string that is being read, its quote included
	modelFrom int // where the model's value stands, quotes included
	modelTo   int
	messages  int // where the value of messages begins; 0 = it was not seen
}

type peekState uint8

const (
	peekStart   peekState = iota
	peekOutside           // between tokens
	peekString
	peekOver // behind the object
	peekBad
)

const (
	sawModel = 1 << iota
	sawStream
)

// Known reports whether both model and stream have been seen.
func (p *Peek) Known() bool { return p.seen == sawModel|sawStream }

// Complete reports whether the object has been seen to its end.
func (p *Peek) Complete() bool { return p.state == peekOver }

// Bad reports whether the body is no JSON object.
func (p *Peek) Bad() bool { return p.state == peekBad }

// Feed looks at the next piece of the body.
func (p *Peek) Feed(b []byte) {
	for len(b) > 0 {
		before := len(b)
		switch p.state {
		case peekString:
			b = p.inString(b)
		case peekBad, peekOver:
			p.behind(b)
			return
		default:
			p.outside(b[0])
			b = b[1:]
		}
		p.read += before - len(b)
		if p.ended {
			p.ended = false
			p.endString()
		}
	}
}

// Rename returns a copy of the body, or of a beginning of it that has the
// model in it, with another name for the model. Nothing else is changed.
func (p *Peek) Rename(body []byte, model string) []byte {
	if p.modelTo == 0 || p.modelTo > len(body) {
		return body
	}
	out := make([]byte, 0, len(body)+len(model)+2)
	out = AppendString(append(out, body[:p.modelFrom]...), model)
	return append(out, body[p.modelTo:]...)
}

// Messages is the body from the value of messages on; nil when there is none.
func (p *Peek) Messages(body []byte) []byte {
	if p.messages == 0 || p.messages > len(body) {
		return nil
	}
	return body[p.messages:]
}

// behind allows nothing but white space after the object.
func (p *Peek) behind(b []byte) {
	if len(bytes.Trim(b, " \t\r\n")) > 0 {
		p.state = peekBad
	}
}

func (p *Peek) outside(c byte) {
	switch {
	case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		return
	case p.state == peekStart:
		if c != '{' {
			p.state = peekBad
			return
		}
		p.state, p.depth, p.isKey = peekOutside, 1, true
		return
	}
	switch c {
	case '"':
		p.state, p.text, p.long, p.begin = peekString, p.text[:0], false, p.read
	case '{', '[':
		p.depth++
	case '}', ']':
		p.scalar()
		if p.depth--; p.depth == 0 {
			p.state = peekOver
		}
	case ',':
		p.scalar()
		if p.depth == 1 {
			p.isKey = true
		}
	case ':':
		if p.depth == 1 {
			p.isKey, p.text = false, p.text[:0]
			if string(p.key) == "messages" {
				p.messages = p.read + 1
			}
		}
	default:
		if p.depth == 1 && !p.isKey && len(p.text) < peekKey {
			p.text = append(p.text, c)
		}
	}
}

// scalar takes a value that is no string: only stream's counts.
func (p *Peek) scalar() {
	if p.depth != 1 || p.isKey {
		return
	}
	if string(p.key) == "stream" {
		p.Stream = string(p.text) == "true"
		p.seen |= sawStream
	}
	p.key = p.key[:0]
}

// inString reads on to the end of a string or of b.
func (p *Peek) inString(b []byte) (rest []byte) {
	for i := 0; i < len(b); {
		if p.escape {
			p.escape = false
			p.keep(b[i : i+1])
			i++
			continue
		}
		n := bytes.IndexAny(b[i:], "\"\\")
		if n < 0 {
			p.keep(b[i:])
			return nil
		}
		p.keep(b[i : i+n])
		i += n
		if b[i] == '"' {
			p.ended = true
			return b[i+1:]
		}
		p.escape = true
		p.keep(b[i : i+1])
		i++
	}
	return nil
}

func (p *Peek) keep(b []byte) {
	if p.depth != 1 {
		return
	}
	if len(p.text)+len(b) > peekValue {
		p.long = true
		return
	}
	p.text = append(p.text, b...)
}

func (p *Peek) endString() {
	p.state = peekOutside
	if p.depth != 1 {
		return
	}
	if p.isKey {
		p.key = append(p.key[:0], p.text...)
		return
	}
	switch string(p.key) {
	case "model":
		p.Model = p.value()
		p.modelFrom, p.modelTo = p.begin, p.read
		p.seen |= sawModel
	case "user":
		p.User = p.value()
	}
	p.key, p.text = p.key[:0], p.text[:0]
}

// value is the string that was read, "" when it was too long to be one that
// matters.
func (p *Peek) value() string {
	if p.long {
		return ""
	}
	if bytes.IndexByte(p.text, '\\') < 0 {
		return string(p.text)
	}
	var s string
	if json.Unmarshal([]byte(`"`+string(p.text)+`"`), &s) != nil {
		p.state = peekBad
	}
	return s
}
