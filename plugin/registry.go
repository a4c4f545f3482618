package plugin

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// Register makes a handler available under name. Call it from an init function.
// It panics if the name is malformed or taken, or if the handler is incomplete;
// the message names the place of the call, and of the first registration if the
// name is taken.
//
// A name is one or more segments between slashes, usually the package's and the
// handler's: "myllm/generate". A segment consists of ASCII letters, digits,
// "-", "_" and ".", and begins and ends with a letter or digit. Names are
// case-sensitive and have at most 128 bytes: they appear in configuration,
// listings and metrics.
//
//	name    = segment *( "/" segment )
//	segment = alnum [ *( alnum / "-" / "_" / "." ) alnum ]
func Register(name string, h Handler) {
	if err := handlers.register(place(), Named{name, h}); err != nil {
		panic(err.Error())
	}
}

// Named is a handler and its name, for [RegisterAll].
type Named struct {
	Name    string
	Handler Handler
}

// RegisterAll is [Register] for handlers that the program finds while it runs,
// such as those of a shared library. place names their origin, for the message
// if one of their names is registered again. It registers all of them or, with
// an error for what Register panics about, none. It is safe for concurrent use.
func RegisterAll(place string, list []Named) error { return handlers.register(place, list...) }

// Lookup returns the handler of that name, with its Limit filled in; ok is
// false if there is none. It is safe for concurrent use.
func Lookup(name string) (h Handler, ok bool) { return handlers.lookup(name) }

// Names returns the names of all handlers, sorted. The caller may modify the
// slice. It is safe for concurrent use.
func Names() []string { return handlers.names() }

// handlers holds what was registered in this process.
var handlers registry

// A registry maps names to handlers. The zero value is empty and ready.
type registry struct {
	mu     sync.RWMutex
	byName map[string]entry
}

type entry struct {
	handler Handler
	place   string // "file:line" of the registration
}

// register adds all of the list or nothing.
func (r *registry) register(place string, list ...Named) error {
	for _, n := range list {
		if err := check(n); err != nil {
			return fmt.Errorf("plugin: register %q at %s: %w", n.Name, place, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	added := make(map[string]entry, len(list))
	for _, n := range list {
		first, taken := r.byName[n.Name]
		if !taken {
			first, taken = added[n.Name]
		}
		if taken {
			return fmt.Errorf("plugin: register %q at %s: already registered at %s", n.Name, place, first.place)
		}
		if n.Handler.Limit == 0 {
			n.Handler.Limit = DefaultLimit
		}
		n.Handler.Subprotocols = slices.Clone(n.Handler.Subprotocols)
		added[n.Name] = entry{n.Handler, place}
	}
	if r.byName == nil {
		r.byName = map[string]entry{}
	}
	maps.Copy(r.byName, added)
	return nil
}

func check(n Named) error {
	if err := checkName(n.Name); err != nil {
		return err
	}
	return checkHandler(n.Handler)
}

func (r *registry) lookup(name string) (Handler, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	e, ok := r.byName[name]
	return e.handler, ok
}

func (r *registry) names() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Sorted(maps.Keys(r.byName))
}

// maxName is the longest name, in bytes.
const maxName = 128

func checkName(name string) error {
	if name == "" {
		return errors.New("empty name")
	}
	if len(name) > maxName {
		return fmt.Errorf("name of %d bytes, at most %d are allowed", len(name), maxName)
	}
	for seg := range strings.SplitSeq(name, "/") {
		if err := checkSegment(seg); err != nil {
			return err
		}
	}
	return nil
}

func checkSegment(seg string) error {
	if seg == "" {
		return errors.New("malformed name: empty segment")
	}
	for i := range len(seg) {
		if c := seg[i]; !isAlnum(c) && c != '-' && c != '_' && c != '.' {
			return fmt.Errorf("malformed name: %q may hold only letters, digits, '-', '_' and '.'", seg)
		}
	}
	if !isAlnum(seg[0]) || !isAlnum(seg[len(seg)-1]) {
		return fmt.Errorf("malformed name: %q must begin and end with a letter or digit", seg)
	}
	return nil
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func checkHandler(h Handler) error {
	kinds := 0
	for _, set := range []bool{h.Unary != nil, h.Stream != nil, h.WebSocket != nil} {
		if set {
			kinds++
		}
	}
	switch {
	case kinds == 0:
		return errors.New("handler has neither Unary nor Stream nor WebSocket")
	case kinds > 1:
		return errors.New("handler has more than one of Unary, Stream and WebSocket: register them under several names")
	case h.Limit < 0:
		return fmt.Errorf("handler has the limit %d, want 0 for the default or more", h.Limit)
	case len(h.Subprotocols) > 0 && h.WebSocket == nil:
		return errors.New("handler has Subprotocols, which are for a WebSocket")
	}
	for i, name := range h.Subprotocols {
		if !isToken(name) || slices.Contains(h.Subprotocols[:i], name) {
			return fmt.Errorf("handler has the subprotocol %q, want different tokens (RFC 9110 5.6.2)", name)
		}
	}
	return nil
}

// isToken reports whether s is a token (RFC 9110 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && !strings.Contains("!#$%&'*+-.^_`|~", s[i:i+1]) {
			return false
		}
	}
	return s != ""
}

// place returns where Register was called, as "file:line".
func place() string {
	_, file, line, ok := runtime.Caller(2)
	if !ok {
		return "an unknown place"
	}
	return fmt.Sprintf("%s:%d", file, line)
}
