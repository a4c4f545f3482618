// Package pattern decides which handler a request belongs to. It implements
// net/http.ServeMux's pattern language (Go 1.22 and later) as a data structure:
// no I/O, no handlers, no allocation per request.
//
// # The language
//
//	[METHOD ]["host"]/[path]
//
//	GET /v1/models/{id}     one segment, by name; GET also serves HEAD
//	/static/{path...}       the rest of the path, by name; no method means any method
//	/static/                the same without a name: a trailing slash is a subtree
//	GET /{$}                the slash at the end and nothing behind it
//	example.com/            only requests for that host
//
// Of two patterns that match a request, one with a host wins over one without;
// then the more specific wins, that is the one whose requests the other matches
// too. Where neither is more specific they conflict, and the second is refused
// when it is added. So a request has one winner, whatever the order of
// registration.
//
// # The tree
//
// A path is a list of segments, and the tree branches on them. Each node keeps
// its literal children, one child for a wildcard, and up to three leaves: the
// patterns that end here, those that end in the slash after here ("{$}"), and
// those that take the rest. A leaf lists its methods. These patterns
//
//	GET /v1/models
//	GET /v1/models/{id}
//	DELETE /v1/models/{id}
//	/v1/files/{path...}
//
// make
//
//	(root)
//	└─ v1
//	   ├─ models            here: GET
//	   │  └─ {}             here: GET, DELETE
//	   └─ files             rest: any
//
// A lookup walks depth first, literal before wildcard before rest, and takes
// the first leaf that has the method. Since conflicts were refused, the first
// is the most specific. The walk visits a node at most once, so a request
// cannot make it cost more than the routes that were registered. The same walk
// notices whether the path with a slash added would have been matched exactly,
// which is what decides the trailing-slash redirect.
//
// Differences from net/http, each on purpose, each held by the oracle test:
//   - A segment that decodes to a lone slash ("%2F") is a segment like any
//     other, in patterns and in requests. net/http treats it as the slash at
//     the end, so that /a/%2F finds "/a/{$}" there and never "/a/{x}".
//   - A redirect keeps the path's escapes as they came. net/http escapes them
//     once more, or undoes them.
//   - Hosts compare without regard to case (RFC 9110 section 4.2.3).
//   - A pattern with an unclean path is always refused. net/http lets it pass
//     without a method or with CONNECT, and then takes its empty segments for
//     wildcards.
//   - CONNECT has no rules of its own.
package pattern

import "slices"

// A Pattern is a parsed pattern. It does not change after [Parse], so it is
// safe for concurrent use. The zero value is not a valid pattern.
type Pattern struct {
	text     string // as written
	method   string // "" = any
	host     string // "" = any; lower case
	segments []segment
	names    []string // the named wildcards, from left to right
	loc      string   // "file:line" of the registration; set by Tree.Add
}

// String returns the pattern as it was written.
func (p *Pattern) String() string { return p.text }

// Method returns the pattern's method, "" if it serves any.
func (p *Pattern) Method() string { return p.method }

// Host returns the pattern's host in lower case, "" if it serves any.
func (p *Pattern) Host() string { return p.host }

// Names returns the names of the wildcards, from left to right. The caller may
// keep and change the slice.
func (p *Pattern) Names() []string { return slices.Clone(p.names) }

// Location returns where the pattern was registered ("file:line"), "" before it
// was.
func (p *Pattern) Location() string { return p.loc }

// A kind is what a segment of a pattern matches.
type kind uint8

const (
	literal kind = iota // its own text, after percent-decoding both sides
	single              // "{name}": any one segment that is not empty
	end                 // "{$}": the slash at the end
	rest                // "{name...}", or the slash at the end of a pattern: everything from this slash on
)

// A segment is one piece of a pattern's path, without the slash before it.
type segment struct {
	kind kind
	text string // a literal percent-decoded; a wildcard's name, "" for a nameless rest
	raw  string // as written, for messages
}
