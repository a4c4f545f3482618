package config

import (
	"fmt"
	"strings"

	"weir"
	"weir/cmd/weir/internal/dialect/known"
)

// What the gateway serves itself; routes have other paths.
const (
	ModelsPath = "/v1/models"         // the list of models
	ModelPath  = "/v1/models/{id...}" // one of them
	HealthPath = "/health"            // whether new requests are accepted
)

// ownPaths are the paths of the requests that the gateway serves itself, a path
// for each of their patterns.
var ownPaths = [...]string{ModelsPath, ModelsPath + "/x", HealthPath, "/livez", "/readyz", "/api/tags", "/api/version"}

// relayed are the paths of the requests that models serve, but for those of
// which only the beginning is known: routes may be more specific.
var relayed = func() (paths []string) {
	for _, d := range known.Dialects {
		for _, e := range d.Endpoints() {
			if e.Kind.Relayed() && !strings.Contains(e.Path, "{") {
				paths = append(paths, e.Path)
			}
		}
	}
	return paths
}()

// otherPath is the pattern of the other ones.
const otherPath = "/v1/{path...}"

// routes checks the patterns, each alone, against each other and against what
// the gateway serves itself.
func (v *validator) routes() {
	mux := ownMux()
	for i, r := range v.Routes {
		here := at("routes", i)
		if r.Native != "" && !isNative(r.Native) {
			v.complain(join(here, "native"), "want the name of a native handler such as demo/babble, got %q", r.Native)
		}
		if r.Path == "" {
			continue
		}
		if err := addRoute(mux, here, r.Path); err != nil {
			v.complain(join(here, "path"), "%s", oneLine(err))
		}
	}
}

// addRoute registers a route beside others.
func addRoute(mux *weir.Mux, place, pattern string) error {
	if _, err := new(weir.Mux).TryHandle(place, pattern, nobody); err != nil {
		return err // it is malformed
	}
	if path := takes(pattern); path != "" {
		return fmt.Errorf("%s is served by the gateway itself; use another path", path)
	}
	_, err := mux.TryHandle(place, pattern, nobody)
	return err
}

// nobody is the handler of routes that are only compared.
var nobody = weir.HandlerFunc(func(*weir.Response, *weir.Request) {})

// ownMux has what the gateway registers itself.
func ownMux() *weir.Mux {
	patterns := []string{"GET " + ModelPath, "POST " + otherPath, "/"}
	for _, path := range ownPaths {
		if path != ModelsPath+"/x" {
			patterns = append(patterns, "GET "+path)
		}
	}
	for _, path := range relayed {
		patterns = append(patterns, "POST "+path)
	}
	mux := new(weir.Mux)
	for _, text := range patterns {
		if _, err := mux.TryHandle("weir itself", text, nobody); err != nil {
			panic("config: " + err.Error()) // they are constants
		}
	}
	return mux
}

// takes returns a path of the gateway's that a well-formed route also matches,
// whatever the methods of both, or "". A route for whole families of paths,
// which gets the rest of them, is allowed.
func takes(pattern string) string {
	host, path, _ := strings.Cut(pattern[strings.LastIndexAny(pattern, " \t")+1:], "/")
	path = "/" + path
	if strings.HasPrefix(path, ModelsPath+"/") {
		return ModelPath
	}
	alone := new(weir.Mux)
	if _, err := alone.TryHandle("", path, nobody); err != nil {
		return "" // it was well-formed with its method and host
	}
	for _, own := range append(relayed[:len(relayed):len(relayed)], ownPaths[:]...) {
		// A pattern with a host precedes everything without one.
		_, matches := alone.Match("POST", "", own)
		if matches && (host != "" || !strings.Contains(path, "{") && !strings.HasSuffix(path, "/")) {
			return own
		}
	}
	return ""
}

func oneLine(err error) string {
	text := strings.TrimPrefix(err.Error(), "weir: pattern: ")
	text = strings.ReplaceAll(text, "registered at weir itself", "the gateway's own")
	return strings.ReplaceAll(strings.ReplaceAll(text, ":\n", ": "), "\n", " ")
}
