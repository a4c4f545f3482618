package compress_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"weir"
	"weir/middleware/compress"
	"weir/weirtest"
)

// text is long, and compressible.
var text = strings.Repeat("A weir lets a stream through and keeps it under control.\n", 100)

// bodies is a server of handlers behind the middleware: each on a goroutine and
// inline.
func bodies(c compress.Bodies, h func(w *weir.Response, r *weir.Request)) *weir.Server {
	m := new(weir.Mux)
	m.Use(c.Middleware())
	m.HandleFunc("GET /", h)
	m.HandleFunc("GET /inline", h).Inline()
	m.HandleLoop("GET /loop", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
		h(x.Response(), x.Request())
		return nil
	}))
	return &weir.Server{Handler: m}
}

func plain(w *weir.Response, _ *weir.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, text)
}

var everywhere = []string{"/", "/inline", "/loop"}

// M7: the client's choice is what is sent, wherever the handler runs; see
// internal/accept for the choice.
func TestChoice(t *testing.T) {
	for _, tt := range []struct{ accept, want string }{
		{"", ""},
		{"|Accept-Encoding:", ""},
		{"|Accept-Encoding: gzip", "gzip"},
		{"|Accept-Encoding: gzip, deflate, br, zstd", "zstd"},
		{"|Accept-Encoding: gzip|Accept-Encoding: br", "br"},
		{"|Accept-Encoding: zstd;q=0.5, br;q=0.8, gzip;q=0.8", "br"},
		{"|Accept-Encoding: *;q=0", ""},
		{"|Accept-Encoding: identity, gzip;q=0.5", ""},
	} {
		at(t, bodies(compress.Bodies{}, plain), func(s *weirtest.Server) {
			for _, path := range everywhere {
				res := ask(s, "GET "+path+tt.accept)
				got := res.Header.Get("Content-Encoding")
				body, err := decoded(t, got, res.Body)
				if got != tt.want || body != text || err != nil || res.Header.Get("Vary") != "Accept-Encoding" {
					t.Errorf("%s%s: got %q, %d bytes that decode to %d, %v, Vary %q; want %q", path, tt.accept, got, len(res.Body), len(body), err, res.Header.Get("Vary"), tt.want)
				}
				if got != "" && len(res.Body) > len(text)/10 {
					t.Errorf("%s%s: got %d bytes of %d", path, tt.accept, len(res.Body), len(text))
				}
			}
		})
	}
}

