package policy

// MaxDepth is how many arrays and objects may be within each other.
const MaxDepth = 512

// off is the step of values that are not on the path.
const off = -1

// A walker reads a whole document and notes where a path leads.
type walker struct {
	b       []byte
	path    []token
	foreign bool // look for names in another case, too
	depth   int
	place   place
	err     error
}

// place is where a path leads in a document, as offsets.
type place struct {
	kind  placeKind
	step  int  // how many steps of the path were taken
	twice bool // an object on the path has two members of the path's name
	cased bool // ... has one in another case

	// The value: what was found, or what has no members for the next step.
	value, end int

	// found: the member or element that the value belongs to.
	begin  int // its name, or the element
	before int // the comma in front of it; -1 = it is the first
	next   int // the member behind it; -1 = it is the last

	element bool // of an array: for found and absent

	// absent: where another member or element would be.
	last  int  // behind the last one, or behind the opening bracket
	empty bool // there is none
}

type placeKind uint8

const (
	stuck  placeKind = iota // what the steps lead to has no members that the next one could name
	absent                  // ... has none of that name, and could have
	found
)

// locate reads the document b, from from, and finds where path leads. In a
// foreign one it also looks for the path's names in another case.
func locate(b []byte, from int, path []token, foreign bool) (place, error) {
	w := walker{b: b, path: path, foreign: foreign}
	end := w.value(space(b, from), 0)
	switch {
	case end != bad && space(b, end) == len(b):
		return w.place, nil
	case w.err != nil:
		return place{}, w.err
	}
	return place{}, ErrSyntax
}

// value reads the value at b[i], to which the first step steps of the path
// lead; step is off if they do not.
func (w *walker) value(i, step int) (end int) {
	if step == len(w.path) {
		end = w.value(i, off)
		w.ends(place{kind: found, step: step, value: i, end: end, begin: i, before: -1, next: -1})
		return end
	}
	if i >= len(w.b) {
		return bad
	}
	switch c := w.b[i]; c {
	case '{', '[':
		return w.container(i, step)
	case '"':
		end = skipString(w.b, i)
	case 't':
		end = skipWord(w.b, i, "true")
	case 'f':
		end = skipWord(w.b, i, "false")
	case 'n':
		end = skipWord(w.b, i, "null")
	default:
		if c != '-' && (c < '0' || '9' < c) {
			return bad
		}
		end = skipNumber(w.b, i)
	}
	if step >= 0 {
		w.ends(place{kind: stuck, step: step, value: i, end: end})
	}
	return end
}

// container reads the object or array at b[i].
func (w *walker) container(i, step int) int {
	if w.depth++; w.depth > MaxDepth {
		w.err = ErrDepth
		return bad
	}
	b, open, closing := w.b, i, w.b[i]+2 // in ASCII
	var t *token
	if step >= 0 {
		t = &w.path[step]
	}
	count, taken, comma, last := 0, 0, -1, i+1
	i = space(b, i+1)
	for more := !is(b, i, closing); more; count++ {
		begin, next := i, off
		if closing == '}' {
			var named bool
			if i, named = w.name(i, t); i == bad {
				return bad
			}
			if named {
				next = step + 1
			}
		} else if t != nil && t.index == count {
			next = step + 1
		}
		if last = w.value(i, next); last == bad {
			return bad
		}
		before := comma
		comma = space(b, last)
		if i, more = comma, is(b, comma, ','); more {
			i = space(b, i+1)
		}
		if next != off {
			taken++
		}
		if next == len(w.path) {
			w.place.begin, w.place.before, w.place.element = begin, before, closing == ']'
			if more {
				w.place.next = i
			}
		}
	}
	if !is(b, i, closing) {
		return bad
	}
	w.depth--
	switch {
	case taken > 1:
		w.place.twice = true
	case taken == 0 && step >= 0:
		p := place{step: step, value: open, end: i + 1, last: last, empty: count == 0, element: closing == ']'}
		if closing == '}' || t.index == count || t.index == behind {
			p.kind = absent
		}
		w.ends(p)
	}
	return i + 1
}

// ends notes where the path ends.
func (w *walker) ends(p place) {
	p.twice, p.cased = w.place.twice, w.place.cased
	w.place = p
}

// name reads the name at b[i] and the colon behind it, and returns where the
// value begins, and whether it is the name of t.
func (w *walker) name(i int, t *token) (value int, named bool) {
	if !is(w.b, i, '"') {
		return bad, false
	}
	end := skipString(w.b, i)
	if end == bad {
		return bad, false
	}
	if t != nil {
		raw := w.b[i+1 : end-1]
		named = decodesTo(raw, t.name)
		w.place.cased = w.place.cased || w.foreign && !named && foldsTo(raw, t.name)
	}
	if i = space(w.b, end); !is(w.b, i, ':') {
		return bad, false
	}
	return space(w.b, i+1), named
}
