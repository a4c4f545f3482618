package static

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"weir"
	"weir/nethttp"
)

// Bodies of all sizes, around those from which they are sent in another way.
func TestSizes(t *testing.T) {
	sizes := []int{0, 1, buffered - 1, buffered, buffered + 1, smallFile - 1, smallFile, smallFile + 1, smallFile + 4<<10, 1 << 20, 1<<20 + 1, 3 << 20}
	dir := folder(t, nil)
	for _, n := range sizes {
		write(t, filepath.Join(dir, fmt.Sprint(n)), numbers(n))
	}
	for _, cache := range []int64{0, -1} {
		serve(t, dir, &Options{Cache: cache}, func(s *site) {
			for _, n := range append(sizes, sizes...) {
				g := s.get(fmt.Sprint(n))
				g.expect(s, 200, numbers(n))
				g.has(s, "Content-Length", fmt.Sprint(n))
			}
		})
	}
	fsys := os.DirFS(dir)
	files, err := FS(fsys, nil)
	try(t, err)
	mounted(t, files, func(s *site) {
		for _, n := range sizes {
			s.get(fmt.Sprint(n)).expect(s, 200, numbers(n))
		}
	})
}

// S17, X145: what happens to a file while it is sent.
func TestChangesWhileSent(t *testing.T) {
	const size = 1 << 20
	for name, change := range map[string]func(path string) error{
		"truncated":        func(path string) error { return os.Truncate(path, size/2) },
		"emptied":          func(path string) error { return os.Truncate(path, 0) },
		"one byte less":    func(path string) error { return os.Truncate(path, size-1) },
		"longer":           func(path string) error { return os.Truncate(path, size+1) },
		"rewritten":        func(path string) error { return os.WriteFile(path, []byte(numbers(size)[1:]+"x"), 0o644) },
		"the same again":   func(path string) error { return os.WriteFile(path, []byte(numbers(size)), 0o644) },
		"a part":           func(path string) error { return writeAt(path, size-1000) },
		"a part, hidden":   func(path string) error { return errorsOf(writeAt(path, size-1000), os.Chtimes(path, long, long)) },
		"a part that went": func(path string) error { return writeAt(path, 0) },
	} {
		for _, fields := range [][]string{nil, {"Range: bytes=0-900000"}, {"Range: bytes=0-600000, 900000-900009"}} {
			t.Run(fmt.Sprint(name, fields), func(t *testing.T) {
				dir := folder(t, map[string]string{"x": numbers(size)})
				serve(t, dir, nil, func(s *site) {
					c := s.Dial()
					defer c.Close()
					c.SetWindow(64 << 10)
					c.Send("GET /files/x HTTP/1.1\r\nHost: test\r\n" + lines(fields) + "\r\n")
					head := make([]byte, 32<<10)
					if _, err := io.ReadFull(c, head); err != nil {
						s.Fatal(err)
					}
					s.Settle()
					if err := change(filepath.Join(dir, "x")); err != nil {
						s.Fatal(err)
					}
					text := string(head) + c.Received()
					g := parse(s, text, "GET")
					if g.err == nil {
						s.Errorf("got %d bytes that look complete, of %s", len(g.body), g.Header.Get("Content-Length"))
					}
					if _, err := c.Read(make([]byte, 1)); err == nil {
						s.Error("the connection is still open")
					}
				})
			})
		}
	}
}

// S17: what was removed or replaced is still there for those who have it open.
func TestReplacedWhileSent(t *testing.T) {
	const size = 1 << 20
	dir := folder(t, map[string]string{"x": numbers(size), "new": "new"})
	path := filepath.Join(dir, "x")
	try(t, os.Link(path, path+"2"))
	serve(t, dir, nil, func(s *site) {
		for _, change := range []func() error{
			func() error { return os.Remove(path + "2") },
			func() error { return os.Rename(filepath.Join(dir, "new"), path) },
		} {
			c := s.Dial()
			defer c.Close()
			c.SetWindow(64 << 10)
			c.Get("/files/x")
			s.Settle()
			try(s, change())
			parse(s, c.Received(), "GET").expect(s, 200, numbers(size))
		}
	})
}