// M7: what is coded, and what is not.
func TestWhatIsCoded(t *testing.T) {
	set := func(status int, body string, fields ...string) func(*weir.Response, *weir.Request) {
		return func(w *weir.Response, _ *weir.Request) {
			w.SetStatus(status)
			for _, f := range fields {
				name, value, _ := strings.Cut(f, ": ")
				w.Header().Add(name, value)
			}
			_, _ = io.WriteString(w, body)
		}
	}
	const plain = "Content-Type: text/plain"
	random := make([]byte, 4000)
	for i, x := 0, uint32(1); i < len(random); i++ {
		x = x*1664525 + 1013904223
		random[i] = byte(x >> 24)
	}
	for _, tt := range []struct {
		name  string
		h     func(*weir.Response, *weir.Request)
		coded bool
		vary  string
		etag  string
	}{
		{"text", set(200, text, plain), true, "Accept-Encoding", ""},
		{"an error", set(500, text, plain), true, "Accept-Encoding", ""},
		{"JSON", set(200, text, "Content-Type: Application/Problem+JSON; charset=utf-8"), true, "Accept-Encoding", ""},
		{"an image", set(200, text, "Content-Type: image/png"), false, "", ""},
		{"an image of text", set(200, text, "Content-Type: image/svg+xml"), true, "Accept-Encoding", ""},
		{"no type", set(200, text), false, "", ""},
		{"short", set(200, text[:1023], plain), false, "", ""},
		{"just long enough", set(200, text[:1024], plain), true, "Accept-Encoding", ""},
		{"not compressible", set(200, string(random), plain), false, "Accept-Encoding", ""},
		{"coded already", set(200, text, plain, "Content-Encoding: br"), false, "", ""},
		{"a part", set(206, text, plain, "Content-Range: bytes 0-5699/9999"), false, "", ""},
		{"a part that says so", set(200, text, plain, "Content-Range: bytes 0-5699/9999"), false, "", ""},
		{"with a digest", set(200, text, plain, "Repr-Digest: sha-256=:AA==:"), false, "", ""},
		{"not to be changed", set(200, text, plain, "Cache-Control: private, No-Transform"), false, "", ""},
		{"events", set(200, text, "Content-Type: text/event-stream"), false, "", ""},
		{"a strong tag", set(200, text, plain, `ETag: "a"`), true, "Accept-Encoding", `W/"a"`},
		{"a weak tag", set(200, text, plain, `ETag: W/"a"`), true, "Accept-Encoding", `W/"a"`},
		{"its own Vary", set(200, text, plain, "Vary: Origin"), true, "Origin;Accept-Encoding", ""},
		{"its own Vary, all", set(200, text, plain, "Vary: *"), true, "*", ""},
		{"no content", set(204, "", plain), false, "", ""},
		{"nothing", set(200, "", plain), false, "", ""},
		{"ranges", set(200, text, plain, "Accept-Ranges: bytes"), true, "Accept-Encoding", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at(t, bodies(compress.Bodies{}, tt.h), func(s *weirtest.Server) {
				for _, path := range everywhere {
					res := ask(s, "GET "+path+"|Accept-Encoding: gzip")
					coded := res.Header.Get("Content-Encoding") == "gzip"
					if coded != tt.coded || strings.Join(res.Header.Values("Vary"), ";") != tt.vary || tt.etag != "" && res.Header.Get("ETag") != tt.etag {
						t.Errorf("%s: got %d %v", path, res.Status, res.Header)
					}
					if coded && res.Header.Get("Accept-Ranges") != "" {
						t.Errorf("%s: got Accept-Ranges", path)
					}
					if !coded && res.Header.Get("ETag") == `W/"a"` && res.Status == 200 {
						t.Errorf("%s: a tag was weakened for nothing", path)
					}
				}
			})
		})
	}
}

// M7: a 304 has the tag of what the client has.
func TestNotModified(t *testing.T) {
	at(t, bodies(compress.Bodies{}, func(w *weir.Response, _ *weir.Request) {
		w.Header().Set("ETag", `"a"`)
		w.SetStatus(304)
	}), func(s *weirtest.Server) {
		for fields, want := range map[string]string{
			"": `"a"`, "|Accept-Encoding: br": `W/"a"`, `|If-None-Match: W/"a"`: `"a"`, `|Accept-Encoding: br|If-None-Match: W/"a"`: `W/"a"`,
			`|Accept-Encoding: br|If-None-Match: "a"`: `"a"`, `|Accept-Encoding: br|If-None-Match: "b", "a"`: `"a"`, `|Accept-Encoding: br|If-None-Match: *`: `W/"a"`,
		} {
			if res := ask(s, "GET /"+fields); res.Status != 304 || res.Header.Get("ETag") != want || res.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s: got %d %v, want %s", fields, res.Status, res.Header, want)
			}
		}
	})
}

// M7: HEAD has the fields of GET, byte for byte.
func TestHead(t *testing.T) {
	at(t, bodies(compress.Bodies{}, plain), func(s *weirtest.Server) {
		for _, path := range everywhere {
			heads := map[string]string{}
			for _, method := range []string{"GET", "HEAD"} {
				c := s.Dial()
				c.Send(head(method + " " + path + "|Accept-Encoding: br"))
				got, body, _ := strings.Cut(c.Received(), "\r\n\r\n")
				heads[method] = got
				if (body == "") != (method == "HEAD") {
					t.Errorf("%s %s: got a body of %d bytes", method, path, len(body))
				}
				_ = c.Close()
			}
			if heads["GET"] != heads["HEAD"] || !strings.Contains(heads["GET"], "Content-Encoding: br") {
				t.Errorf("%s: got\n%s\nand\n%s", path, heads["GET"], heads["HEAD"])
			}
		}
	})
}

