// Package pages serves the web pages of weir's own commands: plain HTML, CSS
// and JavaScript, embedded, without a build step, and with nothing from another
// server. What the pages share is in kit.
package pages

import (
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"weir"
)

//go:embed kit
var kit embed.FS

// policy is the Content-Security-Policy of every file: a page runs no script
// but its own files, connects to its own server alone, and never turns text
// that a server sent into HTML.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// Mount serves a page: the index.html of files at GET /, and the other files,
// those of the kit included, at GET /page/{name}. A client that does not accept
// HTML, such as curl, gets plain's response from GET /. Mount panics if a file
// has an unknown type, or the kit's name.
func Mount(mux *weir.Mux, files fs.FS, plain weir.HandlerFunc) {
	all := map[string]file{}
	load(all, kit)
	load(all, files)
	index, ok := all["index.html"]
	if !ok {
		panic("pages: there is no index.html")
	}
	delete(all, "index.html")
	mux.HandleFunc("GET /{$}", func(w *weir.Response, r *weir.Request) {
		w.Header().Set("Vary", "Accept")
		if strings.Contains(r.Header().Get("Accept"), "text/html") { // as every browser sends it
			index.serve(w, r)
			return
		}
		plain(w, r)
	})
	for name, f := range all {
		mux.HandleFunc("GET /page/"+name, f.serve)
	}
}

// file is an embedded file, and its response.
type file struct {
	body, contentType, tag string
}

// load adds the files of a tree by their base names.
func load(all map[string]file, tree fs.FS) {
	err := fs.WalkDir(tree, ".", func(at string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(tree, at)
		name := path.Base(at)
		contentType := types[path.Ext(name)]
		if _, twice := all[name]; twice || contentType == "" {
			panic(fmt.Sprintf("pages: %s: got a second file of this name, or of an unknown type", at))
		}
		all[name] = file{string(body), contentType, fmt.Sprintf("%q", fmt.Sprintf("%.8x", sha256.Sum256(body)))}
		return err
	})
	if err != nil {
		panic(fmt.Sprintf("pages: an embedded file cannot be read: %v", err))
	}
}

// serve responds with the file, or with 304 if the browser has it.
func (f file) serve(w *weir.Response, r *weir.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-cache") // a browser asks again: the next weir has other files
	h.Set("ETag", f.tag)
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	if strings.Contains(r.Header().Get("If-None-Match"), f.tag) {
		w.SetStatus(304)
		return
	}
	h.Set("Content-Type", f.contentType)
	w.WriteString(f.body)
}