func writeAt(path string, off int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt([]byte("changed"), off)
	return err
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// The same on sockets, where the kernel sends the file's pages.
func TestChangesOnSockets(t *testing.T) {
	const size = 48 << 20 // more than the kernel takes on both sides
	for name, change := range map[string]func(path string) error{
		"truncated": func(path string) error { return os.Truncate(path, size-1000) },
		"a part":    func(path string) error { return writeAt(path, size-1000) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(folder(t, map[string]string{"x": ""}), "x")
			try(t, os.Truncate(path, size))
			files, err := Dir(filepath.Dir(path), nil)
			try(t, err)
			defer files.Close()
			m := new(weir.Mux)
			m.Handle("GET /files/{path...}", files)
			srv := &weir.Server{Handler: m, Logger: slog.New(slog.DiscardHandler)}
			try(t, srv.Start("127.0.0.1:0"))
			defer srv.Shutdown(context.Background())
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			r, err := http.NewRequest("GET", "http://"+srv.Addrs()[0].String()+"/files/x", nil)
			try(t, err)
			resp, err := transport.RoundTrip(r)
			try(t, err)
			defer resp.Body.Close()
			if _, err := io.CopyN(io.Discard, resp.Body, 1<<20); err != nil {
				t.Fatal(err)
			}
			try(t, change(path))
			if n, err := io.Copy(io.Discard, resp.Body); err == nil {
				t.Errorf("got %d more bytes, and no error", n)
			}
		})
	}
}

// Under net/http there is no way for the kernel to send a file: it is copied.
func TestUnderNetHTTP(t *testing.T) {
	dir := folder(t, map[string]string{"large": numbers(300_000), "small": "small"})
	files, err := Dir(dir, nil)
	try(t, err)
	defer files.Close()
	m := new(weir.Mux)
	m.Handle("GET /files/{path...}", files)
	h := nethttp.ToHTTP(m)
	for _, test := range []struct{ name, ranges, body string }{
		{"large", "", numbers(300_000)}, {"large", "bytes=1000-299999", numbers(300_000)[1000:]}, {"small", "", "small"}, {"small", "bytes=-2", "ll"},
	} {
		rec, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/files/"+test.name, nil)
		if test.ranges != "" {
			r.Header.Set("Range", test.ranges)
		}
		h.ServeHTTP(rec, r)
		if rec.Body.String() != test.body || rec.Header().Get("Content-Length") != fmt.Sprint(len(test.body)) {
			t.Errorf("%s %s: got %d with %d bytes, want %d", test.name, test.ranges, rec.Code, rec.Body.Len(), len(test.body))
		}
	}
}

// A client that disconnects or stops reading in the middle: the file is closed,
// as TestMain sees.
func TestDisconnects(t *testing.T) {
	dir := folder(t, map[string]string{"x": numbers(4 << 20)})
	serve(t, dir, nil, func(s *site) {
		for _, end := range []string{"close", "reset", "stall"} {
			c := s.Get("/files/x")
			c.SetWindow(64 << 10)
			s.Settle()
			switch end {
			case "close":
				c.Close()
			case "reset":
				c.Reset()
			case "stall":
				s.Tick(time.Minute)
				c.Close()
			}
			s.Settle()
		}
	})
}

// A client that reads slowly gets all, and what waits for it stays small.
func TestSlowClient(t *testing.T) {
	const size = 2 << 20
	dir := folder(t, map[string]string{"x": numbers(size)})
	serve(t, dir, nil, func(s *site) {
		c := s.Get("/files/x")
		defer c.Close()
		c.SetWindow(10_000)
		var text bytes.Buffer
		for piece := make([]byte, 300_000); text.Len() < size; {
			n, err := c.Read(piece)
			text.Write(piece[:n])
			if err != nil {
				s.Fatal(err)
			}
		}
		if g := parse(s, text.String()+c.Received(), "GET"); g.err != nil || g.body != numbers(size) {
			s.Errorf("got %d bytes, %v", len(g.body), g.err)
		}
	})
}

