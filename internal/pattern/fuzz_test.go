package pattern_test

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"weir/internal/pattern"
)

// choices draws from lists by the bytes of a fuzz input; after the last byte it draws the first of each list.
type choices []byte

func (c *choices) of(list ...string) string { return list[c.below(len(list))] }

func (c *choices) below(n int) int {
	if len(*c) == 0 {
		return 0
	}
	b := (*c)[0]
	*c = (*c)[1:]
	return int(b) % n
}

func (c *choices) pattern() string {
	var b strings.Builder
	b.WriteString(c.of("", "GET ", "HEAD ", "POST ", "PUT\t"))
	b.WriteString(c.of("", "", "h", "h.example"))
	for range c.below(4) {
		b.WriteString("/" + c.of("a", "b", "c", "{x}", "{y}", "{z}", "%61", "a%2Fb", "a.b", "-"))
	}
	b.WriteString(c.of("/", "", "/{$}", "/{rest...}", "/{x...}"))
	return b.String()
}

func (c *choices) target() string {
	var b strings.Builder
	for range c.below(5) {
		b.WriteString("/" + c.of("a", "b", "c", "d", "%61", "a%2Fb", "", ".", "..", "%2e%2e", "a.b", "%00", "%0d%0a", "-", "x y", "!", "é"))
	}
	b.WriteString(c.of("/", "", "/a"))
	return b.String()
}

// FuzzServeMux builds a set of patterns and asks net/http.ServeMux and the tree the same: which patterns conflict,
// who wins, the path values, 405 and Allow, the redirects.
func FuzzServeMux(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add([]byte{0, 0, 2, 0, 3, 0, 1, 0, 2, 3, 0, 1}, []byte{0, 0, 2, 0, 1, 1})
	f.Add([]byte("\x01\x00\x03\x00\x01\x02\x01\x02\x00\x03\x03\x01\x01\x00"), []byte("\x01\x01\x03\x00\x01\x05\x00"))
	f.Fuzz(func(t *testing.T, patterns, requests []byte) {
		if len(patterns) > 200 || len(requests) > 200 {
			return
		}
		o := newPair()
		for c := choices(patterns); len(c) > 0; {
			o.add(t, c.pattern())
		}
		for c := choices(requests); len(c) > 0; {
			o.ask(t, c.of("GET", "HEAD", "POST", "DELETE"), c.of("", "h", "h:8080", "h.example", "[::1]:80"), c.target())
		}
	})
}

// FuzzParse compares the verdict on one pattern, and on two whether they conflict, with net/http's.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"/", "GET /", " /", "GET  h/{x}/{y...}", "/{$}/", "/{}", "/{x}/{x}", "/a{x}", "/{x}b", "{x}/", "G(T /",
		"/{1}", "/{é1}", "/%zz", "/a/../b", "GET", "/{...}", "h:80/a/", "/%2e/", "/a%"} {
		f.Add(s, "/a/{x}")
	}
	f.Fuzz(func(t *testing.T, s1, s2 string) {
		h1, h2 := hostOf(s1), hostOf(s2)
		if knownDifference(s1) || knownDifference(s2) || h1 != h2 && strings.EqualFold(h1, h2) {
			return
		}
		o := newPair()
		o.add(t, s1)
		o.add(t, s2)
	})
}

// knownDifference reports patterns on which we differ from net/http on purpose: an unclean path, and a literal that
// decodes to a lone slash.
func knownDifference(s string) bool {
	_, path, _ := strings.Cut(s, "/")
	_, unclean := pattern.Clean([]byte("/" + path))
	return unclean || differs(path)
}

// hostOf returns the host of a pattern as it is written.
func hostOf(s string) string {
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		s = strings.TrimLeft(s[i:], " \t")
	}
	host, _, _ := strings.Cut(s, "/")
	return host
}

// FuzzClean checks Clean against net/http's own cleaning, seen through its redirect, and that the result is clean.
func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "/", "//", "/a/./b/../c/", "a", "/..", "/.", "/...", "/a/..b", "/%2e%2e/", "/a//"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		cleaned, changed := pattern.Clean([]byte(s))
		if again, twice := pattern.Clean(cleaned); twice || changed != (string(cleaned) != s) || string(again) != string(cleaned) {
			t.Fatalf("Clean(%q): got %q, %v and then %q, %v", s, cleaned, changed, again, twice)
		}
		if len(cleaned) == 0 || cleaned[0] != '/' || len(cleaned) > 1 && cleaned[1] == '/' {
			t.Fatalf("Clean(%q): got %q, want exactly one slash at the start", s, cleaned)
		}
	})
}

// FuzzHost checks that a host with a port finds the pattern of the host alone, as net.SplitHostPort splits it.
func FuzzHost(f *testing.F) {
	for _, s := range []string{"h", "h:80", "[::1]:80", "[::1]", "::1", ":80", "h:", "[h", "h]:1", "[a]b:1", "a[:1", "a:1]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		want, _, err := net.SplitHostPort(host)
		if err != nil {
			want = host
		}
		p, err := pattern.Parse(want + "/")
		if err != nil || want == "" || strings.ContainsAny(want, " \t/") {
			return // not a host, or nothing that a pattern can say
		}
		var tree pattern.Tree[int]
		if err := tree.Add(p, "here", 1); err != nil {
			t.Fatal(err)
		}
		if _, _, ok := tree.Match([]byte(http.MethodGet), []byte(host), []byte("/"), nil); !ok {
			t.Fatalf("host %q: got no match, want that of %q", host, want)
		}
	})
}
