package static

import (
	"strings"
	"testing"
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
			{"", ""}, {"gzip", "gzip"}, {"br", "br"}, {"zstd", "zstd"}, {"x-gzip", "gzip"}, {"deflate", ""},
			{"gzip, deflate, br, zstd", "br"}, {"gzip, br;q=0", "gzip"}, {"*", "br"}, {"identity, gzip;q=0.5", ""},
			{strings.Repeat("x,", 500) + "gzip", "gzip"},
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
		g = s.get("b.txt", "Accept-Encoding: gzip", "Range: bytes=10-19, 30-39")
		g.expect(s, 200, numbers(100_000))
		g.has(s, "Content-Encoding", "gzip")
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
