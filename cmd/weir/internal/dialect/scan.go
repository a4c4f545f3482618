package dialect

import "bytes"

const (
	deepest  = 6       // levels of the objects and arrays that judges look into
	textKept = 1 << 10 // bytes of a wanted string that is cut or has escapes
)

// scanner finds the members of a JSON object that arrives in pieces. It looks
// at each byte once and checks no more of the JSON than it needs: of an object
// that is not valid, it may report anything.
type scanner struct {
	state  scanState
	escape bool // the last byte of a string was a backslash
	held   bool // a part of the string is in text
	coded  bool // the string has an escape
	long   bool // it is longer than what is kept
	some   bool // the value that is skipped is not empty
	depth  int8 // of the open objects and arrays that are looked into
	skip   int32
	want   *Node // of the value to come; nil = nobody wants it
	stack  [deepest]frame
	root   *Node
	text   []byte

	free    []byte // the last text that is Free, where it stands; until forget
	skipped skipped
}

// frame is an open object or array.
type frame struct {
	node    *Node
	array   bool
	element bool // an object in an array
	some    bool // it is not empty
}

type scanState uint8

const (
	scanBegin    scanState = iota // before the first byte
	scanKey                       // before a member's name, or the end of the object
	scanName                      // in it
	scanColon                     // behind it
	scanValue                     // before a value, or the end of the array
	scanString                    // in one that is wanted
	scanScalar                    // in a number, true, false or null
	scanNext                      // behind a value
	scanSkip                      // in an object or array that is not looked into
	scanSkipText                  // in a string that is not wanted
	scanDone                      // behind the object
	scanEnough                    // the rest does not matter
	scanPlain                     // it is not an object
	scanBad                       // it was to be an object
)

// start prepares the scanner for another object.
func (s *scanner) start(root *Node) {
	s.state, s.root, s.depth, s.skip = scanBegin, root, 0, 0
	s.text, s.escape, s.held, s.coded, s.long = s.text[:0], false, false, false, false
}

// forget drops what is known of the bytes that were fed, since they are changed.
func (s *scanner) forget() { s.free, s.skipped.n = nil, 0 }

// feed looks at the next piece.
func (s *scanner) feed(b []byte, j Judge) {
	for i := 0; i < len(b); {
		switch s.state {
		case scanName, scanString, scanSkipText:
			i += s.inString(b[i:], j)
		case scanSkip:
			i += s.inSkipped(b[i:], j)
		case scanScalar:
			i += s.inScalar(b[i:], j)
		case scanPlain:
			s.plain(b[i:])
			return
		case scanEnough, scanBad:
			return
		case scanKey:
			n := i
			if b[i] == '"' {
				n = s.members(b, i, j)
			}
			if n == i {
				s.between(b[i], j)
				n++
			}
			i = n
		default:
			s.between(b[i], j)
			i++
		}
	}
}

// between looks at a byte that is not in a value.
func (s *scanner) between(c byte, j Judge) {
	if c == ' ' || c == '\n' || c == '\r' || c == '\t' {
		return
	}
	switch s.state {
	case scanBegin:
		if c == bom[0] || c == bom[1] || c == bom[2] {
			return
		}
		if c != '{' {
			s.state, s.some = scanPlain, false
			s.plain([]byte{c})
			return
		}
		s.stack[0] = frame{node: s.root}
		s.depth, s.state = 1, scanKey
	case scanKey:
		switch c {
		case '"':
			s.begin(scanName)
		case '}':
			s.close(j)
		default:
			s.state = scanBad
		}
	case scanColon:
		s.state = scanValue
		if c != ':' {
			s.state = scanBad
		}
	case scanValue:
		s.value(c, j)
	case scanNext:
		switch top := &s.stack[s.depth-1]; {
		case c == '}' || c == ']':
			s.close(j)
		case c != ',':
			s.state = scanBad
		case top.array:
			s.state, s.want = scanValue, top.node
		default:
			s.state = scanKey
		}
	case scanDone:
		s.state = scanBad
	}
}

// value begins a value with its first byte.
func (s *scanner) value(c byte, j Judge) {
	top := &s.stack[s.depth-1]
	if c == ']' && top.array {
		s.close(j)
		return
	}
	top.some = true
	inner := s.want != nil && s.want.In != nil && s.depth < deepest && !(top.array && c == '[')
	switch c {
	case '"':
		if s.want != nil && s.want.Slot != 0 && !top.array {
			s.begin(scanString)
		} else {
			s.begin(scanSkipText)
		}
	case '{', '[':
		if !inner {
			s.state, s.skip, s.some = scanSkip, 1, false
			return
		}
		s.stack[s.depth] = frame{node: s.want, array: c == '[', element: top.array}
		s.depth++
		s.state = scanKey
		if c == '[' {
			s.state = scanValue
		}
	default:
		s.text = append(s.text[:0], c)
		if s.state = scanScalar; !beginsScalar(c) {
			s.state = scanBad
		}
	}
}

// beginsScalar reports whether a value may begin with c that is not a string,
// an object or an array.
func beginsScalar(c byte) bool {
	return c-'0' < 10 || c == '-' || c == 't' || c == 'f' || c == 'n'
}

func (s *scanner) begin(state scanState) {
	s.state, s.text = state, s.text[:0]
	s.held, s.coded, s.long = false, false, false
	s.some = false
}

