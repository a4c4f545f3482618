package weir_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
		"/tab":      func(w *weir.Response, _ *weir.Request) { w.Redirect(303, "/\t/evil.example") }, // a browser skips it
		"/slash":    func(w *weir.Response, _ *weir.Request) { w.Redirect(303, `/\evil.example/<a b>%20`) },
	})
	atDesk(t, m, nil, func(d *desk) {
		for path, want := range map[string]string{
			"/plain": "303 /there?a=b#c", "/foreign": "308 https://example.com/%C3%BC", "/replaces": "307 /x", "/written": "302 ../x",
			"/tab": "303 /%09/evil.example", "/slash": "303 /%5Cevil.example/%3Ca%20b%3E%20",
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

// What replaces a response is in the clear, whatever was to be sent before.
func TestReplacedBodyIsNotCoded(t *testing.T) {
	for name, replace := range map[string]func(w *weir.Response){
		"Error":    func(w *weir.Response) { w.Error(500, "no") },
		"JSON":     func(w *weir.Response) { w.JSON(200, "no") },
		"Redirect": func(w *weir.Response) { w.Redirect(303, "/no") },
	} {
		m := mux(map[string]func(*weir.Response, *weir.Request){
			"/buffered": func(w *weir.Response, _ *weir.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				_, _ = w.WriteString("\x1f\x8b")
				replace(w)
			},
			"/stream": func(w *weir.Response, _ *weir.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				w.Stream()
				replace(w)
			},
		})
		atDesk(t, m, nil, func(d *desk) {
			for _, path := range []string{"/buffered", "/stream"} {
				c := d.get(path)
				if got := d.seen(c); strings.Contains(got, "Content-Encoding") || !strings.Contains(got, "no") {
					t.Errorf("%s, %s: got %q", name, path, got)
				}
				c.Close()
			}
		})
	}
}

// A cookie that no browser would keep fails the response, instead of being lost
// without a word (RFC 6265bis 5.7).
func TestCookiesThatBrowsersRefuse(t *testing.T) {
	for name, tt := range map[string]struct {
		cookie *http.Cookie
		status string
	}{
		"nothing":                 {nil, "500"},
		"a name":                  {&http.Cookie{Name: "a b"}, "500"},
		"a value":                 {&http.Cookie{Name: "a", Value: "b;c"}, "500"},
		"a path":                  {&http.Cookie{Name: "a", Path: "/\r\nX: y"}, "500"},
		"SameSite=None":           {&http.Cookie{Name: "a", SameSite: http.SameSiteNoneMode}, "500"},
		"SameSite=None, Secure":   {&http.Cookie{Name: "a", SameSite: http.SameSiteNoneMode, Secure: true}, "200"},
		"__Secure-":               {&http.Cookie{Name: "__secure-a"}, "500"},
		"__Secure-, Secure":       {&http.Cookie{Name: "__Secure-a", Secure: true, Domain: "a.example"}, "200"},
		"__Host-":                 {&http.Cookie{Name: "__Host-a", Path: "/"}, "500"},
		"__Host- without a path":  {&http.Cookie{Name: "__Host-a", Secure: true}, "500"},
		"__Host- below":           {&http.Cookie{Name: "__HOST-a", Secure: true, Path: "/a"}, "500"},
		"__Host- with a domain":   {&http.Cookie{Name: "__Host-a", Secure: true, Path: "/", Domain: "a.example"}, "500"},
		"__Host- as it must be":   {&http.Cookie{Name: "__Host-a", Secure: true, Path: "/"}, "200"},
		"Partitioned":             {&http.Cookie{Name: "a", Partitioned: true}, "500"},
		"one that is for nothing": {&http.Cookie{Name: "host-a"}, "200"},
	} {
		m := new(weir.Mux)
		m.HandleFunc("GET /", func(w *weir.Response, _ *weir.Request) { w.SetCookie(tt.cookie) })
		atDesk(t, m, func(s *weir.Server) { s.Logger = slog.New(slog.DiscardHandler) }, func(d *desk) {
			if status, _ := d.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n"); status[:3] != tt.status {
				t.Errorf("%s: got %s, want %s", name, status, tt.status)
			}
		})
	}
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
		"/cut": func(w *weir.Response, r *weir.Request) {
			copied([]byte("abc"), io.ErrUnexpectedEOF)(w, r)
			w.Error(502, "cut")
		},
		"/lost": func(w *weir.Response, r *weir.Request) {
			copied([]byte("abc"), fmt.Errorf("lost: %w", io.EOF))(w, r)
			w.Error(502, "lost")
		},
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
			"/cut": {"Content-Length: 4", "cut\n"}, "/lost": {"Content-Length: 5", "lost\n"},
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
