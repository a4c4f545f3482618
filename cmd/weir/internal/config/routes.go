package config

import (
	"strings"

	"weir/internal/pattern"
)

// What the gateway serves itself; routes have other paths.
const (
	ModelsPath = "/v1/models"         // the list of models
	ModelPath  = "/v1/models/{id...}" // one of them
	HealthPath = "/health"            // whether new requests are accepted
)

// ownPaths are the paths of the requests that the gateway serves itself, a path
// for each of their patterns.
var ownPaths = [...]string{ModelsPath, ModelsPath + "/x", HealthPath, "/livez", "/readyz"}

// apiBase is how all paths begin that are relayed.
const apiBase = "/v1"

// Relayed are the paths of the requests that models serve.
var Relayed = [...]string{"/v1/chat/completions", "/v1/completions", "/v1/embeddings"}

// routes checks the patterns, each alone, against each other and against what
// the gateway serves itself.
func (v *validator) routes() {
	tree := ownTree()
	for i, r := range v.Routes {
		here := at("routes", i)
		if r.Native != "" && !isNative(r.Native) {
			v.complain(join(here, "native"), "want the name of a native handler such as demo/babble, got %q", r.Native)
		}
		if r.Path == "" {
			continue
		}
		p, err := pattern.Parse(r.Path)
		if err != nil {
			v.complain(join(here, "path"), "%s", oneLine(err))
			continue
		}
		if path := takes(p); path != "" {
			v.complain(join(here, "path"), "%s is served by the gateway itself; use another path", path)
		} else if err := tree.Add(p, here, i); err != nil {
			v.complain(join(here, "path"), "%s", oneLine(err))
		}
	}
}

// ownTree has what the gateway registers itself.
func ownTree() *pattern.Tree[int] {
	patterns := []string{"GET " + ModelPath, "/"}
	for _, path := range ownPaths {
		if path != ModelsPath+"/x" {
			patterns = append(patterns, "GET "+path)
		}
	}
	for _, path := range Relayed {
		patterns = append(patterns, "POST "+path)
	}
	tree := new(pattern.Tree[int])
	for _, text := range patterns {
		p, err := pattern.Parse(text)
		if err == nil {
			err = tree.Add(p, "weir itself", -1)
		}
		if err != nil {
			panic("config: " + err.Error()) // they are constants
		}
	}
	return tree
}

// takes returns a path of the gateway's that a route also matches, whatever the
// methods of both, or "". A route for whole families of paths, which gets the
// rest of them, is allowed.
func takes(p *pattern.Pattern) string {
	path := p.String()[strings.IndexByte(p.String(), '/'):]
	if strings.HasPrefix(path, ModelsPath+"/") {
		return ModelPath
	}
	bare, err := pattern.Parse(path)
	if err != nil {
		return "" // it was parsed with its method and host
	}
	var alone pattern.Tree[int]
	_ = alone.Add(bare, "", 0) // an empty tree has no conflict
	for _, own := range append(Relayed[:], ownPaths[:]...) {
		// A pattern with a host precedes everything without one.
		_, _, matches := alone.Match([]byte("POST"), nil, []byte(own), nil)
		if matches && (p.Host() != "" || len(bare.Names()) == 0 && !strings.HasSuffix(path, "/")) {
			return own
		}
	}
	return ""
}

func oneLine(err error) string {
	text := strings.TrimPrefix(err.Error(), "pattern: ")
	text = strings.ReplaceAll(text, "registered at weir itself", "the gateway's own")
	return strings.ReplaceAll(strings.ReplaceAll(text, ":\n", ": "), "\n", " ")
}
