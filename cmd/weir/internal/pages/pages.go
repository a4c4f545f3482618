// Package pages serves the web pages of weir's own commands: plain HTML, CSS
// and JavaScript, embedded, without a build step, and with nothing from another
// server. What the pages share is in kit.
package pages

import (
	"embed"
	"io/fs"
	"strings"

	"weir"
	"weir/static"
)

//go:embed kit
var kit embed.FS

// fields are those of every file. By its policy a page runs no script but its
// own files, connects to its own server alone, and never turns text that a server
// sent into HTML.
var fields = map[string]string{
	"Cache-Control": "no-cache", // a browser asks again: the next weir has other files
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
	"Referrer-Policy": "no-referrer",
}

// Mount serves the page that is in tree's folder "page": its index.html at
// GET /, and the other files, and those of the kit, at GET /page/{name}. A client
// that does not accept HTML, such as curl, gets plain's response from GET /.
func Mount(mux *weir.Mux, tree fs.FS, plain weir.HandlerFunc) {
	index := folder(tree, "page", static.Options{})
	mux.HandleFunc("GET /{$}", func(w *weir.Response, r *weir.Request) {
		w.Header().Set("Vary", "Accept")
		if strings.Contains(r.Header().Get("Accept"), "text/html") { // as every browser sends it
			index.Serve(w, r)
			return
		}
		plain(w, r)
	})
	shared := folder(kit, "kit", static.Options{})
	mux.Handle("GET /page/{name}", folder(tree, "page", static.Options{Exclude: []string{"index.html"}, Fallthrough: shared}))
}

// folder returns the files of an embedded folder.
func folder(tree fs.FS, name string, o static.Options) *static.Files {
	o.Header, o.Precompressed = fields, []string{}
	sub, err := fs.Sub(tree, name)
	if err != nil {
		panic(err) // the name is one of ours
	}
	files, err := static.FS(sub, &o)
	if err != nil {
		panic(err) // so are the options
	}
	return files
}
