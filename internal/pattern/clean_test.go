package pattern_test

import (
	"testing"

	"weir/internal/pattern"
)

func TestClean(t *testing.T) {
	tests := []struct{ in, want string }{
		{"/", "/"},
		{"/a/b", "/a/b"},
		{"/a/b/", "/a/b/"},
		{"/.a/..b/c./d../...", "/.a/..b/c./d../..."},
		{"/%2e%2e/%2f/", "/%2e%2e/%2f/"},
		{"", "/"},
		{"a", "/a"},
		{"..", "/"},
		{"//", "/"},
		{"//evil.example/x", "/evil.example/x"},
		{"/a//b", "/a/b"},
		{"/a/b//", "/a/b/"},
		{"/a/.", "/a"},
		{"/a/./", "/a/"},
		{"/a/..", "/"},
		{"/a/../", "/"},
		{"/../../etc", "/etc"},
		{"/a/b/../../..//c/", "/c/"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, changed := pattern.Clean([]byte(tt.in))
			if string(got) != tt.want || changed != (tt.in != tt.want) {
				t.Errorf("got %q, %v, want %q", got, changed, tt.want)
			}
		})
	}
}

func TestHidesNUL(t *testing.T) { // X23
	tests := []struct {
		in   string
		want bool
	}{
		{"/a/b", false},
		{"/a%20b/%41%0b%09%7f", false},
		{"/a%00", true},
		{"/a%0d%0aSet-Cookie:%20x", false},
		{"/%0A", false},
		{"/%0D/", false},
		{"/%2500", false}, // decodes to the text "%00"
		{"/%%00", true},
		{"/%0", false},
		{"/%", false},
		{"/%00", true},
	}
	for _, tt := range tests {
		if got := pattern.HidesNUL([]byte(tt.in)); got != tt.want {
			t.Errorf("%q: got %v, want %v", tt.in, got, tt.want)
		}
	}
}
