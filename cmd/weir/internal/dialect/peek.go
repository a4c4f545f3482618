package dialect

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"
)

const (
	peekKey   = 32  // bytes of a top-level key that can matter
	peekValue = 512 // bytes of a string value that is kept
)

// Peek reads what a gateway must know of a request while its body passes: the
// top-level model, stream and user, of a JSON object or of a form (see Form).
// It looks at each byte once, keeps nothing else and checks no more of the JSON
// than it needs. The zero value is ready to use.
//
// Of several equal keys the last one wins, as in most parsers; but see
// Ambiguous. A byte order mark is skipped (G8).
type Peek struct {
	Model  string // "" if it is not a string, or too long to be a model's name
	User   string // whose request it is: user, Anthropic's metadata.user_id, or prompt_cache_key
	Stream bool   // see Streams

	form   *form // nil = JSON
	state  peekState
	stream bool  // it was there, and a boolean
	bom    uint8 // bytes of a byte order mark
	meta   bool  // within metadata
	metaIs bool  // the value to come in it is user_id
	depth  int
	escape bool
	isKey  bool  // the string that is being read is a top-level key
	seen   bool  // the model
	keys   uint8 // which of the members in peeked there are
	twice  uint8 // the one that is there twice or in another case, plus 1; 0 = none
	cased  bool  // ... in another case
	key    []byte
	text   []byte
	ended  bool // the string that was read has ended
	long   bool // text is longer than what is kept

	read      int // bytes looked at
	begin     int // of the string that is being read, its quote included
	modelFrom int // where the model's value stands, quotes included
	modelTo   int
	prompt    int // where the value of messages, input or prompt begins; 0 = it was not seen

	last string // the model that was read last, before Reset
}

// Reset prepares p for another body.
func (p *Peek) Reset() {
	last := p.Model
	if last == "" {
		last = p.last
	}
	*p = Peek{key: p.key[:0], text: p.text[:0], last: last}
}

type peekState uint8

const (
	peekStart   peekState = iota
	peekOutside           // between tokens
	peekString
	peekOver // behind the object
	peekBad
)

// peeked are the members that are read.
var peeked = [...]string{"model", "stream", "user", "messages"}

// HasModel reports whether the model has been seen, whatever it is.
func (p *Peek) HasModel() bool { return p.seen }

// Streams reports whether the response is to be a stream, where it is one
// unless the request says otherwise, or where it is not.
func (p *Peek) Streams(otherwise bool) bool {
	if p.stream {
		return p.Stream
	}
	return otherwise
}

// Ambiguous returns an error if the object has one of the members that are read
// more than once, or in another case: a server may use the other one, and those
// written in Go compare names without regard to case. Such a request must not
// be passed on.
func (p *Peek) Ambiguous() *Fault {
	switch name := peeked[max(p.twice, 1)-1]; {
	case p.twice == 0:
		return nil
	case p.cased:
		return Invalid(name, "ambiguous_parameter", "Parameter '%s' must be written in lower case: servers disagree about what other spellings of it mean.", name)
	default:
		return Invalid(name, "duplicate_parameter", "Duplicate parameter: '%s'.", name)
	}
}

// IsForm reports whether the body is a form, and not JSON.
func (p *Peek) IsForm() bool { return p.form != nil }

// Complete reports whether the object has been seen to its end.
func (p *Peek) Complete() bool { return p.state == peekOver }

// Bad reports whether the body is not a JSON object, or not a form.
func (p *Peek) Bad() bool { return p.state == peekBad }

// Malformed is the fault of a body that is bad, or that has ended before it was
// complete.
func (p *Peek) Malformed() *Fault {
	if p.form != nil {
		return BadForm()
	}
	return BadJSON()
}

