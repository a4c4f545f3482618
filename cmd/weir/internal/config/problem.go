package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Problem is one mistake in a configuration.
type Problem struct {
	Pointer string // JSON pointer (RFC 6901) into the merged document; "" is the whole of it
	Message string // what is wrong and what to do about it
	File    string // the file that has it, as it was named to Load
	Line    int    // the line there; 0 = not known
}

// String returns the problem as an operator reads it:
// "weir.yaml:12: /upstreams/a/url: …".
func (p Problem) String() string {
	s := p.File
	if p.Line > 0 {
		s += ":" + strconv.Itoa(p.Line)
	}
	if s != "" {
		s += ": "
	}
	if p.Pointer != "" {
		s += p.Pointer + ": "
	}
	return s + p.Message
}

// Problems is every mistake of a configuration, in the order of their
// pointers. It is the error of [Load] and is never empty there.
type Problems []Problem

// Error returns all problems, a line each.
func (ps Problems) Error() string {
	lines := make([]string, len(ps), len(ps)+1)
	for i, p := range ps {
		lines[i] = p.String()
	}
	head := "config: 1 problem"
	if len(ps) != 1 {
		head = fmt.Sprintf("config: %d problems", len(ps))
	}
	return strings.Join(slices.Insert(lines, 0, head), "\n")
}

// sort orders problems by their pointers, list positions as numbers; those
// without a pointer, which concern a whole file, come first.
func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(
			slices.CompareFunc(steps(a.Pointer), steps(b.Pointer), compareSteps),
			cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			strings.Compare(a.Message, b.Message),
		)
	})
}

func compareSteps(a, b string) int {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	return strings.Compare(a, b)
}

// among lists the names that could have been meant, the likeliest first, for a
// message: `there are "a", "b"`.
func among(name string, names []string) string {
	const most = 8
	if len(names) == 0 {
		return "there are none"
	}
	names = slices.Clone(names)
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(distance(name, a), distance(name, b)), strings.Compare(a, b))
	})
	shown := names[:min(len(names), most)]
	text := "there is " + quoted(shown)
	if len(names) > 1 {
		text = "there are " + quoted(shown)
	}
	if len(names) > most {
		text += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return text
}

func quoted(names []string) string {
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(name))
	}
	return b.String()
}

// nearest returns the name that is close enough to be meant, or "".
func nearest(name string, names []string) string {
	best, least := "", 1+max(1, len(name)/3)
	for _, n := range names {
		if d := distance(name, n); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance is how many letters are wrong, missing, too many or swapped with
// their neighbour.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 { // not a typing error
		return max(len(a), len(b))
	}
	var rows [3][65]int
	before, above, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		above[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			miss := 1
			if a[i] == b[j] {
				miss = 0
			}
			row[j+1] = min(above[j]+miss, above[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
