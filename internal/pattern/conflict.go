package pattern

import (
	"fmt"
	"strings"
)

// A relation compares what two patterns, left and right, match. It is a set, so
// that the relations of the parts (method, each segment) add up to that of the
// whole with a plain "or": whatever sets one part apart sets the whole apart,
// and a request can be chosen freely in each part. The empty set means: the
// same requests.
type relation uint8

const (
	leftMore  relation = 1 << iota // left matches something that right does not
	rightMore                      // right matches something that left does not
	apart                          // nothing is matched by both
)

const overlap = leftMore | rightMore

// conflicts reports whether some request is matched by both patterns and
// neither is more specific.
func conflicts(p, q *Pattern) bool {
	if p.host != q.host {
		return false // the one with a host wins, or no request has both
	}
	r := compareMethods(p.method, q.method) | comparePaths(p.segments, q.segments)
	return r == 0 || r == overlap
}

// compareMethods relates two methods: "" is any, and GET includes HEAD.
func compareMethods(p, q string) relation {
	switch {
	case p == q:
		return 0
	case p == "", p == "GET" && q == "HEAD":
		return leftMore
	case q == "", q == "GET" && p == "HEAD":
		return rightMore
	}
	return apart
}

// comparePaths relates two paths segment by segment.
func comparePaths(p, q []segment) relation {
	var r relation
	for i := range min(len(p), len(q)) {
		r |= compareSegments(p[i], q[i])
	}
	// A shorter pattern matches longer paths only through a rest, which then
	// was the wider of the last pair.
	if len(p) < len(q) && p[len(p)-1].kind != rest || len(q) < len(p) && q[len(q)-1].kind != rest {
		r |= apart
	}
	if r&apart != 0 {
		return apart
	}
	return r
}

// compareSegments relates two segments. From wide to narrow: a rest matches
// anything, a single any segment but not the slash at the end, an end only
// that, a literal only itself.
func compareSegments(p, q segment) relation {
	switch {
	case p.kind == rest && q.kind == rest, p.kind == single && q.kind == single:
		return 0
	case p.kind == rest, p.kind == single && q.kind == literal:
		return leftMore
	case q.kind == rest, q.kind == single && p.kind == literal:
		return rightMore
	case p.kind == q.kind && p.text == q.text:
		return 0
	}
	return apart
}

// conflictError returns why p cannot be added beside q.
func conflictError(p, q *Pattern) error {
	return fmt.Errorf("pattern: %q (registered at %s) conflicts with %q (registered at %s):\n%s",
		p, p.loc, q, q.loc, explain(p, q))
}

func explain(p, q *Pattern) string {
	methods, paths := compareMethods(p.method, q.method), comparePaths(p.segments, q.segments)
	switch {
	case methods == 0 && paths == 0:
		return fmt.Sprintf("%s matches the same requests as %s", p, q)
	case paths == overlap:
		return fmt.Sprintf("%[1]s and %[2]s both match some paths, like %[3]q.\n"+
			"But neither is more specific than the other.\n"+
			"%[1]s matches %[4]q, but %[2]s doesn't.\n"+
			"%[2]s matches %[5]q, but %[1]s doesn't.", p, q, bothMatch(p, q), onlyFirst(p, q), onlyFirst(q, p))
	case methods == leftMore:
		return fmt.Sprintf("%s matches more methods than %s, but has a more specific path pattern", p, q)
	}
	return fmt.Sprintf("%s matches fewer methods than %s, but has a more general path pattern", p, q)
}

// bothMatch returns a path that both patterns match, given that there is one:
// at each place what the narrower of the two requires.
func bothMatch(p, q *Pattern) string {
	long, short := p.segments, q.segments
	if len(long) < len(short) {
		long, short = short, long
	}
	var b strings.Builder
	for i, s := range long {
		if i < len(short) && compareSegments(short[i], s) == rightMore {
			s = short[i]
		}
		b.WriteByte('/')
		b.WriteString(s.sample())
	}
	return b.String()
}

// onlyFirst returns a path that p matches and q does not, given that they
// overlap: wherever p leaves a choice, it takes what q does not have.
func onlyFirst(p, q *Pattern) string {
	var b strings.Builder
	for i, s := range p.segments {
		text := s.sample()
		if i < len(q.segments) {
			switch other := q.segments[i]; {
			case s.kind == single && other.kind == literal && other.text == text:
				text += "x"
			case s.kind == rest && other.kind == end:
				text = s.text
				if text == "" {
					text = "x"
				}
			}
		}
		b.WriteByte('/')
		b.WriteString(text)
	}
	return b.String()
}

// sample returns a text that the segment matches: for a wildcard its name, for
// the end and the rest of a path nothing.
func (s segment) sample() string {
	switch s.kind {
	case literal:
		return s.raw
	case single:
		return s.text
	}
	return ""
}
