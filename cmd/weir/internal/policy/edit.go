package policy

import "bytes"

// An Edit is a range of a text that was replaced: text[From:To] by
// result[NewFrom:NewTo].
type Edit struct{ From, To, NewFrom, NewTo int }

// An Editor applies patches. It keeps its buffers, so that applying one
// allocates nothing once they have grown. The zero value is ready to use. It is
// not safe for concurrent use.
type Editor struct {
	// Limit bounds the document, before and after: beyond it ErrSize. Zero is
	// without limit.
	Limit int

	text     []byte // as far as it is changed: the caller's, or in buffer
	from, to int    // where in text the document is
	owned    bool   // text is in buffer
	foreign  bool   // the patch's
	buffer   []byte
	value    []byte // what move and copy take along
	edits    []Edit // in order, not adjacent

	data, event []byte // of an event with several lines of data, and its copy
}

// Apply returns doc as p changes it. doc is not modified; the result is doc
// itself if nothing changes, or else valid until the next call of a method. If
// an operation does not apply, or doc is not JSON, the result is doc and an
// error: a *Failure, ErrSyntax, ErrDepth or ErrSize. A nil Patch changes
// nothing.
func (e *Editor) Apply(p *Patch, doc []byte) ([]byte, error) {
	return e.ApplyIn(p, doc, 0, len(doc))
}

// ApplyIn is Apply for the document text[from:to]. What is around it is passed
// on.
func (e *Editor) ApplyIn(p *Patch, text []byte, from, to int) ([]byte, error) {
	e.text, e.from, e.to, e.owned, e.edits = text, from, to, false, e.edits[:0]
	if p == nil {
		return text, nil
	}
	e.foreign = p.foreign
	if bytes.HasPrefix(text[from:to], []byte("\uFEFF")) {
		e.from += len("\uFEFF")
	}
	err := e.check()
	for i := range p.ops {
		if err != nil {
			break
		}
		err = e.do(&p.ops[i])
	}
	result := e.text
	e.text = nil // the caller's, which must not be kept
	if err != nil {
		e.edits = e.edits[:0]
		return text, err
	}
	return result, nil
}

// Edits returns what the last Apply has replaced, in the order of the text. All
// other bytes are those of the text. The result is valid until the next call of
// a method.
func (e *Editor) Edits() []Edit { return e.edits }

func (e *Editor) check() error {
	if e.Limit > 0 && e.to-e.from > e.Limit {
		return ErrSize
	}
	return nil
}

// find locates a path in the document as far as it is changed.
func (e *Editor) find(path []token, fails failures) (place, error) {
	p, err := locate(e.text[:e.to], e.from, path, e.foreign)
	switch {
	case err != nil:
		return p, err
	case p.twice:
		return p, fails.twice
	case p.cased:
		return p, fails.cased
	}
	return p, nil
}

// lookUp is find for a value that must be there.
func (e *Editor) lookUp(path []token, fails failures) (place, error) {
	p, err := e.find(path, fails)
	if err == nil && p.kind != found {
		err = fails.absent
	}
	return p, err
}

func (e *Editor) do(op *operation) error {
	switch op.kind {
	case opTest:
		p, err := e.lookUp(op.path, op.fails)
		if err == nil && !op.test.is(e.text[p.value:p.end]) {
			err = op.fails.test
		}
		return err
	case opAdd:
		return e.add(op, op.value)
	case opReplace:
		p, err := e.lookUp(op.path, op.fails)
		if err == nil {
			err = e.replace(p, op.value)
		}
		return err
	case opRemove:
		p, err := e.lookUp(op.path, op.fails)
		if err == nil {
			err = e.remove(p)
		}
		return err
	case opMove, opCopy:
		return e.transfer(op)
	}
	return e.merge(op)
}

// transfer moves or copies a value.
func (e *Editor) transfer(op *operation) error {
	p, err := e.lookUp(op.from, op.lacks)
	if err != nil {
		return err
	}
	e.value = append(e.value[:0], e.text[p.value:p.end]...)
	if op.kind == opMove {
		if len(op.from) == len(op.path) && isPrefix(op.from, op.path) {
			return nil
		}
		if err = e.remove(p); err != nil {
			return err
		}
	}
	return e.add(op, e.value)
}

// add is the operation of that name: it inserts an element, or a member, which
// replaces one of the same name.
func (e *Editor) add(op *operation, value []byte) error {
	p, err := e.find(op.path, op.fails)
	last := len(op.path) - 1
	switch {
	case err != nil:
		return err
	case p.kind == found && (last < 0 || !p.element):
		return e.replace(p, value)
	case p.kind == found:
		return e.splice(p.begin, p.begin, "", nil, value, ",")
	case p.kind == absent && p.step == last:
		return e.append(p, op.named, value)
	}
	return op.fails.absent
}