// Feed looks at the next piece of the body.
func (p *Peek) Feed(b []byte) {
	if p.form != nil {
		p.form.feed(p, b)
		return
	}
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

// AppendName appends a model's name as the body has names, for Rename.
func (p *Peek) AppendName(dst []byte, model string) []byte {
	if p.form != nil {
		return append(dst, model...)
	}
	return AppendString(dst, model)
}

// Rename returns a copy of the body with another name, as AppendName makes it,
// for the model. Nothing else is changed.
func (p *Peek) Rename(body, name []byte) []byte {
	out := make([]byte, 0, len(body)+len(name))
	for _, piece := range p.Splice(0, body, name) {
		out = append(out, piece...)
	}
	return out
}

// Splice is Rename for a part of the body that begins at offset at: it returns
// what is before the model, the name, if the model begins in this part, and
// what is behind. A nil name changes nothing. The results point into the
// arguments.
func (p *Peek) Splice(at int, part, name []byte) (pieces [3][]byte) {
	from, to := p.modelFrom-at, p.modelTo-at
	if name == nil || p.modelTo == 0 || to <= 0 || from >= len(part) {
		return [3][]byte{part}
	}
	pieces[0], pieces[2] = part[:max(0, from)], part[min(to, len(part)):]
	if from >= 0 {
		pieces[1] = name
	}
	return pieces
}

// Growth returns how much longer the body becomes by Rename.
func (p *Peek) Growth(name []byte) int {
	if p.modelTo == 0 {
		return 0
	}
	return len(name) - (p.modelTo - p.modelFrom)
}

// Prompt returns where in the body the value begins that the model reads:
// messages, input or prompt; 0 = it has not been seen.
func (p *Peek) Prompt() int { return p.prompt }

// behind allows only white space after the object.
func (p *Peek) behind(b []byte) {
	if len(bytes.Trim(b, " \t\r\n")) > 0 {
		p.state = peekBad
	}
}

func (p *Peek) outside(c byte) {
	switch {
	case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		return
	case p.state == peekStart && p.read == int(p.bom) && p.bom < 3 && c == bom[p.bom]:
		p.bom++
		return
	case p.state == peekStart:
		if c != '{' || p.bom != 0 && p.bom != 3 {
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
		if p.depth++; p.depth == 2 && c == '{' && string(p.key) == "metadata" {
			p.meta, p.isKey = true, true
		}
	case '}', ']':
		p.scalar()
		if p.depth--; p.depth == 0 {
			p.state = peekOver
		}
		p.isKey, p.meta = false, p.meta && p.depth > 1
	case ',':
		p.scalar()
		p.isKey = p.kept()
		p.metaIs = false
	case ':':
		if p.kept() {
			p.isKey, p.text = false, p.text[:0]
		}
		if p.depth == 1 && p.prompt == 0 && isPrompt(p.key) {
			p.prompt = p.read + 1
		}
	default:
		if p.depth == 1 && !p.isKey && len(p.text) < peekKey {
			p.text = append(p.text, c)
		}
	}
}

// scalar processes the end of a value that is not a string: of these only
// stream's counts.
func (p *Peek) scalar() {
	if p.depth != 1 || p.isKey {
		return
	}
	switch string(p.key) {
	case "stream":
		p.Stream = string(p.text) == "true"
		p.stream = p.Stream || string(p.text) == "false"
	case "model":
		p.Model, p.modelFrom, p.modelTo = "", 0, 0
		p.seen = true
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

// kept reports whether strings matter where p is.
func (p *Peek) kept() bool { return p.depth == 1 || p.meta && p.depth == 2 }

func (p *Peek) keep(b []byte) {
	if !p.kept() {
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
	switch {
	case !p.kept():
		return
	case p.meta:
		p.endMeta()
		return
	case p.isKey:
		p.key = append(p.key[:0], p.value()...)
		p.sawKey()
		return
	}
	switch string(p.key) {
	case "model":
		p.Model = p.value()
		p.modelFrom, p.modelTo = p.begin, p.read
		p.seen = true
	case "user":
		p.User = p.value()
	case "prompt_cache_key":
		p.User = cmp.Or(p.User, p.value())
	}
	p.key, p.text = p.key[:0], p.text[:0]
}

// endMeta ends a string in metadata.
func (p *Peek) endMeta() {
	switch {
	case p.isKey:
		p.metaIs = p.value() == "user_id"
	case p.metaIs:
		p.User = cmp.Or(p.User, p.value())
	}
	p.text = p.text[:0]
}

func isPrompt(key []byte) bool {
	switch string(key) {
	case "messages", "input", "prompt":
		return true
	}
	return false
}

// sawKey notes a member that is read, and whether it was there before. A
// spelling that encoding/json accepts for its name also counts.
func (p *Peek) sawKey() {
	if !mayBePeeked(p.key) {
		return
	}
	for i, name := range peeked {
		if !strings.EqualFold(string(p.key), name) {
			continue
		}
		cased := string(p.key) != name
		if p.keys&(1<<i) != 0 || cased {
			p.twice, p.cased = uint8(i+1), p.cased || cased
		}
		p.keys |= 1 << i
	}
}

// mayBePeeked is a quick look at a key. An s may be a long one, U+017F, which
// is a byte longer.
func mayBePeeked(key []byte) bool {
	if len(key) < len("user") || len(key) > len("me\u017f\u017fage\u017f") {
		return false
	}
	switch key[0] | 0x20 {
	case 'm', 's', 'u', "\u017f"[0] | 0x20:
		return true
	}
	return false
}

// value returns the string that was read, "" if it was too long to matter.
func (p *Peek) value() string {
	if p.long {
		return ""
	}
	if bytes.IndexByte(p.text, '\\') < 0 {
		if string(p.text) == p.last {
			return p.last
		}
		return string(p.text)
	}
	var s string
	if json.Unmarshal([]byte(`"`+string(p.text)+`"`), &s) != nil {
		p.state = peekBad
	}
	return s
}