// What a client that reads slowly holds does not depend on the file, and is less
// than a piece of it.
func TestSlowClients(t *testing.T) {
	const n = 64
	dir := folder(t, map[string]string{"x": numbers(1 << 20)})
	serve(t, dir, nil, func(s *site) {
		slow := func(n int) {
			for range n {
				c := s.Dial()
				c.SetWindow(1000)
				c.Get("/files/x")
			}
			s.Settle()
		}
		slow(1) // what is made once
		before := inUse()
		slow(n)
		if each := (inUse() - before) / n; each > 32<<10 {
			s.Errorf("got %d bytes for each client", each)
		}
	})
}

// What Open may wait for is not opened, whatever it was before.
func TestFIFOInAnFS(t *testing.T) {
	fsys := &fifoFS{fstest.MapFS{"large": {Data: []byte(numbers(200_000))}, "small": {Data: []byte("small")}}, t}
	for _, f := range fsys.MapFS {
		f.ModTime = long
	}
	files, err := FS(fsys, nil)
	try(t, err)
	mounted(t, files, func(s *site) {
		for _, status := range []int{200, 404} {
			s.get("large").expect(s, status, "")
			s.get("small").expect(s, status, "")
			for _, f := range fsys.MapFS {
				f.Mode = fs.ModeNamedPipe
			}
		}
	})
}

type fifoFS struct {
	fstest.MapFS
	t *testing.T
}

func (f *fifoFS) Open(name string) (fs.File, error) {
	if file := f.MapFS[name]; file != nil && file.Mode&fs.ModeNamedPipe != 0 {
		f.t.Errorf("%s was opened", name)
	}
	return f.MapFS.Open(name)
}

// The cache is bounded, keeps what is asked for, and never has another content
// than the file.
func TestCache(t *testing.T) {
	dir := folder(t, nil)
	const each = 10_000
	for i := range 100 {
		write(t, filepath.Join(dir, fmt.Sprint(i)), numbers(each+i))
	}
	f, err := Dir(dir, &Options{Cache: 20 * each})
	try(t, err)
	defer f.Close()
	f.now = func() time.Time { return time.Now().Add(time.Hour) } // no tick is waited for
	get := func(name string) *content {
		c, _, err := f.look(name)
		try(t, err)
		return c
	}
	popular := get("0")
	for i := range 100 {
		if c := get(fmt.Sprint(i)); string(c.body) != numbers(each+i) {
			t.Fatalf("%d: got another content", i)
		}
		if get("0") != popular {
			t.Fatal("what is asked for again and again was not kept")
		}
		if f.cache.held > f.cache.limit || len(f.cache.kept) > 20 {
			t.Fatalf("got %d bytes of %d entries", f.cache.held, len(f.cache.kept))
		}
	}
	if f.cache.held < f.cache.limit/2 {
		t.Errorf("got %d bytes, want about %d", f.cache.held, f.cache.limit)
	}
	try(t, os.WriteFile(filepath.Join(dir, "0"), []byte("new"), 0o644))
	if got := string(get("0").body); got != "new" {
		t.Errorf("got %q, want the new content", got)
	}
	try(t, os.Remove(filepath.Join(dir, "0")))
	if _, _, err := f.look("0"); !isMissing(err) {
		t.Errorf("got %v, want that it is missing", err)
	}
	none, err := Dir(dir, &Options{Cache: -1})
	try(t, err)
	defer none.Close()
	if _, _, err := none.look("1"); err != nil || none.cache.held != 0 {
		t.Errorf("got %d bytes, %v, want none kept", none.cache.held, err)
	}
}

