package static

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"weir"
)

// nameOf returns the name, as of package io/fs, of what a request is for, and
// whether its path ends with a slash. It reports false for a name that is never
// served, whatever exists. The path is split before it is decoded: what was
// encoded leads nowhere else.
func (s *settings) nameOf(r *weir.Request) (name string, folder, ok bool) {
	rest, ok := behind(r.Path(), slashes(r.Pattern()))
	if !ok {
		return "", false, false
	}
	return s.parse(rest)
}

// parse is nameOf for the rest of a path.
func (s *settings) parse(rest string) (name string, folder, ok bool) {
	if rest == "" {
		return ".", true, true
	}
	folder = strings.HasSuffix(rest, "/")
	rest = strings.TrimSuffix(rest, "/")
	if plain(rest) { // as nearly always
		return rest, folder, s.serves(rest)
	}
	parts := strings.Split(rest, "/")
	for i, part := range parts {
		if parts[i], ok = s.decode(part, i); !ok {
			return "", false, false
		}
	}
	name = strings.Join(parts, "/")
	return name, folder, s.serves(name)
}

// slashes counts the slashes of a pattern's path: as many of a request's path
// are not part of the name.
func slashes(pattern string) int {
	if _, path, ok := strings.Cut(pattern, " "); ok {
		pattern = strings.TrimLeft(path, " \t")
	}
	if i := strings.IndexByte(pattern, '/'); i > 0 { // behind a host
		pattern = pattern[i:]
	}
	return max(1, strings.Count(pattern, "/"))
}

// behind returns what follows the first n slashes of path.
func behind(path string, n int) (rest string, ok bool) {
	for range n {
		if _, path, ok = strings.Cut(path, "/"); !ok {
			return "", false
		}
	}
	return path, true
}

// plain reports whether a path needs no second look: letters, digits, "_" and
// "-", and one dot or slash at a time between them.
func plain(path string) bool {
	last := byte('/')
	for i := range len(path) {
		switch c := path[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', c == '_', c == '-':
		case c != '.' && c != '/', last == '.', last == '/':
			return false
		}
		last = path[i]
	}
	return last != '.' && last != '/'
}

// decode returns the element of a name that a segment of a path stands for, the
// i-th. It reports false for those that are never one: what leads elsewhere, or
// would elsewhere (a backslash, a dot or space at the end on other systems),
// control characters, what is not UTF-8, and dot files.
func (s *settings) decode(segment string, i int) (name string, ok bool) {
	name, err := url.PathUnescape(segment)
	switch {
	case err != nil, name == "", name == ".", name == "..":
		return "", false
	case strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f || c == '/' || c == '\\' }):
		return "", false
	case !utf8.ValidString(name), name[len(name)-1] == '.', name[len(name)-1] == ' ':
		return "", false
	case name[0] == '.' && !s.DotFiles && (i > 0 || name != ".well-known"):
		return "", false
	}
	return name, true
}

// serves reports whether a name is not excluded, and not below a folder that is.
func (s *settings) serves(name string) bool {
	for _, not := range s.exclude {
		above := name
		for range strings.Count(name, "/") - strings.Count(not, "/") {
			above = above[:strings.LastIndexByte(above, '/')]
		}
		if strings.EqualFold(above, not) {
			return false
		}
	}
	return true
}

// relative returns a reference to a folder beside itself, with a slash: a name
// that has a colon, or begins with slashes, stays a name.
func relative(name string) string {
	return "./" + url.PathEscape(name[strings.LastIndexByte(name, '/')+1:]) + "/"
}
