package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// decoder fills a Config from a document and notes what does not fit. Such a
// field keeps its default, so that the rest can still be checked.
type decoder struct {
	doc      any
	env      environment
	refused  map[string]bool // the pointers about which enough was said
	problems Problems
}

func (d *decoder) decode(c *Config) {
	v := reflect.ValueOf(c).Elem()
	fill(v)
	d.value("", d.doc, v, "")
}

func (d *decoder) complain(pointer, format string, args ...any) {
	if d.refused[pointer] {
		return
	}
	d.problems = append(d.problems, Problem{Pointer: pointer, Message: d.env.hide(pointer, fmt.Sprintf(format, args...))})
}

func (d *decoder) mismatch(pointer, want string, got any) {
	d.complain(pointer, "want %s, got %s", want, describe(got))
}

// value decodes in into out. tag is that of the field which out belongs to; it
// also applies to the elements of a list or a map.
func (d *decoder) value(pointer string, in any, out reflect.Value, tag reflect.StructTag) {
	if raw, ok := out.Addr().Interface().(*JSON); ok {
		raw.value = in // validate checks it
		return
	}
	if text, ok := out.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.text(pointer, in, out, text, tag)
		return
	}
	switch out.Kind() {
	case reflect.Struct:
		d.fields(pointer, in, out)
	case reflect.Map:
		d.members(pointer, in, out, tag)
	case reflect.Slice:
		d.items(pointer, in, out, tag)
	case reflect.String:
		d.string(pointer, in, out, tag)
	case reflect.Bool:
		if b, ok := d.env.plain(pointer, in).(bool); ok {
			out.SetBool(b)
			return
		}
		d.mismatch(pointer, "true or false", in)
	case reflect.Int:
		d.integer(pointer, in, out, tag)
	case reflect.Float64:
		d.float(pointer, in, out, tag)
	default:
		panic("config: no decoder for " + out.Type().String())
	}
}

func (d *decoder) fields(pointer string, in any, out reflect.Value) {
	members, ok := in.(map[string]any)
	if !ok && in != nil {
		d.complain(pointer, "want a mapping, got %s%s", describe(in), inMapping(out.Type(), in))
		return
	}
	shape := shapeOf(out.Type())
	for _, name := range sorted(members) {
		here, field := join(pointer, name), shape.field(name)
		switch {
		case slices.Contains(shape.later, name):
			d.complain(here, "not supported by this version of weir: remove it, since it would have no effect")
		case field == nil:
			d.complain(here, "%s", unknown(out.Type(), name))
		case members[name] != nil: // null is the same as absent
			d.value(here, members[name], out.FieldByIndex(field.Index), field.Tag)
		}
	}
	for _, f := range shape.fields {
		if name := fieldName(f); f.Tag.Get("need") != "" && members[name] == nil {
			d.complain(pointer, "%s is missing", name)
		}
	}
}

// members decodes the members of a map; one whose value does not fit is still
// added, because others may refer to its name.
func (d *decoder) members(pointer string, in any, out reflect.Value, tag reflect.StructTag) {
	members, ok := in.(map[string]any)
	if !ok {
		d.complain(pointer, "want a mapping, got %s%s", describe(in), byName(in))
		return
	}
	out.Set(reflect.MakeMapWithSize(out.Type(), len(members)))
	for _, name := range sorted(members) {
		element := reflect.New(out.Type().Elem()).Elem()
		fill(element)
		d.value(join(pointer, name), members[name], element, elementTag(tag))
		out.SetMapIndex(reflect.ValueOf(name), element)
	}
}

func (d *decoder) items(pointer string, in any, out reflect.Value, tag reflect.StructTag) {
	list, ok := in.([]any)
	if !ok {
		d.complain(pointer, "want a list, got %s%s", describe(in), inList(out.Type().Elem(), in))
		return
	}
	out.Set(reflect.MakeSlice(out.Type(), len(list), len(list)))
	for i, item := range list {
		element := out.Index(i)
		fill(element)
		d.value(join(pointer, i), item, element, elementTag(tag))
	}
}

