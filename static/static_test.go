package static

import (
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"weir"
	"weir/weirtest"
)

func TestServes(t *testing.T) {
	dir := folder(t, map[string]string{
		"index.html": "<p>index</p>", "hello.txt": "hello", "a/b/c.css": "p {}", "a/index.html": "a's", "empty": "",
		"favicon.ico": "icon", "with space.txt": "space", "ünï.txt": "utf-8", "a:b.txt": "colon", "100%.txt": "percent",
	})
	serve(t, dir, nil, func(s *site) {
		for _, test := range []struct{ path, body, media string }{
			{"", "<p>index</p>", "text/html; charset=utf-8"}, // S5
			{"index.html", "<p>index</p>", "text/html; charset=utf-8"},
			{"hello.txt", "hello", "text/plain; charset=utf-8"}, // S7
			{"hello.txt?x=1", "hello", "text/plain; charset=utf-8"},
			{"a/b/c.css", "p {}", "text/css; charset=utf-8"},
			{"a/", "a's", "text/html; charset=utf-8"},
			{"empty", "", "application/octet-stream"},
			{"with%20space.txt", "space", "text/plain; charset=utf-8"},
			{"%C3%BCn%C3%AF.txt", "utf-8", "text/plain; charset=utf-8"},
			{"a:b.txt", "colon", "text/plain; charset=utf-8"},
			{"100%25.txt", "percent", "text/plain; charset=utf-8"},
			{"%68ello.txt", "hello", "text/plain; charset=utf-8"},
		} {
			g := s.get(test.path)
			g.expect(s, 200, test.body)
			g.has(s, "Content-Type", test.media)
			g.has(s, "Content-Length", fmt.Sprint(len(test.body)))
			g.has(s, "X-Content-Type-Options", "nosniff")
			g.has(s, "Accept-Ranges", "bytes")
			g.has(s, "Last-Modified", "Tue, 04 May 1999 03:02:01 GMT")
			g.has(s, "Vary", "Accept-Encoding")
		}
		s.do("GET", "/favicon.ico").expect(s, 200, "icon") // a pattern without a wildcard
	})
}

// S6, X144
func TestMethods(t *testing.T) {
	dir := folder(t, map[string]string{"small": "hello", "middle": numbers(20_000), "large": numbers(200_000)})
	serve(t, dir, nil, func(s *site) {
		for _, name := range []string{"small", "middle", "large"} {
			want, head := s.get(name), s.do("HEAD", "/files/"+name)
			head.expect(s, 200, "")
			if head.body != "" {
				s.Errorf("%s: got %d bytes behind HEAD", name, len(head.body))
			}
			for field := range want.Header {
				head.has(s, field, want.Header.Get(field))
			}
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"} {
			g := s.do(method, "/files/small")
			g.expect(s, 405, "")
			g.has(s, "Allow", "GET, HEAD")
		}
	})
}

// secret is what no request may get.
const secret = "SECRET"

