package static

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/internal/leak"
	"weir/weirtest"
)

// TestMain also fails when a descriptor is left open.
func TestMain(m *testing.M) { os.Exit(leak.Check(m)) }

// long is before a bubble's clock begins, so that files are not from the future
// there.
var long = time.Date(1999, 5, 4, 3, 2, 1, 123456789, time.UTC)

// folder makes files below a new folder: names with a slash behind them are
// folders. All of them are old.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, dir+"/"+name, text)
	}
	return dir
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if strings.HasSuffix(path, "/") {
		path += "keep"
	}
	try(t, os.MkdirAll(filepath.Dir(path), 0o755))
	try(t, os.WriteFile(path, []byte(text), 0o644))
	try(t, os.Chtimes(path, long, long))
}

func try(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// site is a server with a mount at /files/, in a bubble.
type site struct {
	*testing.T
	*weirtest.Server
}

// serve runs test with a server whose /files/ are dir's.
func serve(t *testing.T, dir string, o *Options, test func(s *site)) {
	t.Helper()
	files, err := Dir(dir, o)
	try(t, err)
	t.Cleanup(func() { try(t, files.Close()) })
	mounted(t, files, test)
}

func mounted(t *testing.T, files *Files, test func(s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := new(weir.Mux)
		m.Handle("/files/{path...}", files)
		m.Handle("GET /favicon.ico", files)
		test(&site{t, weirtest.Start(t, &weir.Server{Handler: m, Logger: slog.New(slog.DiscardHandler)})})
	})
}

// got is a response as a client sees it.
type got struct {
	*http.Response
	body string
	err  error // that the body is not complete
}

// get sends a GET request for a path below /files/.
func (s *site) get(path string, fields ...string) got {
	s.Helper()
	return s.do("GET", "/files/"+path, fields...)
}

// do sends a request with header fields, such as "Range: bytes=0-1".
func (s *site) do(method, target string, fields ...string) got {
	s.Helper()
	c := s.Dial()
	defer c.Close()
	c.Send(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n%s\r\n", method, target, lines(fields)))
	return parse(s, c.Received(), method)
}

func lines(fields []string) (text string) {
	for _, f := range fields {
		text += f + "\r\n"
	}
	return text
}

func parse(t testing.TB, text, method string) got {
	t.Helper()
	r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("got %q: %v", text, err)
	}
	body, err := io.ReadAll(r.Body)
	return got{r, string(body), err}
}

// expect checks status and body.
func (g got) expect(t testing.TB, status int, body string) {
	t.Helper()
	if g.StatusCode != status || g.err != nil || body != "" && g.body != body {
		t.Errorf("got %d %.80q, %v, want %d %.80q", g.StatusCode, g.body, g.err, status, body)
	}
}

// has checks a header field; "" is none.
func (g got) has(t testing.TB, name, value string) {
	t.Helper()
	if is := strings.Join(g.Header.Values(name), " | "); is != value {
		t.Errorf("%s: got %q, want %q", name, is, value)
	}
}

// numbers is a text of that size in which each part is another.
func numbers(size int) string { return countedOnce()[:size] }

var countedOnce = sync.OnceValue(func() string {
	b := make([]byte, 0, 4<<20+16)
	for i := int64(10_000_000); len(b) < 4<<20; i++ {
		b = append(strconv.AppendInt(b, i, 10), '\n')
	}
	return string(b)
})

// inUse is how many bytes of the heap are in use.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// allocated is how many bytes were allocated so far.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
