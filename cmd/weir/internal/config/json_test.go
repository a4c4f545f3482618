package config

import (
	"strings"
	"testing"
)

// What a patch has from the environment is sent, and not shown.
func TestPatchesFromTheEnvironment(t *testing.T) {
	t.Setenv("WEIR_TEST_TENANT", "tenant-17")
	c, err := Parse(Source{"weir.yaml", []byte(`
upstreams: {a: {url: "http://127.0.0.1:1"}}
models:
  m:
    targets: [{upstream: a}]
    request:
      merge: {user: "${WEIR_TEST_TENANT}", safe: "$${x}"}
      patch: [{op: add, path: /metadata, value: {tenants: ["a ${WEIR_TEST_TENANT}"]}}]
`)})
	if err != nil {
		t.Fatal(err)
	}
	rules := c.Models["m"].Rules()
	if want := `{"safe":"${x}","user":"tenant-17"}`; string(rules.Merge) != want {
		t.Errorf("got %s, want %s", rules.Merge, want)
	}
	if want := `[{"op":"add","path":"/metadata","value":{"tenants":["a tenant-17"]}}]`; string(rules.Patch) != want {
		t.Errorf("got %s, want %s", rules.Patch, want)
	}
	text := string(c.YAML())
	if strings.Contains(text, "tenant-17") {
		t.Errorf("%s shows the variable", text)
	}
	again, err := Parse(Source{"again", []byte(text)})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if got := again.Models["m"].Rules(); string(got.Merge) != string(rules.Merge) || string(got.Patch) != string(rules.Patch) || got.Event != nil {
		t.Errorf("got %s and %s after printing, want %s and %s", got.Merge, got.Patch, rules.Merge, rules.Patch)
	}
}

// An overlay changes a merge patch member by member, and replaces a list of
// operations.
func TestOverlayOfPatches(t *testing.T) {
	c, err := Parse(Source{"weir.yaml", []byte(`
upstreams: {a: {url: "http://127.0.0.1:1"}}
models:
  m:
    targets: [{upstream: a}]
    request: {merge: {a: 1, b: null, c: {d: 1}}, patch: [{op: remove, path: /x}]}
`)}, Source{"o.yaml", []byte(`models: {m: {request: {merge: {a: null, c: {e: 2}}, patch: [{op: add, path: /y, value: null}]}}}`)})
	if err != nil {
		t.Fatal(err)
	}
	rules := c.Models["m"].Rules()
	if want := `{"b":null,"c":{"d":1,"e":2}}`; string(rules.Merge) != want {
		t.Errorf("got %s, want %s", rules.Merge, want)
	}
	if want := `[{"op":"add","path":"/y","value":null}]`; string(rules.Patch) != want {
		t.Errorf("got %s, want %s", rules.Patch, want)
	}
}