// S2, S3, S4, X139, X140: attempts to get what is not to be served. None
// succeeds.
func TestAttempts(t *testing.T) {
	outside := folder(t, map[string]string{"secret.txt": secret, "dir/index.html": secret, "dir/secret.txt": secret})
	dir := filepath.Join(outside, "public")
	for name, text := range map[string]string{
		"index.html": "index", "hello.txt": "hello", "sub/hello.txt": "hello", "sub/page.html": "page",
		".env": secret, ".git/config": secret, "sub/.hidden": secret, ".well-known/.hidden": secret, "...": secret,
		"sub/deep/.htaccess": secret, "trailing.": secret, "trailing ": secret, "back\\slash": secret, "new\nline": secret,
	} {
		write(t, filepath.Join(dir, name), text)
	}
	for link, to := range map[string]string{
		"out.txt": "../secret.txt", "absolute.txt": filepath.Join(outside, "secret.txt"), "etc": "/etc", "up": "..", "outdir": "../dir",
		"inside-absolute.txt": filepath.Join(dir, "hello.txt"), "loop": "loop", "sub/page.html.gz": "../../secret.txt",
		"through": "sub/../../secret.txt", "chain": "out.txt", "sub/index.html": filepath.Join(outside, "secret.txt"),
		"dangling": "nowhere",
	} {
		try(t, os.Symlink(to, filepath.Join(dir, link)))
	}
	attempts := []string{
		"../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "%2e%2e%2fsecret.txt", "sub/%2e%2e/%2e%2e/secret.txt", "sub/..%2f..%2fsecret.txt",
		"..\\secret.txt", "..%5csecret.txt", "sub\\..\\..\\secret.txt", "%2e%2e%5csecret.txt", ".%2e/secret.txt", "%252e%252e/secret.txt", "..%252fsecret.txt",
		"%c0%ae%c0%ae/secret.txt", "%c0%ae%c0%ae%c0%afsecret.txt", "%e0%80%ae%e0%80%ae/secret.txt", "%ff/secret.txt", "..%c0%afsecret.txt", "..%c1%9csecret.txt",
		"%2fetc/passwd", "%2f%2fetc%2fpasswd", "/etc/passwd", "//etc/passwd", "file:%2f%2f%2fetc%2fpasswd", "sub/%2fetc/passwd",
		"..", "%2e%2e", ".", "%2e", "./", "%2e/", "sub/..", "sub/%2e%2e", "sub/%2e%2e/", "...", "....//secret.txt", "..;/secret.txt", "..%20/secret.txt", "%20../secret.txt",
		"secret.txt%00.txt", "%00", "..%00/secret.txt", "hello.txt%00", "hello.txt%0a", "%0d%0aX:%20y", "new%0aline", "hello.txt%7f",
		"hello.txt.", "hello.txt%20", "hello.txt%2e", "trailing.", "trailing%20", "hello.txt::$DATA", "back%5cslash", "back\\slash", "hello.txt/", "hello.txt/x", "hello.txt%2f",
		".env", "%2eenv", ".git/config", ".git%2fconfig", ".git/", "sub/.hidden", "sub/%2ehidden", ".well-known/.hidden", "sub/deep/.htaccess",
		"out.txt", "absolute.txt", "etc/passwd", "etc/", "up/secret.txt", "up/public/../secret.txt", "outdir/", "outdir/secret.txt", "outdir/index.html",
		"inside-absolute.txt", "loop", "loop/x", "through", "chain", "sub/index.html", "sub/", "dangling",
		strings.Repeat("a", 300), strings.Repeat("a/", 2000), strings.Repeat("%2e%2e/", 300) + "etc/passwd",
	}
	serve(t, dir, nil, func(s *site) {
		for _, path := range attempts {
			g := s.do("GET", "/files/"+path, "Accept-Encoding: gzip")
			if strings.Contains(g.body, secret) || strings.Contains(g.body, "root:") {
				s.Errorf("%q: got what is not served: %.80q", path, g.body)
			}
			switch g.StatusCode {
			case 400, 404:
			case 307: // the Mux leads to the path without its dots first
				if to := g.Header.Get("Location"); strings.Contains(to+"/", "/../") || strings.HasPrefix(to, "//") {
					s.Errorf("%q: got Location %q", path, to)
				}
			default:
				s.Errorf("%q: got %d %.80q, want 404", path, g.StatusCode, g.body)
			}
		}
		// The sibling leads out: the file itself is sent.
		g := s.get("sub/page.html", "Accept-Encoding: gzip")
		g.expect(s, 200, "page")
		g.has(s, "Content-Encoding", "")
	})
}

// S3: links that stay inside are followed, unless that is off.
func TestSymlinks(t *testing.T) {
	dir := folder(t, map[string]string{"real/hello.txt": "hello", "real/sub/x.txt": "x"})
	try(t, os.Symlink("real", filepath.Join(dir, "link")))
	try(t, os.Symlink("real/hello.txt", filepath.Join(dir, "hello.txt")))
	try(t, os.Symlink("../hello.txt", filepath.Join(dir, "real/sub/up.txt")))
	for _, none := range []bool{false, true} {
		serve(t, dir, &Options{NoSymlinks: none}, func(s *site) {
			for path, body := range map[string]string{"link/hello.txt": "hello", "hello.txt": "hello", "real/sub/up.txt": "hello", "link/sub/x.txt": "x"} {
				if g := s.get(path); none {
					g.expect(s, 404, "")
				} else {
					g.expect(s, 200, body)
				}
			}
			s.get("real/hello.txt").expect(s, 200, "hello")
			s.get("real/sub/x.txt").expect(s, 200, "x")
		})
	}
}

