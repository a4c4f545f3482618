package pattern

import "bytes"

// A Tree maps patterns to values of type V. The zero value is empty and ready
// to use. [Tree.Add] must not run concurrently with other methods; after the
// last Add, look-ups are safe for concurrent use.
//
// For a request, in the order of net/http.ServeMux:
//
//	Match                the value to serve; ok is false if net/http would not call a handler
//	Redirect             307 with that location and the request's query behind it
//	Allowed, not empty   405 with that Allow
//	otherwise            404
type Tree[V any] struct {
	any   *site[V]            // patterns without a host
	hosts map[string]*site[V] // the others, by host in lower case
}

// A site is the patterns of one host.
type site[V any] struct {
	root     node[V]
	patterns []*Pattern // in order of registration, to look for conflicts
}

// A node stands for a place in the path, after some segments and before the
// next slash.
type node[V any] struct {
	literals children[V]
	single   *node[V]
	here     leaf[V] // the path ends here
	end      leaf[V] // the path ends with the slash after here
	rest     leaf[V] // whatever follows, from the slash after here on
}

// A leaf lists the patterns that have the same path, by method.
type leaf[V any] []route[V]

type route[V any] struct {
	p *Pattern
	v V
}

// Add registers v under p. loc is the place in the source ("file:line") for the
// message of a later conflict. If a pattern conflicts with an earlier one, the
// error names both, their places, and paths that show why; the tree is then
// unchanged. The tree keeps its own copy of p. Each Add compares p with every
// pattern of its host.
func (t *Tree[V]) Add(p *Pattern, loc string, v V) error {
	own := *p
	own.loc = loc
	s := t.site(own.host)
	for _, q := range s.patterns {
		if conflicts(&own, q) {
			return conflictError(&own, q)
		}
	}
	s.patterns = append(s.patterns, &own)
	l := s.root.leafFor(own.segments)
	*l = append(*l, route[V]{p: &own, v: v})
	return nil
}

// site returns the patterns of host, made if there are none yet.
func (t *Tree[V]) site(host string) *site[V] {
	if host == "" {
		if t.any == nil {
			t.any = new(site[V])
		}
		return t.any
	}
	s := t.hosts[host]
	if s == nil {
		if t.hosts == nil {
			t.hosts = map[string]*site[V]{}
		}
		s = new(site[V])
		t.hosts[host] = s
	}
	return s
}

// leafFor returns the leaf for segs below n, made if it is not there yet.
func (n *node[V]) leafFor(segs []segment) *leaf[V] {
	for _, s := range segs {
		switch s.kind {
		case end:
			return &n.end
		case rest:
			return &n.rest
		case single:
			if n.single == nil {
				n.single = new(node[V])
			}
			n = n.single
		case literal:
			n = n.literals.add(s.text)
		}
	}
	return &n.here
}

// Match returns the value of the most specific pattern that matches the
// request, and the pattern. path is the escaped path of the request target,
// without the query; host may have a port, which is ignored. ok is true exactly
// when net/http would call the handler: never for an unclean path, and not if a
// trailing-slash redirect takes precedence over a less specific pattern
// ([Tree.Redirect]).
//
// The wildcards' values go to ps, which may be nil; without a match, ps is
// unchanged. Nothing is allocated unless a value has a percent escape or there
// are more than eight. A path that encodes control bytes is matched like any
// other: see [Params] and [HidesNUL].
func (t *Tree[V]) Match(method, host, path []byte, ps *Params) (v V, p *Pattern, ok bool) {
	if !isClean(path) {
		return v, nil, false
	}
	w := walk[V]{method: method, escaped: bytes.IndexByte(path, '%') >= 0}
	t.find(&w, host, path)
	if w.found == nil || w.redirects() {
		return v, nil, false
	}
	if ps != nil {
		ps.capture(w.found.p, path, w.escaped)
	}
	return w.found.v, w.found.p, true
}

// Redirect reports whether net/http.ServeMux would respond with a redirect (307
// since Go 1.26, 301 before) instead of calling a handler, and to which path:
// the cleaned one, with a slash added if only that matches exactly. The caller
// appends the request's query. The location begins with exactly one slash, so
// it cannot name another host; its bytes are those of the path, including
// escapes.
func (t *Tree[V]) Redirect(method, host, path []byte) (location string, ok bool) {
	cleaned, changed := Clean(path)
	w := walk[V]{method: method, escaped: bytes.IndexByte(cleaned, '%') >= 0}
	t.find(&w, host, cleaned)
	if w.redirects() {
		return string(cleaned) + "/", true
	}
	if changed {
		return string(cleaned), true
	}
	return "", false
}

// find walks the patterns of the host, and those without a host if none of the
// host's matches.
func (t *Tree[V]) find(w *walk[V], host, path []byte) {
	if len(t.hosts) > 0 {
		if s := t.lookupHost(host); s != nil && s.root.find(w, path) {
			return
		}
	}
	if t.any != nil {
		t.any.root.find(w, path)
	}
}

// A walk is one lookup: what is looked for, and what was seen on the way.
type walk[V any] struct {
	method  []byte
	escaped bool // the path has a percent escape somewhere

	found *route[V]
	short bool // found took the rest of the path, and there was some
	slash bool // with a slash added, something more specific than found matches exactly
}

// redirects reports whether the trailing-slash redirect applies.
func (w *walk[V]) redirects() bool { return w.slash && (w.found == nil || w.short) }

// find looks for path below n and reports whether it set w.found. The path is
// clean, and empty once every segment is used up.
func (n *node[V]) find(w *walk[V], path []byte) bool {
	if len(path) == 0 {
		w.found = n.here.pick(w.method)
		// Whatever comes first in this order, with or without the slash, is the
		// more specific. So a slash noted here beats any rest that the walk may
		// still come to, and nothing it came by.
		w.slash = w.slash || n.end.pick(w.method) != nil || n.rest.pick(w.method) != nil
		return w.found != nil
	}
	if len(path) == 1 {
		if w.found = n.end.pick(w.method); w.found == nil {
			w.found = n.rest.pick(w.method)
		}
		return w.found != nil
	}
	seg, after := cut(path)
	if c := n.literals.find(seg, w.escaped); c != nil && c.find(w, after) {
		return true
	}
	if n.single != nil && n.single.find(w, after) {
		return true
	}
	w.found = n.rest.pick(w.method)
	w.short = w.found != nil
	return w.short
}

// pick returns the route for method: its own, else GET's for a HEAD, else the
// one for any method, else nil.
func (l leaf[V]) pick(method []byte) *route[V] {
	var other *route[V]
	for i := range l {
		r := &l[i]
		switch m := r.p.method; {
		case m == string(method):
			return r
		case m == "GET" && string(method) == "HEAD":
			other = r
		case m == "" && other == nil:
			other = r
		}
	}
	return other
}
