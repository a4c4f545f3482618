package glob

import (
	"path"
	"slices"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true}, {"a", "a", true}, {"a", "ab", false},
		{"*", "", true}, {"*", "anything/at:all", true}, {"**", "a", true},
		{"gpt-*", "gpt-", true}, {"gpt-*", "gpt-4o", true}, {"gpt-*", "gpt", false}, {"gpt-*", "a-gpt-4", false},
		{"*-mini", "gpt-4o-mini", true}, {"*-mini", "-mini", true}, {"*-mini", "mini", false}, {"*-mini", "a-mini-b", false},
		{"a*a", "a", false}, {"a*a", "aa", true}, {"a*a", "aba", true},
		{"*ab*ab*", "ab", false}, {"*ab*ab*", "abab", true}, {"*ab*ab*", "xabyabz", true},
		{"a*b*b", "ab", false}, {"a*b*b", "abb", true}, {"a*bc*bcd", "abcbcd", true}, {"a*bc*bcd", "abcd", false},
		{"GPT-*", "gpt-4", false},
	} {
		if got := Match(tt.pattern, tt.name); got != tt.want {
			t.Errorf("%q, %q: got %v, want %v", tt.pattern, tt.name, got, tt.want)
		}
	}
}

// path.Match agrees about names without the characters that mean something else
// there.
func FuzzMatch(f *testing.F) {
	f.Add("a*b*", "axxbc")
	f.Add("*a*ab", "aab")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if strings.ContainsAny(pattern+name, `/[]\?`) {
			t.Skip()
		}
		want, err := path.Match(pattern, name)
		if err != nil {
			t.Skip()
		}
		if got := Match(pattern, name); got != want {
			t.Errorf("%q, %q: got %v, want %v", pattern, name, got, want)
		}
	})
}

func TestSort(t *testing.T) {
	got := []string{"*", "a*", "ab*", "*ab", "a*b", "gpt-*", "gpt-4o*"}
	Sort(got)
	if want := []string{"gpt-4o*", "gpt-*", "ab*", "a*b", "*ab", "a*", "*"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Match("*ab*cd*ef", "xxabyycdzzef") }); n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}
