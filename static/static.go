package static

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io/fs"
	"path"
	"sync"
	"syscall"
	"time"

	"weir"
)

// Files is a [weir.Handler] that serves the files of one mount. It is safe for
// concurrent use. Register it with [weir.Mux.Handle]: it blocks.
type Files struct {
	*settings
	tree  tree
	cache cache
	tags  sync.Map // by name, of files without a time: see content.identify
	now   func() time.Time
}

// Dir returns the files below a directory, which is opened once and stays the
// same if it is renamed. o may be nil. Close the Files when they are no longer
// served.
func Dir(path string, o *Options) (*Files, error) {
	root, err := openDir(path)
	if err != nil {
		return nil, err
	}
	f, err := of(root, o)
	if err != nil {
		_ = root.Close() // nothing was served
		return nil, err
	}
	return f, nil
}

// FS returns the files of fsys. o may be nil. Files whose modification time is
// zero, as embedded ones, must not change: their ETag is made from their content
// once. A file that cannot seek has no ranges.
func FS(fsys fs.FS, o *Options) (*Files, error) { return of(fsTree{fsys}, o) }

func of(t tree, o *Options) (*Files, error) {
	s, err := o.check()
	if err != nil {
		return nil, err
	}
	return &Files{settings: s, tree: t, cache: cache{limit: s.Cache}, now: time.Now}, nil
}

// Close closes the directory. Files that are being sent are sent to the end.
func (f *Files) Close() error { return f.tree.Close() }

// Serve implements [weir.Handler].
func (f *Files) Serve(w *weir.Response, r *weir.Request) {
	if !f.admits(r) {
		w.Error(403, "403 forbidden")
		return
	}
	if m := r.Method(); m != "GET" && m != "HEAD" {
		if f.Fallthrough != nil {
			f.Fallthrough.Serve(w, r)
			return
		}
		w.Header().Set("Allow", "GET, HEAD")
		w.Error(405, "405 method not allowed")
		return
	}
	name, folder, ok := f.nameOf(r)
	if !ok {
		f.fail(w, r, fs.ErrNotExist)
		return
	}
	f.serve(w, r, name, folder)
}

// admits reports whether a request has the required field, in a time that does
// not depend on how much of its value is right.
func (f *Files) admits(r *weir.Request) bool {
	if f.RequireName == "" {
		return true
	}
	value, one := only(r.Header(), f.RequireName)
	got := sha256.Sum256([]byte(value))
	return subtle.ConstantTimeCompare(got[:], f.require[:]) == 1 && one
}

func (f *Files) serve(w *weir.Response, r *weir.Request, name string, folder bool) {
	if folder {
		if name = path.Join(name, f.Index); f.Index == "" || !f.serves(name) {
			f.fail(w, r, fs.ErrNotExist)
			return
		}
	}
	switch c, isFolder, err := f.look(name); {
	case err != nil:
		f.fail(w, r, err)
	case !isFolder:
		f.respond(w, r, name, c)
	case folder: // a folder that has the index's name
		f.fail(w, r, fs.ErrNotExist)
	default:
		redirect(w, r, name)
	}
}

// redirect leads to the same folder with a slash behind it, so that what its
// index refers to is in it.
func redirect(w *weir.Response, r *weir.Request, name string) {
	to := relative(name)
	if query := r.RawQueryBytes(); query != nil {
		to += "?" + string(query)
	}
	w.Redirect(301, to)
}

// fail is the response for a name that has no file to be served.
func (f *Files) fail(w *weir.Response, r *weir.Request, err error) {
	switch {
	case isMissing(err) && f.Fallthrough != nil:
		f.Fallthrough.Serve(w, r)
	default:
		respondTo(w, err)
	}
}

// respondTo makes err the response.
func respondTo(w *weir.Response, err error) {
	switch {
	case isMissing(err):
		w.Error(404, "404 page not found")
	case errors.Is(err, fs.ErrPermission):
		w.Error(403, "403 forbidden")
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOMEM), errors.Is(err, ErrChanged):
		w.Header().Set("Retry-After", "1")
		w.Error(503, "503 service unavailable")
	default:
		w.Refuse(err) // 500, and a line in the log
	}
}

// isMissing reports whether an error of the file system says that there is no
// such file, or none that is served.
func isMissing(err error) bool {
	for _, kind := range []error{
		fs.ErrNotExist, fs.ErrInvalid, errIrregular, errLink,
		syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.ENXIO, syscall.EILSEQ,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return isEscape(err)
}

// ServeFile serves one file, whatever the request's path: for the fallback of an
// application whose pages are made in the browser, for instance. name is below
// the root. If there is no such file, the response is 404. Only GET and HEAD
// requests get a file, others 405.
//
// A Content-Type that the response has stays. So does a status, such as 404 for
// a page that says so, which then is sent whole, whatever the request's
// conditions and ranges.
func (f *Files) ServeFile(w *weir.Response, r *weir.Request, name string) {
	if m := r.Method(); m != "GET" && m != "HEAD" {
		w.Header().Set("Allow", "GET, HEAD")
		w.Error(405, "405 method not allowed")
		return
	}
	switch c, folder, err := f.look(name); {
	case err != nil:
		respondTo(w, err)
	case folder:
		respondTo(w, fs.ErrNotExist)
	default:
		f.respond(w, r, name, c)
	}
}

// ServeFile serves the file at a path of the file system, wherever that leads:
// check a path from outside before, or use [Dir]. There is neither a cache nor
// a precompressed sibling.
func ServeFile(w *weir.Response, r *weir.Request, path string) { anywhere().ServeFile(w, r, path) }

var anywhere = sync.OnceValue(func() *Files {
	f, err := of(pathTree{}, &Options{Precompressed: []string{}, Cache: -1})
	if err != nil {
		panic(err)
	}
	return f
})