// S4
func TestDotFiles(t *testing.T) {
	dir := folder(t, map[string]string{".well-known/acme/x": "acme", ".env": "env", "a/.b/c": "c", "a/.well-known/x": "no"})
	serve(t, dir, nil, func(s *site) {
		s.get(".well-known/acme/x").expect(s, 200, "acme")
		s.get(".env").expect(s, 404, "")
		s.get("a/.b/c").expect(s, 404, "")
		s.get("a/.well-known/x").expect(s, 404, "")
	})
	serve(t, dir, &Options{DotFiles: true}, func(s *site) {
		s.get(".env").expect(s, 200, "env")
		s.get("a/.b/c").expect(s, 200, "c")
		s.get("%2e").expect(s, 404, "")
		s.get("%2e%2e").expect(s, 404, "")
	})
}

// S5, X141
func TestFolders(t *testing.T) {
	dir := folder(t, map[string]string{
		"a/index.html": "a", "a b/index.html": "space", "c:d/index.html": "colon", "none/x": "x", "é/index.html": "e", "q?m/index.html": "mark",
		"<b>/index.html": "bold", "x/index.html/y": "",
	})
	serve(t, dir, nil, func(s *site) {
		for path, to := range map[string]string{
			"a": "./a/", "a?x=1&y=%2F": "./a/?x=1&y=%2F", "a?": "./a/?", "a%20b": "./a%20b/", "c:d": "./c:d/", "none": "./none/",
			"%C3%A9": "./%C3%A9/", "q%3Fm": "./q%3Fm/", "%3Cb%3E": "./%3Cb%3E/", "a?//evil.example": "./a/?//evil.example",
		} {
			g := s.get(path)
			g.expect(s, 301, "")
			g.has(s, "Location", to)
		}
		s.get("none/").expect(s, 404, "")
		s.get("x/").expect(s, 404, "") // its index is a folder
	})
	serve(t, dir, &Options{Index: None}, func(s *site) {
		s.get("a/").expect(s, 404, "")
		s.get("a/index.html").expect(s, 200, "a")
	})
	serve(t, dir, &Options{Index: "x"}, func(s *site) { s.get("none/").expect(s, 200, "x") })
}

// S1, X146: what is not a regular file, in every place. A FIFO without a writer
// would hang, and its descriptor stay open.
func TestIrregular(t *testing.T) {
	dir := folder(t, map[string]string{"page.html": "page", "sub/": "", "dir/x": "x", "folder.txt": "text", "folder.txt.gz/x": "x"})
	for _, name := range []string{"fifo", "sub/index.html", "page.html.gz"} {
		try(t, syscall.Mkfifo(filepath.Join(dir, name), 0o644))
	}
	ln, err := net.Listen("unix", filepath.Join(dir, "socket"))
	try(t, err)
	defer ln.Close()
	paths := []string{"fifo", "sub/", "sub/index.html", "socket", "page.html.gz"}
	if syscall.Mknod(filepath.Join(dir, "null"), syscall.S_IFCHR|0o644, 1<<8|3) == nil { // needs root
		paths = append(paths, "null")
	}
	for _, cache := range []int64{0, -1} {
		serve(t, dir, &Options{Cache: cache}, func(s *site) {
			for _, path := range paths {
				s.get(path).expect(s, 404, "")
			}
			for _, path := range []string{"page.html", "folder.txt"} {
				g := s.get(path, "Accept-Encoding: gzip")
				g.expect(s, 200, "")
				g.has(s, "Content-Encoding", "")
			}
		})
	}
}

// A file that becomes a FIFO behind the first look.
func TestBecomesIrregular(t *testing.T) {
	dir := folder(t, map[string]string{"x": "x"})
	f, err := Dir(dir, nil)
	try(t, err)
	defer f.Close()
	fifo := filepath.Join(dir, "fifo")
	try(t, syscall.Mkfifo(fifo, 0o644))
	if c, err := f.load("fifo", nil); err != errIrregular {
		t.Errorf("got %v, %v, want errIrregular", c, err)
	}
}

// S18
func TestRequired(t *testing.T) {
	dir := folder(t, map[string]string{"x": "x"})
	serve(t, dir, &Options{RequireName: "X-Proof", RequireValue: "open sesame"}, func(s *site) {
		for _, test := range []struct {
			status int
			fields []string
		}{
			{200, []string{"X-Proof: open sesame"}},
			{200, []string{"x-proof:   open sesame  "}},
			{403, nil},
			{403, []string{"X-Proof: "}},
			{403, []string{"X-Proof: Open sesame"}},
			{403, []string{"X-Proof: open sesame!"}},
			{403, []string{"X-Proof: open"}},
			{403, []string{"X-Proof: open sesame", "X-Proof: open sesame"}},
			{403, []string{"X-Proof: no", "X-Proof: open sesame"}},
		} {
			s.get("x", test.fields...).expect(s, test.status, "")
			if test.status == 403 {
				s.get("nowhere", test.fields...).expect(s, 403, "")
				s.do("POST", "/files/x", test.fields...).expect(s, 403, "")
			}
		}
	})
}

