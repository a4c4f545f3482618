package policy

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

var kinds = map[string]kind{
	"test": opTest, "add": opAdd, "replace": opReplace, "remove": opRemove, "move": opMove, "copy": opCopy,
}

// patch compiles a JSON Patch, which stands at pointer in the configuration.
func (c *compiler) patch(pointer string, text []byte) (ops []operation) {
	if len(text) == 0 {
		return nil
	}
	text, ok := c.compact(pointer, text)
	if !ok {
		return nil
	}
	if text[0] != '[' {
		c.complain(pointer, "want a list of operations (RFC 6902)")
		return nil
	}
	i := 0
	eachMember(text, func(_, item []byte) bool {
		if op, ok := c.operation(pointer+"/"+strconv.Itoa(i), i, item); ok {
			ops = append(ops, op)
		}
		i++
		return true
	})
	return ops
}

// compact checks JSON text from a configuration and puts it on one line.
func (c *compiler) compact(pointer string, text []byte) ([]byte, bool) {
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		c.complain(pointer, "not JSON: %v", err)
		return nil, false
	}
	if _, err := locate(b.Bytes(), 0, nil, false); err != nil {
		c.complain(pointer, "%s", strings.TrimPrefix(err.Error(), "policy: "))
		return nil, false
	}
	return b.Bytes(), true
}

// members are those of an operation, as JSON text.
type members struct{ op, path, from, value []byte }

// operation compiles the operation with an index. Members that the RFC does not
// know are ignored, as it wants.
func (c *compiler) operation(pointer string, index int, text []byte) (op operation, ok bool) {
	if text[0] != '{' {
		c.complain(pointer, "want an operation: an object with op and path")
		return op, false
	}
	m, ok := c.members(pointer, text)
	if !ok {
		return op, false
	}
	name, ok := c.text(pointer, "op", m.op)
	if !ok {
		return op, false
	}
	if op.kind, ok = kinds[name]; !ok {
		c.complain(pointer+"/op", "%q is not an operation; want test, add, replace, remove, move or copy", name)
		return op, false
	}
	path, ok := c.text(pointer, "path", m.path)
	if !ok {
		return op, false
	}
	if op.path, ok = c.pointer(pointer+"/path", path); !ok {
		return op, false
	}
	op.fails = failuresOf(index, name, path)
	if n := len(op.path); n > 0 {
		op.named = nameOf(op.path[n-1].name)
	}
	switch op.kind {
	case opMove, opCopy:
		return c.source(pointer, index, op, name, m)
	case opRemove:
		if path == "" {
			c.complain(pointer+"/path", "the whole document cannot be removed")
			return op, false
		}
		return op, true
	}
	if m.value == nil {
		c.complain(pointer, "%s needs a value", name)
		return op, false
	}
	if op.kind == opTest {
		op.test = wantOf(m.value)
	}
	op.value = m.value
	return op, true
}

// source compiles what move and copy have in addition.
func (c *compiler) source(pointer string, index int, op operation, name string, m members) (operation, bool) {
	from, ok := c.text(pointer, "from", m.from)
	if !ok {
		return op, false
	}
	if op.from, ok = c.pointer(pointer+"/from", from); !ok {
		return op, false
	}
	if op.kind == opMove && len(op.from) < len(op.path) && isPrefix(op.from, op.path) {
		c.complain(pointer+"/path", "a value cannot be moved into itself")
		return op, false
	}
	op.lacks = failuresOf(index, name, from)
	return op, true
}

// members finds the members of an operation. One that is there twice means two
// things.
func (c *compiler) members(pointer string, text []byte) (m members, ok bool) {
	known := map[string]*[]byte{"op": &m.op, "path": &m.path, "from": &m.from, "value": &m.value}
	ok = true
	eachMember(text, func(name, value []byte) bool {
		member := known[string(decode(name))]
		switch {
		case member == nil:
		case *member != nil:
			c.complain(pointer, "%s is given twice", decode(name))
			ok = false
		default:
			*member = value
		}
		return true
	})
	return m, ok
}

// text is a member that must be a string.
func (c *compiler) text(pointer, name string, value []byte) (string, bool) {
	switch {
	case value == nil:
		c.complain(pointer, "%s is missing", name)
		return "", false
	case value[0] != '"':
		c.complain(pointer+"/"+name, "want a string; quote it")
		return "", false
	}
	return string(decode(value[1 : len(value)-1])), true
}

func (c *compiler) pointer(pointer, text string) ([]token, bool) {
	path, err := parsePointer(text)
	switch {
	case err != nil:
		c.complain(pointer, "%v, got %q", err, text)
		return nil, false
	case len(path) > MaxDepth:
		c.complain(pointer, "more than %d steps", MaxDepth)
		return nil, false
	}
	return path, true
}

// nameOf is a name as it stands in front of a member's value.
func nameOf(name []byte) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(string(name)) // a string can be encoded
	return append(bytes.TrimSuffix(b.Bytes(), []byte("\n")), ':')
}

// merge compiles a merge patch: into an operation for each of its leaves, in
// their order.
func (c *compiler) merge(pointer string, text []byte) (ops []operation) {
	if len(text) == 0 {
		return nil
	}
	text, ok := c.compact(pointer, text)
	if !ok {
		return nil
	}
	if text[0] != '{' {
		c.complain(pointer, "want an object (RFC 7396)")
		return nil
	}
	if name := twice(text); name != nil {
		c.complain(pointer, "%q is given twice", name)
		return nil
	}
	return leaves(nil, nil, [][]byte{pruned(text)}, text)
}

// leaves appends the operations for value, a part of a merge patch at path.
// whole is that of an operation, up to path.
func leaves(ops []operation, path []token, whole [][]byte, value []byte) []operation {
	if value[0] == '{' && len(value) > len("{}") {
		eachMember(value, func(raw, member []byte) bool {
			name := decode(raw)
			ops = leaves(ops, append(slices.Clip(path), token{name, notIndex}), append(slices.Clip(whole), pruned(member)), member)
			return true
		})
		return ops
	}
	op := operation{kind: opMergeSet, path: path, value: value, whole: whole}
	switch value[0] {
	case 'n':
		op.kind = opMergeRemove
	case '{':
		op.kind = opMergeObject
	}
	var pointer strings.Builder
	for _, t := range path {
		op.names = append(op.names, nameOf(t.name))
		pointer.WriteString("/" + strings.ReplaceAll(strings.ReplaceAll(string(t.name), "~", "~0"), "/", "~1"))
	}
	op.fails = failuresOf(-1, "merge", pointer.String())
	return append(ops, op)
}

// pruned is what a part of a merge patch makes where there was nothing: itself
// without the members of its objects that are null. Arrays are as they are.
func pruned(value []byte) []byte {
	if value[0] != '{' {
		return value
	}
	out := []byte{'{'}
	eachMember(value, func(name, member []byte) bool {
		if member[0] == 'n' {
			return true
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, '"'), name...), '"', ':')
		out = append(out, pruned(member)...)
		return true
	})
	return append(out, '}')
}

// twice returns a name that one of the objects in a merge patch has twice.
func twice(value []byte) (name []byte) {
	if value[0] != '{' {
		return nil
	}
	seen := map[string]bool{}
	eachMember(value, func(raw, member []byte) bool {
		if text := decode(raw); seen[string(text)] {
			name = text
		} else if seen[string(text)] = true; name == nil {
			name = twice(member)
		}
		return name == nil
	})
	return name
}