func (d *decoder) string(pointer string, in any, out reflect.Value, tag reflect.StructTag) {
	s, ok := in.(string)
	switch enum, later := list(tag, "enum"), list(tag, "later"); {
	case !ok && scalar(in):
		d.complain(pointer, "want a string, got %s; quote it", describe(in))
	case !ok:
		d.mismatch(pointer, "a string", in)
	case slices.Contains(later, s):
		d.complain(pointer, "%q is not supported yet; %s", s, among(s, enum))
	case enum != nil && !slices.Contains(enum, s):
		d.complain(pointer, "%q is not known; %s", s, among(s, enum))
	case s == "" && tag.Get("need") != "":
		d.complain(pointer, "must not be empty")
	default:
		out.SetString(s)
	}
}

// text decodes a Duration, a Size or a Status.
func (d *decoder) text(pointer string, in any, out reflect.Value, text encoding.TextUnmarshaler, tag reflect.StructTag) {
	s, _ := in.(string) // "" is refused like anything that is neither
	if n, ok := in.(number); ok {
		s = string(n)
	}
	old := reflect.New(out.Type()).Elem()
	old.Set(out)
	if err := text.UnmarshalText([]byte(s)); err != nil {
		var bad *malformed
		if errors.As(err, &bad) && bad.written != "" {
			d.complain(pointer, "%v, got %s; write %s", err, describe(in), bad.written)
			return
		}
		d.complain(pointer, "%v, got %s", err, describe(in))
		return
	}
	if !d.within(pointer, out, tag) {
		out.Set(old)
	}
}

func (d *decoder) integer(pointer string, in any, out reflect.Value, tag reflect.StructTag) {
	n, _ := d.env.plain(pointer, in).(number)
	v, err := strconv.Atoi(string(n))
	if err != nil {
		d.mismatch(pointer, "a whole number", in)
		return
	}
	old := out.Int()
	if out.SetInt(int64(v)); !d.within(pointer, out, tag) {
		out.SetInt(old)
	}
}

func (d *decoder) float(pointer string, in any, out reflect.Value, tag reflect.StructTag) {
	n, _ := d.env.plain(pointer, in).(number)
	v, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		d.mismatch(pointer, "a number", in)
		return
	}
	old := out.Float()
	if out.SetFloat(v); !d.within(pointer, out, tag) {
		out.SetFloat(old)
	}
}

// within checks v against the bounds in tag.
func (d *decoder) within(pointer string, v reflect.Value, tag reflect.StructTag) bool {
	low, hasLow := bound(v.Type(), tag, "min")
	high, hasHigh := bound(v.Type(), tag, "max")
	switch {
	case !(hasLow && less(v, low)) && !(hasHigh && less(high, v)):
		return true
	case hasLow && hasHigh:
		d.complain(pointer, "must be from %v to %v, got %v", low, high, v)
	case hasLow:
		d.complain(pointer, "must be %v or more, got %v", low, v)
	default:
		d.complain(pointer, "must be %v or less, got %v", high, v)
	}
	return false
}

func less(a, b reflect.Value) bool {
	if a.CanInt() {
		return a.Int() < b.Int()
	}
	return a.Float() < b.Float()
}

// bound is the value of a min or max tag, read as the field itself is.
func bound(t reflect.Type, tag reflect.StructTag, key string) (reflect.Value, bool) {
	text, ok := tag.Lookup(key)
	v := reflect.New(t).Elem()
	if !ok {
		return v, false
	}
	d := new(decoder)
	var in any = number(text)
	if _, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		in = text
	}
	if d.value("", in, v, ""); d.problems != nil {
		panic(fmt.Sprintf("config: tag %s:%q: %v", key, text, d.problems))
	}
	return v, true
}

// scalar reports whether v would be a string if it were quoted.
func scalar(v any) bool {
	switch v.(type) {
	case bool, number:
		return true
	}
	return false
}

// elementTag is what of a list's tag concerns its elements.
func elementTag(tag reflect.StructTag) reflect.StructTag {
	if enum, ok := tag.Lookup("enum"); ok {
		return reflect.StructTag("enum:" + strconv.Quote(enum))
	}
	return ""
}

// list is a tag that lists something, nil without it.
func list(tag reflect.StructTag, key string) []string {
	if text := tag.Get(key); text != "" {
		return strings.Split(text, ",")
	}
	return nil
}
