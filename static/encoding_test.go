package static

import (
	"strings"
	"testing"

	"weir"
)

// S16, X147
func TestEncodings(t *testing.T) {
	dir := folder(t, map[string]string{
		"a.txt": "plain", "a.txt.gz": "GZIP", "a.txt.br": "BR", "a.txt.zst": "ZSTD",
		"b.txt": "plain", "b.txt.gz": numbers(100_000), "c.txt.gz": "GZIP", "sub/index.html": "index", "sub/index.html.gz": "GZIP",
	})
	serve(t, dir, nil, func(s *site) {
		tags := map[string]string{}
		for _, test := range []struct{ accept, coding string }{
			{"", ""}, {"gzip", "gzip"}, {"GZIP", "gzip"}, {"x-gzip", "gzip"}, {"br", "br"}, {"zstd", "zstd"}, {"deflate", ""},
			{"gzip, deflate, br, zstd", "br"}, {"gzip, zstd", "zstd"}, {"gzip, br;q=0", "gzip"}, {"gzip;q=0.9, br;q=0.8", "gzip"},
			{"gzip;q=0.001", "gzip"}, {"gzip;q=0", ""}, {"gzip;q=0.000", ""}, {"*", "br"}, {"*;q=0.1", "br"}, {"*, br;q=0", "zstd"},
			{"*;q=0", ""}, {"gzip, *;q=0", "gzip"}, {"identity", ""}, {"identity, gzip", "gzip"}, {"identity, gzip;q=0.5", ""},
			{"identity;q=0.5, gzip;q=0.5", "gzip"}, {"identity;q=0", ""}, {"identity;q=0, gzip", "gzip"}, {"gzip;q=1.000", "gzip"},
			{"gzip;q=1.001", ""}, {"gzip;q=2", ""}, {"gzip;q=-1", ""}, {"gzip;q=", ""}, {"gzip;q=0.1234", ""}, {"gzip;x=1", ""}, {"gzip ; Q=0.5", "gzip"},
			{"gzip;q=1.", "gzip"}, {",,gzip,", "gzip"}, {"gzipx", ""}, {"brotli", ""}, {"gzip br", ""}, {strings.Repeat("x,", 500) + "gzip", "gzip"},
		} {
			fields := []string{"Accept-Encoding: " + test.accept}
			if test.accept == "" {
				fields = nil
			}
			g := s.get("a.txt", fields...)
			body := map[string]string{"": "plain", "gzip": "GZIP", "br": "BR", "zstd": "ZSTD"}[test.coding]
			if g.StatusCode != 200 || g.body != body {
				s.Errorf("%.80q: got %d %q, want %q", test.accept, g.StatusCode, g.body, body)
			}
			g.has(s, "Content-Encoding", test.coding)
			g.has(s, "Content-Type", "text/plain; charset=utf-8")
			g.has(s, "Vary", "Accept-Encoding")
			tag := g.Header.Get("ETag")
			for coding, other := range tags {
				if (coding == test.coding) != (other == tag) {
					s.Errorf("%q and %q: got ETags %s and %s", coding, test.coding, other, tag)
				}
			}
			tags[test.coding] = tag
			g = s.get("a.txt", append(fields, "If-None-Match: "+tag)...)
			g.expect(s, 304, "")
			g.has(s, "Vary", "Accept-Encoding")
		}
		g := s.get("a.txt", "Accept-Encoding: gzip;q=0.5", "Accept-Encoding: br") // two lines
		g.expect(s, 200, "BR")
		g = s.get("b.txt", "Accept-Encoding: gzip, br")
		g.expect(s, 200, numbers(100_000))
		g.has(s, "Content-Encoding", "gzip")
		g.has(s, "Content-Length", "100000")
		g = s.get("b.txt", "Accept-Encoding: gzip", "Range: bytes=10-19")
		g.expect(s, 206, numbers(100_000)[10:20])
		g.has(s, "Content-Range", "bytes 10-19/100000")
		s.do("HEAD", "/files/b.txt", "Accept-Encoding: gzip").has(s, "Content-Length", "100000")
		s.get("c.txt", "Accept-Encoding: gzip").expect(s, 404, "")
		g = s.get("a.txt.gz", "Accept-Encoding: gzip")
		g.expect(s, 200, "GZIP")
		g.has(s, "Content-Encoding", "")
		g.has(s, "Content-Type", "application/gzip")
		g = s.get("sub/", "Accept-Encoding: gzip")
		g.expect(s, 200, "GZIP")
		g.has(s, "Content-Type", "text/html; charset=utf-8")
	})
	serve(t, dir, &Options{Precompressed: []string{"gzip", "br"}}, func(s *site) {
		s.get("a.txt", "Accept-Encoding: br, zstd, gzip").expect(s, 200, "GZIP")
		s.get("a.txt", "Accept-Encoding: zstd").expect(s, 200, "plain")
	})
}

func FuzzAcceptEncoding(f *testing.F) {
	for _, seed := range []string{"gzip", "gzip;q=0.5, br", "*;q=0", "identity;q=0,*", ";;;", "gzip;q=1.0000", ",", "br;q=0.12"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		h := new(weir.Header)
		if h.TrySet("Accept-Encoding", value) != nil {
			return
		}
		last := 1001
		for _, c := range acceptable(nil, h, codings[:]) {
			q := weightOf(appendPreferences(nil, value), c.name)
			if q == 0 || q > last {
				t.Errorf("%q: %s has weight %d behind %d", value, c.name, q, last)
			}
			last = q
			if !strings.Contains(value, "*") && !strings.Contains(strings.ToLower(value), c.name) {
				t.Errorf("%q: got %s, which it does not name", value, c.name)
			}
		}
	})
}