// What was a large file may be anything the next time.
func TestLargeFileBecomes(t *testing.T) {
	dir := folder(t, map[string]string{"x": ""})
	path := filepath.Join(dir, "x")
	large := numbers(200_000)
	serve(t, dir, nil, func(s *site) {
		tags := map[string]bool{}
		for _, step := range []struct {
			name   string
			change func() error
			status int
			body   string
		}{
			{"another", func() error { return os.WriteFile(path, []byte(large[1:]), 0o644) }, 200, large[1:]},
			{"small", func() error { return os.WriteFile(path, []byte("small"), 0o644) }, 200, "small"},
			{"a FIFO", func() error { return errorsOf(os.Remove(path), syscall.Mkfifo(path, 0o644)) }, 404, ""},
			{"a folder", func() error { return errorsOf(os.Remove(path), os.Mkdir(path, 0o755)) }, 301, ""},
			{"a link that leads out", func() error { return errorsOf(os.Remove(path), os.Symlink("/etc/passwd", path)) }, 404, ""},
			{"nothing", func() error { return os.Remove(path) }, 404, ""},
		} {
			if err := os.RemoveAll(path); err != nil {
				s.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(large), 0o644); err != nil {
				s.Fatal(err)
			}
			for range 2 {
				s.get("x").expect(s, 200, large)
			}
			if err := step.change(); err != nil {
				s.Fatal(err)
			}
			for range 2 {
				g := s.get("x")
				g.expect(s, step.status, step.body)
				if g.StatusCode == 200 {
					tags[g.Header.Get("ETag")] = true
				}
			}
		}
		if len(tags) != 2 {
			s.Errorf("got %d ETags, want one for each of the two", len(tags))
		}
	})
}

//go:embed *_test.go
var embedded embed.FS

// S8: files without a time.
func TestEmbedded(t *testing.T) {
	files, err := FS(embedded, &Options{})
	try(t, err)
	want, err := embedded.ReadFile("kit_test.go")
	try(t, err)
	large := fstest.MapFS{"large.txt": {Data: []byte(numbers(200_000))}, "dir/index.html": {Data: []byte("index")}}
	more, err := FS(large, nil)
	try(t, err)
	mounted(t, files, func(s *site) {
		g := s.get("kit_test.go")
		g.expect(s, 200, string(want))
		g.has(s, "Last-Modified", "")
		if tag := g.Header.Get("ETag"); tag == "" || s.get("kit_test.go").Header.Get("ETag") != tag || s.get("send_test.go").Header.Get("ETag") == tag {
			s.Errorf("got ETag %q", tag)
		}
		s.get("kit_test.go", "If-None-Match: "+g.Header.Get("ETag")).expect(s, 304, "")
		s.get("kit_test.go", "Range: bytes=3-9").expect(s, 206, string(want[3:10]))
		s.get("nowhere").expect(s, 404, "")
		s.get("").expect(s, 404, "")
	})
	mounted(t, more, func(s *site) {
		g := s.get("large.txt")
		g.expect(s, 200, numbers(200_000))
		s.get("large.txt", "Range: bytes=100000-").expect(s, 206, numbers(200_000)[100_000:])
		s.get("large.txt", "If-Match: "+g.Header.Get("ETag")).expect(s, 200, "")
		s.get("dir").expect(s, 301, "")
		s.get("dir/").expect(s, 200, "index")
	})
}

// A file that can only be read from its beginning is sent whole.
func TestUnseekable(t *testing.T) {
	files, err := FS(unseekable{fstest.MapFS{"large": {Data: []byte(numbers(200_000))}, "small": {Data: []byte("small")}}}, nil)
	try(t, err)
	mounted(t, files, func(s *site) {
		g := s.get("large", "Range: bytes=5-9")
		g.expect(s, 200, numbers(200_000))
		g.has(s, "Accept-Ranges", "")
		s.get("small", "Range: bytes=1-2").expect(s, 206, "ma")
	})
}

type unseekable struct{ fs.FS }

func (u unseekable) Open(name string) (fs.File, error) {
	f, err := u.FS.Open(name)
	return struct{ fs.File }{f}, err
}