// inString reads on to the end of a string or of b, and returns how far.
func (s *scanner) inString(b []byte, j Judge) (n int) {
	for n < len(b) {
		if s.escape {
			s.escape = false
			n++
			continue
		}
		i := quote(b[n:])
		if i < 0 {
			n = len(b)
			break
		}
		n += i + 1
		if b[n-1] == '"' {
			s.endString(b[:n-1], j)
			return n
		}
		s.escape, s.coded = true, true
	}
	s.keep(b)
	return n
}

// keep keeps a piece of a string that is wanted.
func (s *scanner) keep(b []byte) {
	s.some = s.some || len(b) > 0
	if s.state == scanSkipText || s.long {
		return
	}
	if s.held = true; len(s.text)+len(b) > textKept {
		s.long = true
		return
	}
	s.text = append(s.text, b...)
}

// endString ends a string, of which last is the last piece.
func (s *scanner) endString(last []byte, j Judge) {
	if s.state == scanSkipText {
		if s.state = scanNext; s.skip > 0 {
			s.state = scanSkip
		}
		return
	}
	text := last
	if s.held || s.coded {
		s.keep(last)
		if text = s.decoded(); s.state == scanBad {
			return
		}
	}
	if s.state == scanName {
		top := &s.stack[s.depth-1]
		s.want, top.some, s.state = nil, true, scanColon
		if !s.long {
			s.want = top.node.child(text)
		}
		return
	}
	s.state = scanNext
	s.report(Value{Kind: String, Empty: len(text) == 0 && !s.some, Text: text}, j)
}

// decoded returns the string that was kept.
func (s *scanner) decoded() []byte {
	if s.long {
		return nil
	}
	if !s.coded {
		return s.text
	}
	text, ok := unescape(s.text)
	if !ok {
		s.state = scanBad
	}
	return text
}

// inScalar reads on in a value that has no end of its own.
func (s *scanner) inScalar(b []byte, j Judge) (n int) {
	for n < len(b) {
		switch b[n] {
		case ',', '}', ']', ' ', '\n', '\r', '\t':
			s.state = scanNext
			s.reportScalar(j)
			return n
		}
		if n++; len(s.text) < textKept {
			s.text = append(s.text, b[n-1])
		}
	}
	return n
}

func (s *scanner) reportScalar(j Judge) {
	if s.want == nil || s.want.Slot == 0 || s.stack[s.depth-1].array {
		return
	}
	s.report(scalar(s.text), j)
}

// scalar returns a value that is not a string, an object or an array.
func scalar(text []byte) Value {
	switch text[0] {
	case 'n':
		return Value{Kind: Null, Empty: true}
	case 't', 'f':
		return Value{Kind: Bool, Empty: text[0] == 'f', Text: text}
	}
	return Value{Kind: Number, Empty: isZero(text), Text: text}
}

// isZero reports whether a number is 0, however it is written.
func isZero(number []byte) bool {
	for _, c := range number {
		switch {
		case c == 'e' || c == 'E':
			return true
		case c != '-' && c != '.' && c != '0':
			return false
		}
	}
	return true
}

// inSkipped reads on in a value that is not looked into.
func (s *scanner) inSkipped(b []byte, j Judge) int {
	for i, c := range b {
		switch c {
		case ' ', '\n', '\r', '\t':
			continue
		case '"':
			s.begin(scanSkipText)
			s.some = true
			return i + 1
		case '{', '[':
			s.skip++
		case '}', ']':
			if s.skip--; s.skip > 0 {
				continue
			}
			s.state = scanNext
			if s.want != nil && s.want.Slot != 0 && !s.stack[s.depth-1].array {
				s.report(Value{Kind: Object, Empty: !s.some}, j)
			}
			return i + 1
		}
		s.some = true
	}
	return len(b)
}

// close ends the innermost object or array that is looked into.
func (s *scanner) close(j Judge) {
	s.depth--
	top := s.stack[s.depth]
	if s.depth == 0 {
		s.state = scanDone
		return
	}
	s.state, s.want = scanNext, top.node
	if top.node.Slot == 0 {
		return
	}
	v := Value{Kind: Object, Empty: !top.some}
	switch {
	case top.array:
		v.Kind = Array
	case top.element:
		v.Kind = Element
	}
	s.report(v, j)
}

func (s *scanner) report(v Value, j Judge) {
	if s.state != scanBad && j.Member(s.want.Slot, v) {
		s.state = scanEnough
	}
}

// plainKept is how much of data that is not an object is kept: the markers by
// which dialects end their streams fit.
const plainKept = 64

// plain keeps data that is not an object, while it is short. White space counts
// as one space, and not at all at the end.
func (s *scanner) plain(b []byte) {
	for _, c := range b {
		switch {
		case len(s.text) > plainKept:
			return
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			s.some = true
			continue
		case s.some:
			s.some = false
			s.text = append(s.text, ' ')
		}
		s.text = append(s.text, c)
	}
}

// result returns what the data was.
func (s *scanner) result() (object bool, text []byte) {
	switch s.state {
	case scanDone, scanEnough:
		return true, nil
	case scanPlain:
		if len(s.text) <= plainKept {
			return false, s.text
		}
	}
	return false, nil
}

// quote returns the index of the first quote or backslash in b, or -1.
func quote(b []byte) int {
	const short = 48
	for i := range min(len(b), short) {
		if b[i] == '"' || b[i] == '\\' {
			return i
		}
	}
	for from, window := short, 256; from < len(b); window *= 4 {
		w := b[from:min(from+window, len(b))]
		end := bytes.IndexByte(w, '"')
		if end >= 0 {
			w = w[:end]
		}
		if slash := bytes.IndexByte(w, '\\'); slash >= 0 {
			return from + slash
		}
		if end >= 0 {
			return from + end
		}
		from += len(w)
	}
	return -1
}
