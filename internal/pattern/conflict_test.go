package pattern

import (
	"strings"
	"testing"
)

func mustParse(t *testing.T, s string) *Pattern {
	t.Helper()
	p, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestConflictMessage(t *testing.T) {
	tests := []struct{ first, second, want string }{
		{"GET /a/{x}", "GET /a/{y}", "GET /a/{y} matches the same requests as GET /a/{x}"},
		{"/a/{x...}", "/a/", "/a/ matches the same requests as /a/{x...}"},
		{"/%61", "/a", "/a matches the same requests as /%61"},
		{"GET /a/", "/a/b", "/a/b matches more methods than GET /a/, but has a more specific path pattern"},
		{"/a/b", "HEAD /a/{x}", "HEAD /a/{x} matches fewer methods than /a/b, but has a more general path pattern"},
		{"/{x}/b", "/a/{x}", `/a/{x} and /{x}/b both match some paths, like "/a/b".
But neither is more specific than the other.
/a/{x} matches "/a/x", but /{x}/b doesn't.
/{x}/b matches "/x/b", but /a/{x} doesn't.`},
	}
	for _, tt := range tests {
		t.Run(tt.first+" "+tt.second, func(t *testing.T) {
			var tree Tree[int]
			if err := tree.Add(mustParse(t, tt.first), "a.go:10", 1); err != nil {
				t.Fatal(err)
			}
			p := mustParse(t, tt.second)
			want := `pattern: "` + tt.second + `" (registered at b.go:20) conflicts with "` + tt.first +
				"\" (registered at a.go:10):\n" + tt.want
			if err := tree.Add(p, "b.go:20", 2); err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
			if p.Location() != "" {
				t.Errorf("the refused pattern got the location %q", p.Location())
			}
		})
	}
}

func TestNoConflict(t *testing.T) {
	var tree Tree[string]
	for _, s := range []string{"/a/{x}", "/a/b", "GET /a/b", "POST /a/b", "/a/", "/a/{$}", "h/a/{x}", "h/b/{x}", "/", "HEAD /a/b",
		"i/a/{y}", "/a/{x}/", "/a/%2F"} {
		if err := tree.Add(mustParse(t, s), "here", s); err != nil {
			t.Errorf("%s: got %v, want none", s, err)
		}
	}
	if err := tree.Add(mustParse(t, "H/a/{z}"), "there", ""); err == nil || !strings.Contains(err.Error(), "conflicts with") {
		t.Errorf("the same host in another case: got %v, want a conflict", err)
	}
}

// TestExamplePaths takes every pair of short patterns: where two overlap, the paths that the message names must show
// it, asked of a tree that holds only one of them.
func TestExamplePaths(t *testing.T) {
	var paths []string
	heads := []string{"", "/a", "/b", "/x", "/{x}", "/{y}"}
	for _, s1 := range heads {
		for _, s2 := range heads {
			for _, s3 := range []string{"/a", "/%78", "/{z}", "/", "/{$}", "/{z...}"} {
				paths = append(paths, s1+s2+s3)
			}
		}
	}
	overlaps := 0
	for _, s1 := range paths {
		for _, s2 := range paths {
			p, errP := Parse(s1)
			q, errQ := Parse(s2)
			if errP != nil || errQ != nil || comparePaths(p.segments, q.segments) != overlap {
				continue
			}
			overlaps++
			if both := bothMatch(p, q); !matches(p, both) || !matches(q, both) {
				t.Errorf("%s and %s: %q is not matched by both", p, q, both)
			}
			if only := onlyFirst(p, q); !matches(p, only) || matches(q, only) {
				t.Errorf("%s and %s: %q is not matched by the first alone", p, q, only)
			}
		}
	}
	if overlaps < 1000 {
		t.Errorf("got %d overlapping pairs, want at least 1000: the test lost its subject", overlaps)
	}
}

func matches(p *Pattern, path string) bool {
	var tree Tree[int]
	if err := tree.Add(p, "here", 1); err != nil {
		return false
	}
	_, _, ok := tree.Match([]byte("GET"), nil, []byte(path), nil)
	return ok
}