// append adds a member or an element behind the last one.
func (e *Editor) append(p place, name, value []byte) error {
	before := ","
	if p.empty {
		before = ""
	}
	if p.element {
		name = nil
	}
	return e.splice(p.last, p.last, before, name, value, "")
}

func (e *Editor) replace(p place, value []byte) error {
	if bytes.Equal(e.text[p.value:p.end], value) {
		return nil
	}
	return e.splice(p.value, p.end, "", nil, value, "")
}

// remove removes a member or an element, with the comma in front of it, or else
// the one behind.
func (e *Editor) remove(p place) error {
	switch {
	case p.before >= 0:
		return e.splice(p.before, p.end, "", nil, nil, "")
	case p.next >= 0:
		return e.splice(p.begin, p.next, "", nil, nil, "")
	}
	return e.splice(p.begin, p.end, "", nil, nil, "")
}

// merge applies a leaf of a merge patch. Where the document has no object on the
// way to it, all that the merge patch has for that place is put there.
func (e *Editor) merge(op *operation) error {
	p, err := e.find(op.path, op.fails)
	switch {
	case err != nil:
		return err
	case p.kind == stuck:
		return e.replace(p, op.whole[p.step])
	case p.kind == absent && op.kind == opMergeRemove && p.step == len(op.path)-1:
		return nil
	case p.kind == absent:
		return e.append(p, op.names[p.step], op.whole[p.step+1])
	case op.kind == opMergeRemove:
		return e.remove(p)
	case op.kind == opMergeObject && e.text[p.value] == '{':
		return nil
	}
	return e.replace(p, op.value)
}

// splice replaces text[from:to] by before, name, value and after, of which name
// and value must not point into text.
func (e *Editor) splice(from, to int, before string, name, value []byte, after string) error {
	n := len(before) + len(name) + len(value) + len(after)
	grow := n - (to - from)
	if e.Limit > 0 && e.to-e.from+grow > e.Limit {
		return ErrSize
	}
	old := e.text
	if !e.owned {
		e.buffer = append(sized(e.buffer[:0], len(old)+grow), old[:from]...)
		e.owned = true
	} else {
		e.buffer = sized(old, len(old)+grow)
	}
	next := e.buffer[:len(old)+grow]
	copy(next[to+grow:], old[to:]) // before what lies between: they may overlap
	at := from + copy(next[from:], before)
	at += copy(next[at:], name)
	at += copy(next[at:], value)
	copy(next[at:], after)
	e.text, e.to = next, e.to+grow
	e.note(from, to, n)
	return nil
}

// sized returns b with room for n bytes.
func sized(b []byte, n int) []byte {
	if cap(b) >= n {
		return b
	}
	return append(make([]byte, 0, n+n/8+64), b...)
}

// note adds to the edits that n bytes replace those from from to to of the text
// that the other edits have made. What touches becomes one.
func (e *Editor) note(from, to, n int) {
	first := 0
	for first < len(e.edits) && e.edits[first].NewTo < from {
		first++
	}
	end := first
	for end < len(e.edits) && e.edits[end].NewFrom <= to {
		end++
	}
	shift := 0 // of a place in front of first
	if first > 0 {
		shift = e.edits[first-1].NewTo - e.edits[first-1].To
	}
	all := Edit{From: from - shift, To: to - shift, NewFrom: from, NewTo: to}
	if first < end {
		a, z := e.edits[first], e.edits[end-1]
		all.NewFrom, all.NewTo = min(from, a.NewFrom), max(to, z.NewTo)
		all.From = a.From - (a.NewFrom - all.NewFrom)
		all.To = z.To + (all.NewTo - z.NewTo)
	}
	grow := n - (to - from)
	all.NewTo += grow
	for i := end; i < len(e.edits); i++ {
		e.edits[i].NewFrom += grow
		e.edits[i].NewTo += grow
	}
	e.replaceEdits(first, end, all)
}

// replaceEdits puts one in place of edits[first:end].
func (e *Editor) replaceEdits(first, end int, one Edit) {
	if first == end {
		e.edits = append(e.edits, Edit{})
		copy(e.edits[first+1:], e.edits[first:])
	} else {
		e.edits = append(e.edits[:first+1], e.edits[end:]...)
	}
	e.edits[first] = one
}