// S19, S20
func TestExcludedAndFallthrough(t *testing.T) {
	dir := folder(t, map[string]string{
		"api/x": secret, "api.txt": "api", "js/src/a.js": secret, "js/srcmap": "map", "a.txt": "a", "a.txt.gz": secret, "drafts/index.html": secret, "up/index.html": secret,
	})
	o := &Options{Exclude: []string{"api", "/js/src/", "a.txt.gz", "drafts/index.html", "up"}}
	paths := []string{"api", "api/", "api/x", "API/x", "js/src", "js/src/a.js", "js/SRC/a.js", "a.txt.gz", "drafts/", "up", "up/", "%61pi/x", "nowhere", ".env", "js", "%2e%2e/x"}
	serve(t, dir, o, func(s *site) {
		for _, path := range paths[:len(paths)-2] {
			s.get(path).expect(s, 404, "")
		}
		s.get("api.txt").expect(s, 200, "api")
		s.get("js/srcmap").expect(s, 200, "map")
		s.get("a.txt", "Accept-Encoding: gzip").expect(s, 200, "a")
	})
	through := *o
	through.Fallthrough = weir.HandlerFunc(func(w *weir.Response, r *weir.Request) { w.WriteString("through " + r.Method()) })
	serve(t, dir, &through, func(s *site) {
		for _, path := range paths {
			if g := s.get(path); path != "js" {
				g.expect(s, 200, "through GET")
			}
		}
		s.do("POST", "/files/a.txt").expect(s, 200, "through POST")
		s.get("a.txt").expect(s, 200, "a")
	})
}

// A page for all paths, as applications in the browser want it.
func TestServeFile(t *testing.T) {
	dir := folder(t, map[string]string{"app.html": "app", "x.js": "x", "sub/": ""})
	var files *Files
	o := &Options{Fallthrough: weir.HandlerFunc(func(w *weir.Response, r *weir.Request) { files.ServeFile(w, r, r.Query().Get("f")) })}
	files, err := Dir(dir, o)
	try(t, err)
	defer files.Close()
	mounted(t, files, func(s *site) {
		g := s.get("some/page?f=app.html")
		g.expect(s, 200, "app")
		s.get("some/page?f=app.html", "If-None-Match: "+g.Header.Get("ETag")).expect(s, 304, "")
		s.get("x.js").expect(s, 200, "x")
		s.get("some/page?f=none").expect(s, 404, "")
		s.get("some/page?f=sub").expect(s, 404, "")
		s.get("some/page?f=../x").expect(s, 404, "")
		s.do("POST", "/files/some/page?f=app.html").expect(s, 405, "")
	})
}

// S7, S10: what a handler sets before ServeFile stays. The page of an error is sent
// whole.
func TestServeFileAsPartOfAResponse(t *testing.T) {
	dir := folder(t, map[string]string{"404.html": "nothing here", "export": "a,b"})
	m := new(weir.Mux)
	m.HandleFunc("GET /export", func(w *weir.Response, r *weir.Request) {
		w.Header().Set("Content-Type", "text/csv")
		w.Attachment("a.csv")
		ServeFile(w, r, filepath.Join(dir, "export"))
	})
	m.HandleFunc("GET /", func(w *weir.Response, r *weir.Request) {
		w.SetStatus(404)
		ServeFile(w, r, filepath.Join(dir, "404.html"))
	})
	synctest.Test(t, func(t *testing.T) {
		s := &site{t, weirtest.Start(t, &weir.Server{Handler: m})}
		g := s.do("GET", "/export")
		g.expect(s, 200, "a,b")
		g.has(s, "Content-Type", "text/csv")
		g.has(s, "Content-Disposition", `attachment; filename="a.csv"`)
		g = s.do("GET", "/export", "If-None-Match: "+g.Header.Get("ETag"))
		g.expect(s, 304, "")
		g.has(s, "Content-Type", "")
		for _, field := range []string{"X: y", "Range: bytes=0-3", "Range: bytes=90-", "If-None-Match: *", `If-Match: "x"`} {
			g := s.do("GET", "/nowhere", field)
			g.expect(s, 404, "nothing here")
			g.has(s, "Content-Type", "text/html; charset=utf-8")
		}
	})
}

