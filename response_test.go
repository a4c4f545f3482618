package weir_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"weir"
)

// RFC 9110 15.4: a redirect has a Location, and a line of text.
func TestRedirect(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){
		"/plain":    func(w *weir.Response, _ *weir.Request) { w.Redirect(303, "/there?a=b#c") },
		"/foreign":  func(w *weir.Response, _ *weir.Request) { w.Redirect(308, "https://example.com/\u00fc") },
		"/replaces": func(w *weir.Response, _ *weir.Request) { w.EventStream(); w.Redirect(307, "/x") },
		"/written":  func(w *weir.Response, _ *weir.Request) { w.WriteString("not this"); w.Redirect(302, "../x") },
	})
	atDesk(t, m, nil, func(d *desk) {
		for path, want := range map[string]string{
			"/plain": "303 /there?a=b#c", "/foreign": "308 https://example.com/%C3%BC", "/replaces": "307 /x", "/written": "302 ../x",
		} {
			c := d.get(path)
			head, body := cutHead(d.seen(c))
			status, location, _ := strings.Cut(want, " ")
			if !strings.HasPrefix(head, "HTTP/1.1 "+status) || !strings.Contains(head, "\r\nLocation: "+location+"\r\n") || body != "moved to "+location+"\n" {
				t.Errorf("%s: got %q %q, want %s", path, head, body, want)
			}
			c.Close()
		}
	})
}

// Cookies are net/http's.
func TestCookies(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){"/s": func(w *weir.Response, r *weir.Request) {
		one, err := r.Cookie("b")
		_, missing := r.Cookie("c")
		if err != nil || missing != http.ErrNoCookie {
			t.Errorf("got %v and %v", err, missing)
		}
		w.SetCookie(&http.Cookie{Name: "s", Value: "1", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		w.SetCookie(&http.Cookie{Name: "t", Value: "2"})
		fmt.Fprintf(w, "%v %s", r.Cookies(), one.Value)
	}})
	atDesk(t, m, nil, func(d *desk) {
		c := d.dial("GET /s HTTP/1.1\r\nHost: a\r\nCookie: a=1; b=\"x y\"\r\ncookie: b=3; bad name=1\r\n\r\n")
		head, body := cutHead(d.seen(c))
		if body != `[a=1 b="x y" b=3] x y` || !strings.Contains(head, "\r\nSet-Cookie: s=1; Path=/; HttpOnly; SameSite=Lax\r\nSet-Cookie: t=2\r\n") {
			t.Errorf("got %q %q", head, body)
		}
		c.Close()
	})
}

// io.Copy: what is short is buffered, what is long is a stream, which keeps no more than the high mark.
func TestReadFrom(t *testing.T) {
	short, long := strings.Repeat("s", 32<<10-1), bytes.Repeat([]byte("0123456789"), 50<<10)
	read := 0
	source := func(p []byte, end error) io.Reader {
		read = 0
		return &counted{io.MultiReader(bytes.NewReader(p), iotest.ErrReader(end)), &read}
	}
	copied := func(p []byte, end error) func(w *weir.Response, _ *weir.Request) {
		return func(w *weir.Response, _ *weir.Request) {
			n, err := io.Copy(w, source(p, end))
			if end != io.EOF && !errors.Is(err, end) || end == io.EOF && err != nil || n != int64(len(p)) {
				t.Errorf("got %d, %v, want %d and %v", n, err, len(p), end)
			}
		}
	}
	m := mux(map[string]func(*weir.Response, *weir.Request){
		"/short":  copied([]byte(short), io.EOF),
		"/exact":  copied(long[:32<<10], io.EOF),
		"/long":   copied(long, io.EOF),
		"/empty":  copied(nil, io.EOF),
		"/broken": func(w *weir.Response, r *weir.Request) { copied([]byte("abc"), errLuck)(w, r); w.Error(502, "broken") },
		"/known": func(w *weir.Response, r *weir.Request) {
			w.SetContentLength(int64(len(long)))
			copied(long, io.EOF)(w, r)
		},
	})
	m.HandleFunc("/inline", copied(long, io.EOF)).Inline()
	atDesk(t, m, nil, func(d *desk) {
		for path, want := range map[string]struct{ framing, body string }{
			"/short": {"Content-Length: 32767", short}, "/exact": {"chunked", string(long[:32<<10])}, "/long": {"chunked", string(long)},
			"/empty": {"Content-Length: 0", ""}, "/broken": {"Content-Length: 7", "broken\n"},
			"/known": {"Content-Length: 512000", string(long)}, "/inline": {"Content-Length: 512000", string(long)},
		} {
			c := d.get(path)
			text := d.seen(c)
			head, _ := cutHead(text)
			if _, body := response(t, bufio.NewReader(strings.NewReader(text))); !strings.Contains(head, want.framing) || body != want.body {
				t.Errorf("%s: got %q and %d bytes, want %s and %d", path, head, len(body), want.framing, len(want.body))
			}
			c.Close()
		}
	})
	atDesk(t, m, smallMarks, func(d *desk) {
		c := d.Dial()
		c.SetWindow(1)
		d.write(c, "GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
		if synctest.Wait(); read > 150<<10 {
			t.Errorf("read %d bytes for a client that takes nothing", read)
		}
		c.SetWindow(1 << 20)
		if _, body := response(t, bufio.NewReader(strings.NewReader(d.seen(c)))); body != string(long) {
			t.Errorf("got %d bytes", len(body))
		}
		c.Close()
	})
}

// counted counts what is read, in small pieces.
type counted struct {
	io.Reader
	n *int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p[:min(len(p), 701)])
	*c.n += n
	return n, err
}
