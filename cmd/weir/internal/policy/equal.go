package policy

import "bytes"

// want is the value of a test, prepared to be compared with a text.
type want struct {
	kind   byte     // the first byte of its text; 0 for numbers
	text   []byte   // decoded string; anything else but a number as it is written
	number decimal  // ...
	items  []want   // of an array, or the values of an object
	names  [][]byte // of an object, decoded
}

// wantOf prepares a value, which is well-formed.
func wantOf(b []byte) want {
	switch c := b[0]; c {
	case '"':
		return want{kind: c, text: decode(b[1 : len(b)-1])}
	case '[':
		w := want{kind: c}
		eachMember(b, func(_, item []byte) bool {
			w.items = append(w.items, wantOf(item))
			return true
		})
		return w
	case '{':
		w := want{kind: c}
		eachMember(b, func(name, value []byte) bool {
			w.names = append(w.names, decode(name))
			w.items = append(w.items, wantOf(value))
			return true
		})
		return w
	case 't', 'f', 'n':
		return want{kind: c, text: b}
	}
	return want{number: parseDecimal(b)}
}

// is reports whether b, a well-formed value, is equal to w (RFC 6902 4.6).
func (w *want) is(b []byte) bool {
	switch c := b[0]; {
	case c == '"' && w.kind == c:
		return decodesTo(b[1:len(b)-1], w.text)
	case c == '[' && w.kind == c:
		return w.isArray(b)
	case c == '{' && w.kind == c:
		return w.isObject(b)
	case c == '-' || '0' <= c && c <= '9':
		return w.kind == 0 && w.number.equal(parseDecimal(b))
	}
	return w.kind == b[0] && bytes.Equal(b, w.text)
}

func (w *want) isArray(b []byte) bool {
	n := 0
	same := eachMember(b, func(_, item []byte) bool {
		n++
		return n <= len(w.items) && w.items[n-1].is(item)
	})
	return same && n == len(w.items)
}

// isObject compares objects without regard to order. One that has two members
// of one name is equal to none.
func (w *want) isObject(b []byte) bool {
	seen := make([]bool, len(w.names))
	n := 0
	same := eachMember(b, func(name, value []byte) bool {
		for i := range w.names {
			if !seen[i] && decodesTo(name, w.names[i]) {
				seen[i] = true
				n++
				return w.items[i].is(value)
			}
		}
		return false
	})
	return same && n == len(w.names)
}

// eachMember calls f with every element of a well-formed array, or the inside of
// the name and the value of every member of an object, until it returns false.
// It returns false then.
func eachMember(b []byte, f func(name, value []byte) bool) bool {
	w := walker{b: b}
	i := space(b, 1)
	for !is(b, i, b[0]+2) {
		var name []byte
		if b[0] == '{' {
			begin := i
			end := skipString(b, i)
			name = b[begin+1 : end-1]
			i = space(b, space(b, end)+1)
		}
		end := w.value(i, off)
		if !f(name, b[i:end]) {
			return false
		}
		if i = space(b, end); is(b, i, ',') {
			i = space(b, i+1)
		}
	}
	return true
}
