package config

import (
	"strconv"
	"strings"
)

var (
	escape   = strings.NewReplacer("~", "~0", "/", "~1")
	unescape = strings.NewReplacer("~1", "/", "~0", "~")
)

// join is the JSON pointer of a member: its name, or its position in a list.
func join(pointer string, step any) string {
	switch step := step.(type) {
	case int:
		return pointer + "/" + strconv.Itoa(step)
	case string:
		return pointer + "/" + escape.Replace(step)
	}
	panic("config: a step is a name or a position")
}

// Pointer is the JSON pointer of what the steps lead to from the document's
// root: names of members, and positions in lists.
func Pointer(path ...any) string { return at(path...) }

// at is the pointer of what the steps lead to from the document's root.
func at(path ...any) (pointer string) {
	for _, step := range path {
		pointer = join(pointer, step)
	}
	return pointer
}

// steps splits a pointer.
func steps(pointer string) []string {
	if pointer == "" {
		return nil
	}
	path := strings.Split(pointer[1:], "/")
	for i, step := range path {
		path[i] = unescape.Replace(step)
	}
	return path
}

// parent is the pointer without its last step.
func parent(pointer string) string {
	return pointer[:max(0, strings.LastIndexByte(pointer, '/'))]
}

// resolves reports whether doc has something at pointer.
func resolves(doc any, pointer string) bool {
	for _, step := range steps(pointer) {
		switch v := doc.(type) {
		case map[string]any:
			member, ok := v[step]
			if !ok {
				return false
			}
			doc = member
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return false
			}
			doc = v[i]
		default:
			return false
		}
	}
	return true
}