// M7: responses of inline handlers keep their order on a connection, whatever
// is coded off the loop.
func TestPipelined(t *testing.T) {
	at(t, bodies(compress.Bodies{}, func(w *weir.Response, r *weir.Request) {
		plain(w, r)
		_, _ = io.WriteString(w, r.Path()+"?"+r.RawQuery())
	}), func(s *weirtest.Server) {
		c := s.Dial()
		var all strings.Builder
		for i := range 20 {
			accept := []string{"", "|Accept-Encoding: gzip"}[i%2]
			all.WriteString(head(fmt.Sprintf("GET %s?%d%s", everywhere[i%3], i, accept)))
		}
		c.Send(all.String())
		for i := range 20 {
			res := c.Response()
			body, err := decoded(t, res.Header.Get("Content-Encoding"), res.Body)
			if want := fmt.Sprintf("%s?%d", everywhere[i%3], i); err != nil || !strings.HasSuffix(body, want) || (res.Header.Get("Content-Encoding") != "") != (i%2 == 1) {
				t.Errorf("response %d: got %v %v …%q, want %s", i, res.Header, err, body[max(0, len(body)-20):], want)
			}
		}
		_ = c.Close()
	})
}

// M7: streams pass as they are, and so does a response that has failed.
func TestStreamsPass(t *testing.T) {
	m := new(weir.Mux)
	m.Use(compress.Bodies{}.Middleware())
	m.HandleFunc("GET /stream", func(w *weir.Response, r *weir.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_ = w.Stream().Send([]byte(text))
	})
	m.HandleFunc("GET /abort", func(w *weir.Response, r *weir.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, text)
		w.Header().Set("Broken", "a\nb")
	}).Inline()
	m.HandleFunc("GET /numbers", func(w *weir.Response, r *weir.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.StreamFrom(weir.NextChunk(0, func(n *int, dst []byte, cancelled bool) ([]byte, error) {
			if *n++; *n > 3 || cancelled {
				return dst, io.EOF
			}
			return append(dst, text...), nil
		}))
	}).Inline()
	at(t, &weir.Server{Handler: m}, func(s *weirtest.Server) {
		for path, want := range map[string]string{"/stream": text, "/numbers": text + text + text} {
			if res := ask(s, "GET "+path+"|Accept-Encoding: gzip"); res.Body != want || res.Header.Get("Content-Encoding") != "" || !res.Complete {
				t.Errorf("%s: got %v and %d bytes", path, res.Header, len(res.Body))
			}
		}
		if res := ask(s, "GET /abort|Accept-Encoding: gzip"); res.Status != 500 || res.Header.Get("Content-Encoding") != "" {
			t.Errorf("a failure: got %d %v", res.Status, res.Header)
		}
	})
}

// M7: a list of its own, other types, no least size, and exceptions.
func TestConfig(t *testing.T) {
	c := compress.Bodies{
		Codings: []string{"gzip"}, MinSize: -1, Types: []string{"image/x-mine"},
		Skip: func(_ *weir.Response, r *weir.Request) bool { return r.RawQuery() == "skip" },
	}
	at(t, bodies(c, func(w *weir.Response, _ *weir.Request) {
		w.Header().Set("Content-Type", "image/x-mine")
		_, _ = io.WriteString(w, text[:200]+text[:200])
	}), func(s *weirtest.Server) {
		for query, want := range map[string]string{"": "gzip", "?skip": ""} {
			if res := ask(s, "GET /"+query+"|Accept-Encoding: br, gzip;q=0.1"); res.Header.Get("Content-Encoding") != want {
				t.Errorf("%s: got %v, want %q", query, res.Header, want)
			}
		}
	})
	defer func() {
		if recover() == nil {
			t.Error("an unknown coding does not panic")
		}
	}()
	compress.Bodies{Codings: []string{"deflate"}}.Middleware()
}
