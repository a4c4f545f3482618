package dialect

// members is the short way through an object: from the quote at b[i], ahead of
// a member's name, past all members that are whole in b and written as usual.
// It returns where it stopped, and leaves the rest to the long way: i if that
// is the first member.
func (s *scanner) members(b []byte, i int, j Judge) int {
	for {
		name := i + 1
		end := name
		for end < len(b) && b[end] != '"' {
			if b[end] == '\\' {
				return i
			}
			end++
		}
		at := end + 1 // of the value
		if at+1 >= len(b) || b[at] != ':' {
			return i
		}
		if at++; b[at] == ' ' {
			if at++; at == len(b) {
				return i
			}
		}
		top := &s.stack[s.depth-1]
		s.want = top.node.child(b[name:end])
		if c := b[at]; s.want != nil && s.want.In != nil && (c == '{' || c == '[') {
			s.value(c, j)
			if at++; s.state != scanKey || at == len(b) || b[at] != '"' {
				return at
			}
			i = at
			continue
		}
		v, n := s.member(b[at:])
		if n == 0 {
			return i
		}
		n += at
		top.some, s.state = true, scanNext
		if s.want == nil || s.want.Slot == 0 {
			s.skipped.add(v)
		} else {
			if s.want.Free && v.Kind == String && !v.Empty {
				s.free = v.Text
			}
			if s.report(v, j); s.state != scanNext {
				return n
			}
		}
		if n == len(b) || b[n] != ',' {
			return n
		}
		s.state = scanKey
		if n++; n < len(b) && b[n] == ' ' {
			n++
		}
		if n == len(b) || b[n] != '"' {
			return n
		}
		i = n
	}
}

// member reads the value of a member that is not looked into and returns its
// length; 0 = it is not whole, or has escapes and is wanted.
func (s *scanner) member(b []byte) (v Value, n int) {
	wanted := s.want != nil && s.want.Slot != 0
	switch b[0] {
	case '"':
		for n = 1; n < len(b) && b[n] != '"'; n++ {
			if b[n] == '\\' {
				if n++; wanted {
					return v, 0
				}
			}
			if n > longWay {
				return v, 0
			}
		}
		if n >= len(b) {
			return v, 0
		}
		return Value{Kind: String, Empty: n == 1, Text: b[1:n]}, n + 1
	case '{', '[':
		empty, n := container(b)
		return Value{Kind: Object, Empty: empty}, n
	}
	for n = 1; n < len(b) && beginsScalar(b[0]); n++ {
		switch b[n] {
		case ',', '}', ']', ' ', '\n', '\r', '\t':
			return scalar(b[:n]), n
		}
	}
	return v, 0
}

// longWay is the length beyond which a string is left to the long way, which
// is the faster one for it.
const longWay = 256

// container returns the length of the object or array that b begins with; 0 =
// it is not whole.
func container(b []byte) (empty bool, n int) {
	depth := 0
	empty = true
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case ' ', '\n', '\r', '\t':
			continue
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth++; depth == 1 {
				continue
			}
		case '}', ']':
			if depth--; depth == 0 {
				return empty, i + 1
			}
		}
		if empty = false; i > longWay {
			break
		}
	}
	return false, 0
}

// skipped is the strings and numbers in an object that the judge does not ask
// for, the first ones, where they stand.
type skipped struct {
	n      uint8
	values [skippedMost][]byte
}

const skippedMost = 8

func (s *skipped) add(v Value) {
	if v.Kind != String && v.Kind != Number || int(s.n) == len(s.values) {
		return
	}
	s.values[s.n] = v.Text
	s.n++
}