// Where both should be alike, they are: net/http's file server as an oracle.
func TestFileServer(t *testing.T) {
	dir := folder(t, map[string]string{"x.txt": "hello, world", "large.bin": numbers(200_000), "a/index.html": "<p>", "a/b/c.json": "{}", "empty.txt": "", "sp ace.css": "p{}"})
	oracle := http.StripPrefix("/files", http.FileServer(http.Dir(dir)))
	serve(t, dir, nil, func(s *site) {
		for _, path := range []string{"x.txt", "large.bin", "a/", "a", "a?q=1", "a/b/c.json", "empty.txt", "sp%20ace.css", "nowhere", "x.txt/y"} {
			for _, method := range []string{"GET", "HEAD"} {
				for _, fields := range [][]string{
					nil, {"Range: bytes=0-3"}, {"Range: bytes=-3"}, {"Range: bytes=2-"}, {"Range: bytes=900000-"}, {"Range: bytes=1-2,4-5"}, {"Range: bytes=x"},
					{"If-Modified-Since: Tue, 04 May 1999 03:02:01 GMT"}, {"If-Modified-Since: Tue, 04 May 1999 03:02:00 GMT"},
					{"If-Unmodified-Since: Tue, 04 May 1999 03:02:00 GMT"}, {"If-None-Match: *"}, {`If-Match: "x"`},
					{"Range: bytes=0-3", "If-Range: Tue, 04 May 1999 03:02:01 GMT"}, {"Range: bytes=0-3", "If-Range: Tue, 04 May 1999 03:02:02 GMT"},
				} {
					if len(fields) > 0 && strings.HasPrefix(fields[0], "Range") && (method == "HEAD" || path == "empty.txt") {
						continue // S12, S13: net/http has ranges there
					}
					r := httptest.NewRequest(method, "/files/"+path, nil)
					for _, f := range fields {
						name, value, _ := strings.Cut(f, ": ")
						r.Header.Set(name, value)
					}
					if strings.HasPrefix(strings.Join(fields, ""), "If-None-Match: *") || strings.HasPrefix(strings.Join(fields, ""), "If-Match") {
						if strings.HasPrefix(path, "nowhere") {
							continue
						}
					}
					rec := httptest.NewRecorder()
					oracle.ServeHTTP(rec, r)
					g := s.do(method, "/files/"+path, fields...)
					compare(s, fmt.Sprint(method, " ", path, " ", fields), g, rec)
				}
			}
		}
	})
}

func compare(s *site, what string, g got, rec *httptest.ResponseRecorder) {
	s.Helper()
	want := rec.Result()
	if g.StatusCode != want.StatusCode {
		s.Errorf("%s: got %d, net/http %d", what, g.StatusCode, want.StatusCode)
		return
	}
	if g.StatusCode >= 300 {
		if a, b := strings.TrimPrefix(g.Header.Get("Location"), "./"), want.Header.Get("Location"); a != b {
			s.Errorf("%s: got Location %q, net/http %q", what, a, b)
		}
		if a, b := g.Header.Get("Content-Range"), want.Header.Get("Content-Range"); a != b && b != "" {
			s.Errorf("%s: got Content-Range %q, net/http %q", what, a, b)
		}
		return
	}
	if strings.HasPrefix(want.Header.Get("Content-Type"), "multipart/") {
		body := rec.Body.String()
		if a, b := parted(s, g), parted(s, got{want, body, nil}); a != b {
			s.Errorf("%s: got parts %q, net/http %q", what, a, b)
		}
		return
	}
	if g.body != rec.Body.String() {
		s.Errorf("%s: got %d bytes, net/http %d", what, len(g.body), rec.Body.Len())
	}
	for _, name := range []string{"Content-Length", "Content-Range", "Last-Modified", "Accept-Ranges", "Content-Type"} {
		a, b := g.Header.Get(name), want.Header.Get(name)
		if name == "Content-Type" && strings.HasPrefix(what, "GET large.bin") || name == "Content-Type" && strings.HasPrefix(what, "HEAD large.bin") {
			continue // net/http guesses
		}
		if a != b {
			s.Errorf("%s: %s: got %q, net/http %q", what, name, a, b)
		}
	}
}

