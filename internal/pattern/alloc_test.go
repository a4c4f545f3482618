//go:build !race

package pattern_test

import (
	"testing"

	"weir/internal/pattern"
)

func TestMatchAllocatesNothing(t *testing.T) {
	tree := plant(t, "GET /v1/models", "GET /v1/models/{id}", "/static/{path...}", "/static/css/", "h.example/a/{x}", "/8/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}", "/caf%C3%A9")
	get := []byte("GET")
	for _, tt := range []struct{ name, host, path string }{
		{"literal", "", "/v1/models"},
		{"wildcard", "", "/v1/models/qwen2.5-7b"},
		{"rest", "", "/static/js/app/main.js"},
		{"host", "H.Example:8080", "/a/b"},
		{"eight values", "other", "/8/1/2/3/4/5/6/7/8"},
		{"escaped literal", "", "/caf%c3%a9"},
		{"no match", "", "/nothing/here/at/all"},
		{"slash missing", "", "/static/css"},
		{"escaped value, once warm", "", "/v1/models/meta%2Fllama"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var ps pattern.Params
			host, path := []byte(tt.host), []byte(tt.path)
			tree.Match(get, host, path, &ps)
			if n := testing.AllocsPerRun(100, func() { tree.Match(get, host, path, &ps) }); n != 0 {
				t.Errorf("Match: got %v allocations, want 0", n)
			}
			if n := testing.AllocsPerRun(100, func() { pattern.Clean(path) }); n != 0 {
				t.Errorf("Clean: got %v allocations, want 0", n)
			}
		})
	}
}

func TestAllowedAllocatesNothing(t *testing.T) {
	tree := plant(t, "GET /a/{x}", "PUT /a/b")
	dst := make([]string, 0, 8)
	host, path := []byte("h"), []byte("/a/b")
	if n := testing.AllocsPerRun(100, func() { tree.Allowed(host, path, dst) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}
