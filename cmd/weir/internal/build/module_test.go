package build

import (
	"slices"
	"strings"
	"testing"
)

func TestRootAbove(t *testing.T) {
	root := write(t, map[string]string{"a/go.mod": "", "a/b/c/x.go": "", "a/nested/go.mod": ""})
	for folder, want := range map[string]string{"/a": "/a", "/a/b/c": "/a", "/a/nested": "/a/nested"} {
		if got, err := rootAbove(root + folder); err != nil || got != root+want {
			t.Errorf("%s: got %q, %v, want %s", folder, got, err, want)
		}
	}
	if got, err := rootAbove(root); err == nil || !strings.Contains(err.Error(), "go.mod") {
		t.Errorf("got %q, %v, want an error about go.mod", got, err)
	}
}

func TestPathOf(t *testing.T) {
	m := &module{path: "example.com/h/v2", folder: "/src/h"}
	for folder, want := range map[string]string{"/src/h": "example.com/h/v2", "/src/h/a/b": "example.com/h/v2/a/b", "/src/h/my handler": "", "/src/h/.x": ""} {
		if got, err := m.pathOf(folder); (err == nil) != (want != "") || err == nil && got != want {
			t.Errorf("%s: got %q, %v, want %q", folder, got, err, want)
		}
	}
	for path, want := range map[string]bool{"example.com/h/v2": true, "example.com/h/v2/a": true, "example.com/h": false, "example.com/h/v22": false} {
		if got := m.holds(path); got != want {
			t.Errorf("holds %s: got %v", path, got)
		}
	}
}

func TestLatest(t *testing.T) {
	modules := []*module{{needs: "go1.26"}, {needs: "go1.27rc1"}, {needs: "go1.9"}, {needs: "go"}}
	if got := latest(modules); got != "go1.27rc1" {
		t.Errorf("got %q, want go1.27rc1", got)
	}
}

// A module's own replacements hold, but not against the folders that were given.
func TestReplaces(t *testing.T) {
	weir := &module{path: "weir", folder: "/weir"}
	a := &module{path: "a", folder: "/a", replaces: []replace{
		{old: "weir", to: "/elsewhere", from: "a/go.mod"}, {old: "b", to: "/elsewhere", from: "a/go.mod"},
		{old: "lib", to: "/lib", from: "a/go.mod"}, {old: "pin", oldVersion: "v1.0.0", to: "fork", toVersion: "v1.0.1", from: "a/go.mod"}}}
	b := &module{path: "b", folder: "/b", replaces: []replace{{old: "lib", to: "/lib", from: "b/go.mod"}}}
	got, err := replaces([]*module{weir, a, b})
	want := []replace{{old: "weir", to: "/weir"}, {old: "a", to: "/a"}, {old: "b", to: "/b"}, a.replaces[2], a.replaces[3]}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	b.replaces[0].to = "/other"
	if _, err := replaces([]*module{weir, a, b}); err == nil || err.Error() != "a/go.mod replaces lib with /lib, but b/go.mod with /other: they must agree" {
		t.Errorf("got %v, want both places and folders", err)
	}
}

// A folder's name may hold what go.mod would take for syntax.
func TestGoMod(t *testing.T) {
	p := &plan{modules: []*module{
		{path: "weir", folder: "/src/my weir", needs: "go1.26", toolchain: "go1.26.11", replaces: []replace{{old: "x", oldVersion: "v1.0.0", to: "y", toVersion: "v1.1.0"}}},
		{path: "a", folder: "/a // \"b\"", needs: "go1.26.1", toolchain: "go1.26.2"},
	}}
	got, err := p.goMod()
	const want = "module weirbuild\n\ngo 1.26.1\n\ntoolchain go1.26.11\n\nreplace weir => \"/src/my weir\"\nreplace a => \"/a // \\\"b\\\"\"\nreplace x v1.0.0 => \"y\" v1.1.0\n"
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
