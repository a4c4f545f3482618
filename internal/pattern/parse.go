package pattern

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Parse reads a pattern. Grammar and errors are those of net/http.ServeMux,
// except that an unclean path is always an error. The error names the pattern,
// the byte offset and the reason.
func Parse(s string) (*Pattern, error) {
	if s == "" {
		return nil, errors.New("pattern: empty pattern")
	}
	p := &Pattern{text: s}
	if off, err := p.parse(s); err != nil {
		return nil, fmt.Errorf("pattern: parsing %q: at offset %d: %w", s, off, err)
	}
	return p, nil
}

// parse fills in p from s. An error comes with its offset in s.
func (p *Pattern) parse(s string) (off int, err error) {
	target := s
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		p.method, target = s[:i], strings.TrimLeft(s[i:], " \t")
	}
	if p.method != "" && !isToken(p.method) {
		return 0, fmt.Errorf("invalid method %q", p.method)
	}

	off = len(s) - len(target)
	slash := strings.IndexByte(target, '/')
	if slash < 0 {
		return off, errors.New("host/path missing /")
	}
	host, path := target[:slash], target[slash:]
	if i := strings.IndexByte(host, '{'); i >= 0 {
		return off + i, errors.New("host contains '{' (missing initial '/'?)")
	}
	p.host = lowerHost(host)

	off += slash
	if !isClean(path) {
		return off, errors.New("unclean path can never match")
	}
	for path != "" {
		path = path[1:]
		off = len(s) - len(path)
		text, after := cutSegment(path)
		if err := p.addSegment(text, after == ""); err != nil {
			return off, err
		}
		path = after
	}
	return 0, nil
}

// cutSegment splits "a/b/c" into "a" and "/b/c".
func cutSegment(path string) (text, after string) {
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

// addSegment appends the segment written as text; last reports whether the
// pattern ends with it.
func (p *Pattern) addSegment(text string, last bool) error {
	if !strings.Contains(text, "{") {
		seg := segment{kind: literal, text: decode(text), raw: text}
		if text == "" { // only the last segment of a clean path is empty: a trailing slash
			seg.kind = rest
		}
		p.segments = append(p.segments, seg)
		return nil
	}
	seg, err := parseWildcard(text, last)
	if err != nil {
		return err
	}
	if seg.kind != end {
		for _, name := range p.names {
			if name == seg.text {
				return fmt.Errorf("duplicate wildcard name %q", name)
			}
		}
		p.names = append(p.names, seg.text)
	}
	p.segments = append(p.segments, seg)
	return nil
}

// parseWildcard reads "{name}", "{name...}" or "{$}".
func parseWildcard(text string, last bool) (segment, error) {
	if text[0] != '{' {
		return segment{}, errors.New("bad wildcard segment (must start with '{')")
	}
	if text[len(text)-1] != '}' {
		return segment{}, errors.New("bad wildcard segment (must end with '}')")
	}
	name := text[1 : len(text)-1]
	if name == "$" {
		if !last {
			return segment{}, errors.New("{$} not at end")
		}
		return segment{kind: end, raw: text}, nil
	}
	k := single
	if base, ok := strings.CutSuffix(name, "..."); ok {
		if !last {
			return segment{}, errors.New("{...} wildcard not at end")
		}
		name, k = base, rest
	}
	if name == "" {
		return segment{}, errors.New("empty wildcard")
	}
	if !isIdentifier(name) {
		return segment{}, fmt.Errorf("bad wildcard name %q", name)
	}
	return segment{kind: k, text: name, raw: text}, nil
}

// isIdentifier reports whether s is a Go identifier.
func isIdentifier(s string) bool {
	for i, c := range s {
		if c != '_' && !unicode.IsLetter(c) && (i == 0 || !unicode.IsDigit(c)) {
			return false
		}
	}
	return s != ""
}

// isToken reports whether s is an RFC 9110 section 5.6.2 token.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if !alnum && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}
