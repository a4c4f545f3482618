// Package floors holds the rules of what may import what in weir, and a test of
// them. It needs no tool but the Go toolchain; .golangci.yml has the same rules
// for editors.
//
//	cmd/weir ──> weir (root) ──> internal/h1 ──> reactor ──> gnet/v2/pkg/netpoll, pkg/socket; logq
//	   │            │  │              └───────> chunked ──> http1    nethttp, ws, static, hub ──> weir; ws ──> client
//	   │            │  └───────> plugin                              weirtest ──> weir, internal/memloop
//	   │            └──────────> sse                                 plugin/cabi ──> plugin
//	   └──────> client ──> reactor, chunked                          all but cmd/weir may import internal/*
//
// An arrow may be followed further down: what may import chunked may import
// http1. Nothing goes up, and test files are free.
package floors

import (
	"fmt"
	"slices"
	"strings"
)

const module = "weir"

// A floor is what one package, or a tree of packages, may import in addition to
// the standard library and internal packages.
type floor struct {
	on      []string // packages of weir it stands on, paths below the module
	outside []string // modules, or packages of modules, from outside weir
	bytes   bool     // bytes only: no sockets, not even by way of another package
	guest   bool     // imports nothing below internal: what it needs, a user can use
	anyone  bool     // may import anything from outside weir
	unsafe  bool
}

// floors has every package of weir by its path below the module, "." being the
// root. A name that ends in /... also stands for all packages below it; the
// longest match counts.
var floors = map[string]floor{
	"http1":   {bytes: true},
	"chunked": {bytes: true, on: []string{"http1"}},
	"sse":     {bytes: true},
	"plugin":  {bytes: true},

	"logq": {},
	"reactor": {on: []string{"logq"}, outside: []string{
		"github.com/panjf2000/gnet/v2/pkg/netpoll",
		"github.com/panjf2000/gnet/v2/pkg/socket",
		"github.com/panjf2000/gnet/v2/pkg/errors", // these two are in netpoll's signatures
		"github.com/panjf2000/gnet/v2/pkg/queue",
		"github.com/valyala/bytebufferpool",
		"golang.org/x/sys",
	}},
	"client": {on: []string{"reactor", "chunked"}},
	".":      {on: []string{"internal/h1", "reactor", "plugin", "chunked", "sse"}},

	"nethttp":    {on: []string{"."}},
	"ws":         {on: []string{".", "client"}, outside: []string{"github.com/gobwas/ws", "github.com/klauspost/compress/flate"}},
	"static":     {on: []string{"."}},
	"hub":        {on: []string{"."}},
	"middleware": {on: []string{".", "logq"}},
	"middleware/compress": {on: []string{"middleware"}, outside: []string{
		"github.com/klauspost/compress", "github.com/andybalholm/brotli",
	}},
	"weirtest":    {on: []string{".", "internal/memloop"}},
	"plugin/cabi": {on: []string{"plugin"}, unsafe: true}, // cgo's pointers

	"docs": {}, // the guide, embedded
	"cmd/weir/...": {
		anyone: true, guest: true,
		on: []string{
			".", "client", "logq", "nethttp", "ws", "static", "hub", "middleware", "middleware/compress", "plugin/cabi",
			"docs", "cmd/weir/...", "cmd/weir/internal/dialect/...", "cmd/weir/internal/policy",
		},
	},
	"cmd/weir/internal/dialect/...": {bytes: true, guest: true, on: []string{"http1"}},
	"cmd/weir/internal/policy":      {bytes: true, guest: true},

	"internal/...":     {},
	"internal/bytesx":  {unsafe: true, outside: []string{"golang.org/x/sys"}},
	"internal/memloop": {on: []string{"reactor"}},
	"internal/h1":      {on: []string{"reactor", "chunked"}},
}

// faults returns which imports of a package, given by its path below the
// module, its floor forbids.
func faults(pkg string, imports []string) []string {
	f, name, ok := floorOf(pkg)
	if !ok {
		return []string{fmt.Sprintf("%s has no floor: give it one in internal/floors", pkg)}
	}
	var found []string
	for _, path := range imports {
		if why := f.forbids(path, name); why != "" {
			found = append(found, fmt.Sprintf("%s imports %s: %s", pkg, path, why))
		}
	}
	return found
}

// forbids returns why a package of floor f, called name, may not import path,
// or "" if it may.
func (f floor) forbids(path, name string) string {
	switch {
	case path == "unsafe" && !f.unsafe:
		return "only internal/bytesx does unsafe conversions, and cgo in plugin/cabi"
	case path == "C" && name != "plugin/cabi":
		return "only plugin/cabi uses cgo"
	case f.bytes && isSocket(path):
		return "this floor sees bytes, never sockets"
	case isStandard(path):
		return ""
	case isOurs(path):
		return f.forbidsOurs(below(path), name)
	case f.anyone && !isIn(path, "github.com/panjf2000/gnet/v2"):
		return ""
	case slices.ContainsFunc(f.outside, func(of string) bool { return isIn(path, of) }):
		return ""
	case isIn(path, "github.com/panjf2000/gnet/v2"):
		return "only reactor stands on gnet"
	}
	return "the library stays small: the gateway's needs are imported under cmd/weir only"
}

func (f floor) forbidsOurs(target, name string) string {
	_, targetName, ok := floorOf(target)
	switch {
	case !ok:
		return "it has no floor: give it one in internal/floors"
	case targetName == name:
		return ""
	case strings.HasPrefix(targetName, "internal/") && f.guest:
		return "what the gateway needs, a user can use: give it a public door"
	case strings.HasPrefix(targetName, "internal/") && !floors[targetName].climbs():
		return ""
	case slices.Contains(reach(name), targetName):
		return ""
	}
	return "no arrow of the floors leads there"
}

// climbs reports whether an internal package stands on one that is not.
func (f floor) climbs() bool { return len(f.on) > 0 }

// reach returns the names of all floors below name.
func reach(name string) []string {
	var all []string
	for _, next := range floors[name].on {
		if next != name {
			all = append(append(all, next), reach(next)...)
		}
	}
	return all
}

// floorOf returns the floor of a package, and the name it has in floors.
func floorOf(pkg string) (f floor, name string, ok bool) {
	if f, ok = floors[pkg]; ok {
		return f, pkg, true
	}
	for dir := pkg; dir != ""; {
		name = dir + "/..."
		if f, ok = floors[name]; ok {
			return f, name, true
		}
		dir = dir[:max(0, strings.LastIndexByte(dir, '/'))]
	}
	return floor{}, "", false
}

func isOurs(path string) bool { return isIn(path, module) }

// below returns a package's path below the module.
func below(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

// isIn reports whether path is of or below it.
func isIn(path, of string) bool {
	return path == of || strings.HasPrefix(path, of+"/")
}

// isStandard reports whether path is in the standard library: other paths have
// a dot in their first part.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") && !isOurs(path)
}

// isSocket reports whether a package opens or serves sockets. net/url and
// net/netip only parse addresses.
func isSocket(path string) bool {
	return path == "net" || isIn(path, "net/http")
}
