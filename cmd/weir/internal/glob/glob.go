// Package glob matches names against patterns in which * stands for any text,
// also for none.
package glob

import (
	"cmp"
	"slices"
	"strings"
)

// IsPattern reports whether a name is a pattern.
func IsPattern(name string) bool { return strings.Contains(name, "*") }

// Match reports whether the whole name matches.
func Match(pattern, name string) bool {
	first, rest, isPattern := strings.Cut(pattern, "*")
	if !isPattern {
		return name == pattern
	}
	name, ok := strings.CutPrefix(name, first)
	if !ok {
		return false
	}
	for { // each part where it is found first: that leaves the most for the others
		part, more, isPattern := strings.Cut(rest, "*")
		if !isPattern {
			return strings.HasSuffix(name, part)
		}
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name, rest = name[i+len(part):], more
	}
}

// Sort puts the patterns that say more first: the longest, and of equally long
// ones the one that says more before its first *. So the first that matches a
// name is the one that is meant.
func Sort(patterns []string) {
	slices.SortFunc(patterns, func(a, b string) int {
		return cmp.Or(
			cmp.Compare(len(b), len(a)),
			cmp.Compare(strings.IndexByte(b, '*'), strings.IndexByte(a, '*')),
			strings.Compare(a, b),
		)
	})
}