// S22, X148: 4 GiB and more, and memory that does not depend on it. On sockets,
// where the kernel sends the file.
func TestHugeFile(t *testing.T) {
	const size = 5 << 30
	dir := folder(t, map[string]string{"huge": ""})
	path := filepath.Join(dir, "huge")
	try(t, os.Truncate(path, size)) // takes no room
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	try(t, err)
	_, err = f.WriteAt([]byte("the end"), size-7)
	try(t, err)
	try(t, f.Close())
	files, err := Dir(dir, nil)
	try(t, err)
	defer files.Close()
	m := new(weir.Mux)
	m.Handle("GET /files/{path...}", files)
	srv := &weir.Server{Handler: m}
	try(t, srv.Start("127.0.0.1:0"))
	defer srv.Shutdown(context.Background())
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	get := func(ranges string, want int64) string {
		r, err := http.NewRequest("GET", "http://"+srv.Addrs()[0].String()+"/files/huge", nil)
		try(t, err)
		r.Header.Set("Range", ranges)
		resp, err := transport.RoundTrip(r)
		try(t, err)
		defer resp.Body.Close()
		last := &lastBytes{}
		n, err := io.Copy(last, resp.Body)
		if err != nil || n != want || resp.ContentLength != want {
			t.Errorf("%s: got %d bytes of %d, %v, want %d", ranges, n, resp.ContentLength, err, want)
		}
		return string(last.p)
	}
	if got := get("bytes=-7", 7); got != "the end" {
		t.Errorf("got %q", got)
	}
	before := allocated()
	const n = 256 << 20
	if got := get(fmt.Sprintf("bytes=%d-", int64(size-n)), n); got != "the end" {
		t.Errorf("got %q", got)
	}
	if used := allocated() - before; used > 16<<20 {
		t.Errorf("got %d bytes allocated for %d", used, n)
	}
}

// lastBytes keeps the last 7 bytes.
type lastBytes struct{ p []byte }

func (l *lastBytes) Write(p []byte) (int, error) {
	l.p = append(l.p, p[max(0, len(p)-7):]...)
	l.p = l.p[max(0, len(l.p)-7):]
	return len(p), nil
}

// Many requests at once for files that change: each gets one content, whole,
// with the ETag that it alone has.
func TestConcurrentChanges(t *testing.T) {
	dir := folder(t, nil)
	path := filepath.Join(dir, "x")
	put := func(i int) {
		try(t, os.WriteFile(path+".new", []byte(strings.Repeat(string(rune('a'+i%26)), 1000)), 0o644))
		try(t, os.Rename(path+".new", path))
	}
	put(0)
	f, err := Dir(dir, nil)
	try(t, err)
	defer f.Close()
	done, seen := make(chan map[string]string), make(chan struct{})
	for range 4 {
		go func() {
			tags := map[string]string{}
			defer func() { done <- tags }()
			for {
				select {
				case <-seen:
					return
				default:
				}
				c, _, err := f.look("x")
				if err != nil {
					if err != ErrChanged {
						t.Error(err)
					}
					continue
				}
				body := string(c.body)
				if before, ok := tags[c.tag]; ok && before != body {
					t.Errorf("got one ETag for two contents")
				}
				if strings.Trim(body, body[:1]) != "" {
					t.Errorf("got a mixture")
				}
				tags[c.tag] = body
			}
		}()
	}
	for i := range 200 {
		put(i)
		if i%20 == 0 {
			_, _, _ = f.look("x") // which waits for the next tick
		}
	}
	close(seen)
	all := map[string]string{}
	for range 4 {
		for tag, body := range <-done {
			if before, ok := all[tag]; ok && before != body {
				t.Error("got one ETag for two contents")
			}
			all[tag] = body
		}
	}
}
