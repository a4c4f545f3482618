// Package known has all dialects that the gateway speaks.
package known

import (
	"strings"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/openai"
)

// Dialects are all of them; the first is the one of paths that are none's.
var Dialects = []dialect.Dialect{openai.Dialect}

// Named returns the dialect with that name; nil if there is none.
func Named(name string) dialect.Dialect {
	for _, d := range Dialects {
		if d.Name() == name {
			return d
		}
	}
	return nil
}

// Of returns the dialect of a request's path, whether it is served or not: an
// error is written in it (G17).
func Of(path string) dialect.Dialect {
	best, length := Dialects[0], 0
	for _, d := range Dialects {
		for _, e := range d.Endpoints() {
			fixed, _, _ := strings.Cut(e.Path, "{")
			if root := strings.TrimSuffix(fixed, "/"); len(root) > length && below(path, root) {
				best, length = d, len(root)
			}
		}
	}
	return best
}

// below reports whether path is root, or below it.
func below(path, root string) bool {
	rest, ok := strings.CutPrefix(path, root)
	return ok && (rest == "" || rest[0] == '/')
}
