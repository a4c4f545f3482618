package weir

import (
	"fmt"
	"iter"
	"strings"

	"weir/http1"
)

// Header is the header fields of a request or a response, in order. Names are
// compared without regard to case. The zero value is empty. That of a request
// or a response must be used only on the handler's goroutine.
type Header struct {
	fields []headerField  // of a request: those that were added
	parsed *http1.Request // a request's own fields, as long as none of them is changed
	framed bool           // a response's: framing fields are refused
	ex     *exchange      // of a request that is served, and of its response; nil of others
	err    error          // why a field of an error response, which has no ex, was refused
	close  bool           // Connection: close was set
	date   string         // a response's, by SetDate; "" = the time of its making
	dated  string         // the date that SetDate took last
}

// keptField is the size up to which a field is remembered in a pooled response.
const keptField = 128

type headerField struct{ name, value string }

// Get returns the first value of the named field, a copy, or "".
func (h *Header) Get(name string) string {
	if h.parsed != nil {
		if value := h.parsed.Get(name); value != nil {
			return string(value)
		}
	}
	for i := range h.fields {
		if sameName(h.fields[i].name, name) {
			return h.fields[i].value
		}
	}
	return ""
}

// Values returns all values of the named field.
func (h *Header) Values(name string) []string {
	var values []string
	for n, v := range h.All() {
		if sameName(n, name) {
			values = append(values, v)
		}
	}
	return values
}

// Has reports whether the named field is present.
func (h *Header) Has(name string) bool {
	if h.parsed != nil && h.parsed.Get(name) != nil {
		return true
	}
	for i := range h.fields {
		if sameName(h.fields[i].name, name) {
			return true
		}
	}
	return false
}

// All yields the fields in their order.
func (h *Header) All() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		if h.parsed != nil {
			for i := range h.parsed.Len() {
				if name, value := h.parsed.Field(i); !yield(string(name), string(value)) {
					return
				}
			}
		}
		for _, f := range h.fields {
			if !yield(f.name, f.value) {
				return
			}
		}
	}
}

// Views is [Header.All] without copies: the slices are valid as long as the
// request; do not modify or retain them. Those of a response, and of fields
// that were set, are copies.
func (h *Header) Views() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		if h.parsed != nil {
			for i := range h.parsed.Len() {
				if !yield(h.parsed.Field(i)) {
					return
				}
			}
		}
		for _, f := range h.fields {
			if !yield([]byte(f.name), []byte(f.value)) {
				return
			}
		}
	}
}

// View is [Header.Get] without a copy; it returns nil if there is no such
// field. The slice is valid like those of Views.
func (h *Header) View(name string) []byte {
	if h.parsed != nil {
		if value := h.parsed.Get(name); value != nil {
			return value
		}
	}
	for i := range h.fields {
		if sameName(h.fields[i].name, name) {
			return []byte(h.fields[i].value)
		}
	}
	return nil
}

// HasToken reports whether the named field, a list that may be spread over
// several lines, has token as an element. Names and tokens are compared without
// regard to case.
func (h *Header) HasToken(name, token string) bool {
	if h.parsed != nil && h.parsed.HasToken(name, token) {
		return true
	}
	for i := range h.fields {
		if f := &h.fields[i]; sameName(f.name, name) && http1.HasToken([]byte(f.value), token) {
			return true
		}
	}
	return false
}

// ClassOf returns what follows from a field's name: see [http1.ClassOf]. Fields
// that a Connection field names are also hop-by-hop: an intermediary passes
// neither on.
func (h *Header) ClassOf(name []byte) http1.Class {
	var class http1.Class
	if h.parsed != nil {
		class = h.parsed.ClassOf(name)
	} else {
		class = http1.ClassOf(name)
	}
	for i := range h.fields { // few, unless the request's own were changed
		if f := &h.fields[i]; sameName(f.name, "Connection") && http1.HasToken([]byte(f.value), name) {
			class |= http1.HopByHop
		}
	}
	return class
}

// Len returns the number of fields.
func (h *Header) Len() int {
	if h.parsed != nil {
		return h.parsed.Len() + len(h.fields)
	}
	return len(h.fields)
}

// Set replaces all values of the named field with value. In a response
// "Connection: close" closes the connection afterwards.
//
// A field that cannot be written fails the response with [ErrField], as
// [Stream.Abort] does: with 500 while nothing was sent. That is a field whose
// name is not a token, whose value has CR, LF, NUL or another control
// character, or, in a response, one that the server writes itself
// ([ErrFramingField]). For names and values from outside use [Header.TrySet].
// Once the head was sent Set has no effect, which is logged.
func (h *Header) Set(name, value string) {
	if err := h.TrySet(name, value); err != nil {
		h.refuse("Header.Set", err)
	}
}