// S7
func TestOptionsOfResponses(t *testing.T) {
	dir := folder(t, map[string]string{"a.txt": "a", "a.glb": "g", "a.HTML": "h", "a.weird": "w", "a.own": "o"})
	o := &Options{
		Header:  map[string]string{"Cache-Control": "max-age=60", "X-Content-Type-Options": "mine"},
		Types:   map[string]string{".weird": "text/weird", ".own": "text/own; charset=latin1"},
		Charset: "ascii", Precompressed: []string{}, MaxRanges: -1,
	}
	serve(t, dir, o, func(s *site) {
		clear(o.Types) // they were copied
		g := s.get("a.txt", "Range: bytes=0-0")
		g.expect(s, 200, "a")
		for name, value := range map[string]string{
			"Cache-Control": "max-age=60", "X-Content-Type-Options": "mine", "Content-Type": "text/plain; charset=ascii", "Vary": "", "Accept-Ranges": "",
		} {
			g.has(s, name, value)
		}
		g = s.get("a.txt", "If-None-Match: "+g.Header.Get("ETag"))
		g.expect(s, 304, "")
		g.has(s, "Cache-Control", "max-age=60")
		s.get("none").has(s, "Cache-Control", "")
		s.get("a.weird").has(s, "Content-Type", "text/weird; charset=ascii")
		s.get("a.own").has(s, "Content-Type", "text/own; charset=latin1")
		s.get("a.HTML").has(s, "Content-Type", "text/html; charset=ascii")
		s.get("a.glb").has(s, "Content-Type", "model/gltf-binary")
	})
	serve(t, dir, &Options{Charset: None}, func(s *site) { s.get("a.txt").has(s, "Content-Type", "text/plain") })
}

func TestOptionsThatAreRefused(t *testing.T) {
	for name, o := range map[string]*Options{
		"framing":        {Header: map[string]string{"Content-Length": "1"}},
		"own field":      {Header: map[string]string{"etag": "x"}},
		"line break":     {Header: map[string]string{"X": "a\r\nb"}},
		"name":           {Header: map[string]string{"a b": "x"}},
		"index":          {Index: "a/b"},
		"index above":    {Index: ".."},
		"extension":      {Types: map[string]string{"html": "text/html"}},
		"upper case":     {Types: map[string]string{".HTML": "text/html"}},
		"media type":     {Types: map[string]string{".x": "text"}},
		"charset":        {Charset: "a\r\nb"},
		"value alone":    {RequireValue: "x"},
		"name alone":     {RequireName: "X"},
		"require":        {RequireName: "X", RequireValue: "a\nb"},
		"exclude all":    {Exclude: []string{"/"}},
		"exclude above":  {Exclude: []string{"../x"}},
		"exclude dots":   {Exclude: []string{"a/./b"}},
		"coding":         {Precompressed: []string{"deflate"}},
		"coding, double": {Precompressed: []string{"gzip", "gzip"}},
	} {
		if _, err := FS(fstest.MapFS{}, o); err == nil || !strings.HasPrefix(err.Error(), "static: ") {
			t.Errorf("%s: got %v, want an error of the package", name, err)
		}
		if _, err := Dir(t.TempDir(), o); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if _, err := Dir(filepath.Join(t.TempDir(), "nowhere"), nil); err == nil || !strings.HasPrefix(err.Error(), "static: ") {
		t.Errorf("got %v, want an error", err)
	}
}

// S21
func TestErrors(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
	}{
		{syscall.EACCES, 403}, {syscall.EPERM, 403}, {syscall.EMFILE, 503}, {syscall.ENFILE, 503}, {syscall.ENOMEM, 503}, {syscall.EIO, 500},
		{syscall.ENOENT, 404}, {syscall.ENOTDIR, 404}, {syscall.ELOOP, 404}, {syscall.ENAMETOOLONG, 404}, {ErrChanged, 503},
	} {
		f, err := of(brokenTree{test.err}, nil)
		try(t, err)
		mounted(t, f, func(s *site) {
			g := s.get("x")
			g.expect(s, test.status, "")
			if strings.Contains(g.body, test.err.Error()) {
				s.Errorf("got %q, which says too much", g.body)
			}
		})
	}
}

// brokenTree is a tree that fails.
type brokenTree struct{ err error }

func (t brokenTree) stat(name string) (os.FileInfo, error) {
	return nil, &os.PathError{Op: "stat", Path: name, Err: t.err}
}
func (t brokenTree) lstat(name string) (os.FileInfo, error) { return t.stat(name) }
func (t brokenTree) open(name string) (fs.File, error)      { return nil, t.err }
func (t brokenTree) Close() error                           { return nil }

