// Package docs holds weir's user guide, embedded, so that a binary can serve it
// and the model of weir demo can be built from it.
package docs

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed guide/*.md
var files embed.FS

// Guide returns the pages of the guide, as NAME.md.
func Guide() fs.FS {
	return must(fs.Sub(files, "guide"))
}

// Text returns all pages in one string, ordered by name, with an empty line
// between two.
func Text() string {
	var b strings.Builder
	for _, name := range must(fs.Glob(files, "guide/*.md")) {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.Write(must(files.ReadFile(name)))
	}
	return b.String()
}

// must is for errors that an embedded file system cannot have.
func must[T any](v T, err error) T {
	if err != nil {
		panic("docs: " + err.Error())
	}
	return v
}