// TrySet is [Header.Set] except that it returns an error instead of failing the
// response: [ErrField], or [ErrHeadSent]. The header is then unchanged.
func (h *Header) TrySet(name, value string) error {
	if ok, err := h.check(name, value); !ok {
		return err
	}
	if h.parsed != nil && h.parsed.Get(name) != nil {
		h.own()
	}
	for i := range h.fields {
		if sameName(h.fields[i].name, name) {
			h.fields[i].value = value
			h.drop(name, i+1)
			return nil
		}
	}
	h.fields = append(h.fields, headerField{name, value})
	return nil
}

// Add appends a field and keeps others of its name. A field that cannot be
// written fails the response, as with [Header.Set].
func (h *Header) Add(name, value string) {
	if err := h.TryAdd(name, value); err != nil {
		h.refuse("Header.Add", err)
	}
}

// TryAdd is to [Header.Add] what [Header.TrySet] is to [Header.Set].
func (h *Header) TryAdd(name, value string) error {
	if ok, err := h.check(name, value); !ok {
		return err
	}
	h.fields = append(h.fields, headerField{name, value})
	return nil
}

// addBytes is Add for bytes, which it copies. A response's header is used again
// by the connection's next one, and has room for the same fields: they cost no
// copy.
func (h *Header) addBytes(name, value []byte) {
	if n := len(h.fields); n < cap(h.fields) && !h.late("") {
		if last := &h.fields[:n+1][n]; len(name) > 0 && last.name == string(name) && last.value == string(value) {
			h.fields = h.fields[:n+1]
			return
		}
	}
	h.Add(string(name), string(value))
}

// late reports whether the header is of a response whose head was sent. A
// change that has no other way to fail is logged.
func (h *Header) late(change string) bool { return h.framed && h.ex.headSent(change) }

// refuse is what becomes of a field that cannot be written and has no other way
// to fail.
func (h *Header) refuse(change string, err error) {
	switch {
	case err == ErrHeadSent:
		h.late(change)
	case h.ex != nil:
		h.ex.fail(err)
	case h.err == nil:
		h.err = err
	}
}

// Del removes all fields of that name.
func (h *Header) Del(name string) {
	if h.late("Header.Del") {
		return
	}
	h.own()
	h.drop(name, 0)
}

// Clear removes all fields.
func (h *Header) Clear() {
	if h.late("Header.Clear") {
		return
	}
	h.own()
	clear(h.fields)
	h.fields, h.close, h.date = h.fields[:0], false, ""
}

// check reports whether the field is to be kept. In a pooled response the
// fields of the last response are still there, behind the end: the same field
// in the same place was checked before.
func (h *Header) check(name, value string) (bool, error) {
	if h.late("") {
		return false, ErrHeadSent
	}
	if n := len(h.fields); n < cap(h.fields) {
		if last := &h.fields[:n+1][n]; last.name == name && last.value == value && name != "" {
			return true, nil
		}
	}
	if h.framed && http1.IsFraming(name) {
		if strings.EqualFold(name, "Connection") && strings.EqualFold(value, "close") {
			h.close = true
			return false, nil
		}
		return false, fmt.Errorf("%w: %s", ErrFramingField, name)
	}
	if err := http1.CheckField(name, value); err != nil {
		return false, fmt.Errorf("%w: %w", ErrField, err)
	}
	return true, nil
}

// own copies a request's fields, so that they can be changed.
func (h *Header) own() {
	if h.parsed == nil {
		return
	}
	fields := make([]headerField, 0, h.Len()+1)
	for name, value := range h.All() {
		fields = append(fields, headerField{name, value})
	}
	h.fields, h.parsed = fields, nil
}

// drop removes the fields of that name from index from on.
func (h *Header) drop(name string, from int) {
	kept := h.fields[:from]
	for _, f := range h.fields[from:] {
		if !sameName(f.name, name) {
			kept = append(kept, f)
		}
	}
	clear(h.fields[len(kept):])
	h.fields = kept
}

// reset empties the header of a pooled response.
func (h *Header) reset() {
	for i := range h.fields {
		if f := &h.fields[i]; len(f.name)+len(f.value) > keptField {
			*f = headerField{} // too much to be kept for check
		}
	}
	h.fields, h.parsed, h.close, h.date = h.fields[:0], nil, false, "" // one by one: it is once a request
}

// sameName compares names of fields, which are ASCII.
func sameName(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

func (h *Header) appendTo(dst []byte) []byte {
	for i := range h.fields {
		dst = http1.AppendField(dst, h.fields[i].name, h.fields[i].value)
	}
	return dst
}

func (h *Header) clone() Header {
	c := Header{framed: h.framed, close: h.close}
	for name, value := range h.All() {
		c.fields = append(c.fields, headerField{name, value})
	}
	return c
}