// FuzzName: whatever the path, a name is one of package io/fs, has nothing that
// leads elsewhere, and is what the path says in plain.
func FuzzName(f *testing.F) {
	for _, seed := range []string{"", "a/b.css", "a/", "%2e%2e/x", "..%2f", "a//b", "a%2fb", "a%5cb", "%c0%ae", "a.", "a%20", ".a", ".well-known/x", "%00", "a%0ab", "%zz", "ü"} {
		f.Add(seed)
	}
	s, err := new(Options).check()
	try(f, err)
	f.Fuzz(func(t *testing.T, path string) {
		name, folder, ok := s.parse(path)
		if !ok {
			return
		}
		if !fs.ValidPath(name) || strings.ContainsAny(name, "\\\x00\r\n") {
			t.Errorf("%q: got %q", path, name)
		}
		plain, err := url.PathUnescape(path)
		if want := strings.TrimSuffix(plain, "/"); err != nil || name != want && (path != "" || name != ".") {
			t.Errorf("%q: got %q, want %q, %v", path, name, want, err)
		}
		if folder != (path == "" || strings.HasSuffix(path, "/")) {
			t.Errorf("%q: got folder %v", path, folder)
		}
		for i, part := range strings.Split(name, "/") {
			if name != "." && (part == ".." || part[0] == '.' && (i > 0 || part != ".well-known")) {
				t.Errorf("%q: got %q", path, name)
			}
		}
	})
}

func TestSlashes(t *testing.T) {
	for pattern, want := range map[string]int{
		"": 1, "/": 1, "GET /files/{path...}": 2, "/files/": 2, "GET /favicon.ico": 1, "GET  host.example/a/b/{x...}": 3, "host/": 1, "GET /u/{id}/f/{p...}": 4,
	} {
		if got := slashes(pattern); got != want {
			t.Errorf("%q: got %d, want %d", pattern, got, want)
		}
	}
}

// S8: the ETag is another for each content, whatever was done to hide the change.
func TestETags(t *testing.T) {
	dir := folder(t, map[string]string{"x": "one"})
	path := filepath.Join(dir, "x")
	f, err := Dir(dir, nil)
	try(t, err)
	defer f.Close()
	seen := map[string]string{}
	look := func(step string) {
		t.Helper()
		c, _, err := f.look("x")
		try(t, err)
		if !strings.HasPrefix(c.tag, `"`) || len(c.tag) != 24 {
			t.Errorf("%s: got ETag %s", step, c.tag)
		}
		if before, ok := seen[c.tag]; ok {
			t.Errorf("%s: got the ETag of %q", step, before)
		}
		seen[c.tag] = step
		if want, _ := os.ReadFile(path); string(c.body) != string(want) {
			t.Errorf("%s: got %q, want %q", step, c.body, want)
		}
		if again, _, err := f.look("x"); err != nil || again.tag != c.tag {
			t.Errorf("%s: got another ETag for the same", step)
		}
	}
	look("at first")
	try(t, os.WriteFile(path, []byte("two"), 0o644))
	look("rewritten")
	try(t, os.WriteFile(path, []byte("six"), 0o644))
	try(t, os.Chtimes(path, long, long))
	look("rewritten, with its old time")
	write(t, filepath.Join(dir, "new"), "ten")
	try(t, os.Rename(filepath.Join(dir, "new"), path))
	look("replaced, with its old time")
	try(t, os.Chtimes(path, long, long.Add(time.Nanosecond)))
	look("a nanosecond later")
	for i := range 8 { // as fast as it goes, in the same place
		try(t, os.WriteFile(path, fmt.Appendf(nil, "%03d", i), 0o644))
		look(fmt.Sprint("write ", i))
	}
}

// S9
func TestFuture(t *testing.T) {
	dir := folder(t, map[string]string{"x": "x"})
	future := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	try(t, os.Chtimes(filepath.Join(dir, "x"), future, future))
	serve(t, dir, nil, func(s *site) {
		s.get("x").has(s, "Last-Modified", "")
		s.get("x", "If-Modified-Since: Sat, 02 Jan 2100 00:00:00 GMT").expect(s, 200, "x")
		s.get("x", "If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT").expect(s, 200, "x")
		s.get("x", "Range: bytes=0-0", "If-Range: Fri, 01 Jan 2100 00:00:00 GMT").expect(s, 200, "x")
	})
}
