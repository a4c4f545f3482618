package policy

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// random makes documents and patches, spelled in every way that JSON allows.
type random struct{ *rand.Rand }

func randomOf(seed uint64) random { return random{rand.New(rand.NewPCG(seed, seed))} }

func pick[T any](r random, from ...T) T { return from[r.IntN(len(from))] }

// names are few, so that paths meet.
var names = []string{"a", "b", "c", "a/b", "~", "é", "0", "1", "-", "long name that is not in any hurry", "x\"\\\n"}

func (r random) space() string {
	if r.IntN(4) > 0 {
		return ""
	}
	return pick(r, " ", "\n", "\t", "\r\n  ")
}

// quoted spells a string, with some of its characters escaped that need not be.
func (r random) quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c < ' ', r.IntN(8) == 0 && c < 0x10000:
			fmt.Fprintf(&b, pick(r, `\u%04x`, `\u%04X`), c)
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '/' && r.IntN(2) == 0:
			b.WriteString(`\/`)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func (r random) scalar() string {
	return pick(r, "null", "true", "false", "0", "-1", "1", "1.0", "1e2", "0.5", "12.25E+1", `""`, `"\ud83d\ude00"`,
		strconv.Itoa(r.IntN(1000)), r.quoted(pick(r, names...)), r.quoted("Once upon a time, / there was a model\n"))
}

// value is a value with at most that many levels.
func (r random) value(levels int) string {
	kind := r.IntN(10)
	if levels == 0 || kind < 4 {
		return r.scalar()
	}
	n := r.IntN(5)
	items := make([]string, n)
	if kind < 6 {
		for i := range items {
			items[i] = r.space() + r.value(levels-1) + r.space()
		}
		return "[" + strings.Join(items, ",") + pick(r, "", r.space()) + "]"
	}
	return r.object(levels)
}

func (r random) object(levels int) string {
	order := r.Perm(len(names))[:r.IntN(6)]
	items := make([]string, len(order))
	for i, k := range order {
		items[i] = r.space() + r.quoted(names[k]) + r.space() + ":" + r.space() + r.value(levels-1) + r.space()
	}
	return "{" + strings.Join(items, ",") + r.space() + "}"
}

// document is an object or an array: the oracles know no others.
func (r random) document() string {
	if r.IntN(10) == 0 {
		return r.space() + "[" + r.value(3) + r.space() + "]"
	}
	return r.space() + r.object(4) + r.space()
}

var escapeStep = strings.NewReplacer("~", "~0", "/", "~1")

// path is mostly that of something in doc, or near it.
func (r random) path(doc any) string {
	var path strings.Builder
	for r.IntN(8) > 0 {
		switch v := doc.(type) {
		case map[string]any:
			name := pick(r, names...)
			if _, ok := v[name]; !ok && len(v) > 0 && r.IntN(3) > 0 {
				for _, n := range names {
					if _, ok := v[n]; ok {
						name = n
					}
				}
			}
			path.WriteString("/" + escapeStep.Replace(name))
			doc = v[name]
		case []any:
			i := r.IntN(len(v) + 2)
			if step := pick(r, "", "", "", "-"); step != "" || i > len(v) {
				path.WriteString("/-")
				doc = nil
				break
			}
			path.WriteString("/" + strconv.Itoa(i))
			if doc = nil; i < len(v) {
				doc = v[i]
			}
		default:
			if r.IntN(4) == 0 {
				path.WriteString("/" + escapeStep.Replace(pick(r, names...)))
			}
			return path.String()
		}
	}
	return path.String()
}

// operations is a JSON Patch for a document, of which each is likely to apply
// to what it was before.
func (r random) operations(doc string) string {
	var parsed any
	_ = json.Unmarshal([]byte(doc), &parsed) // it is JSON
	n := 1 + r.IntN(3)
	ops := make([]string, 0, n)
	for len(ops) < n {
		path, op := r.path(parsed), pick(r, "add", "add", "add", "replace", "replace", "remove", "test", "move", "copy")
		members := []string{`"op":` + r.quoted(op), `"path":` + r.quoted(path)}
		switch op {
		case "move", "copy":
			from := r.path(parsed)
			if op == "move" && strings.HasPrefix(path+"/", from+"/") || path == "" {
				continue
			}
			members = append(members, `"from":`+r.quoted(from))
		case "remove":
			if path == "" {
				continue
			}
		case "test":
			value := r.value(1)
			if v, ok := at(parsed, path); ok && r.IntN(4) > 0 {
				text, _ := json.Marshal(v)
				value = string(text)
			}
			members = append(members, `"value":`+value)
		default:
			value := r.value(2)
			if path == "" {
				value = r.document()
			}
			members = append(members, `"value":`+r.space()+value)
		}
		r.Shuffle(len(members), func(i, k int) { members[i], members[k] = members[k], members[i] })
		ops = append(ops, "{"+strings.Join(members, ","+r.space())+"}")
	}
	return "[" + strings.Join(ops, ",") + "]"
}

// at is what a decoded document has at a path.
func at(doc any, path string) (any, bool) {
	tokens, _ := parsePointer(path)
	for _, t := range tokens {
		switch v := doc.(type) {
		case map[string]any:
			member, ok := v[string(t.name)]
			if !ok {
				return nil, false
			}
			doc = member
		case []any:
			if t.index < 0 || t.index >= len(v) {
				return nil, false
			}
			doc = v[t.index]
		default:
			return nil, false
		}
	}
	return doc, true
}
