package build

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"
)

// lookalikes are a folder with checkouts, and what is none.
func lookalikes(t *testing.T) string {
	t.Helper()
	return write(t, map[string]string{
		"weir/go.mod":                    "// weir\n\nmodule weir // the server\n\ngo 1.26\n",
		"weir/cmd/weir/cli/cli.go":       "package cli\n",
		"weir/examples/h/go.mod":         "module example.com/h\n",
		"quoted/go.mod":                  "module \"weir\"\n",
		"quoted/cmd/weir/cli/cli.go":     "package cli\n",
		"old/go.mod":                     "module weir\n",
		"other/go.mod":                   "module example.com/other\n",
		"other/cmd/weir/cli/cli.go":      "package cli\n",
		"none/readme":                    "",
		"headless/go.mod":                "go 1.26\n",
		"headless/cmd/weir/cli/main.txt": "",
	})
}

func TestCheckoutAbove(t *testing.T) {
	root := lookalikes(t)
	for place, want := range map[string]string{
		"weir": "weir", "weir/cmd/weir/cli": "weir", "weir/examples/h": "weir", "weir/not/there/any/more": "weir", "quoted/cmd": "quoted",
		"old": "", "other/cmd/weir/cli": "", "none": "", "headless": "",
	} {
		got, ok := checkoutAbove(filepath.Join(root, place))
		if want != "" {
			want = filepath.Join(root, want)
		}
		if got != want || ok != (want != "") {
			t.Errorf("%s: got %q, %v, want %q", place, got, ok, want)
		}
	}
}

func TestSourceGiven(t *testing.T) {
	root := lookalikes(t)
	t.Chdir(root)
	if err := os.Symlink("weir", "link"); err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]string{"weir": "", "./weir/": "", root + "/weir": "", "link": "",
		"old":          "--source: old has no cmd/weir/cli: this weir is too old to be built with packages",
		"other":        "--source: other is the module example.com/other, want weir",
		"none":         "--source: none has no go.mod: want the root of a checkout of weir",
		"headless":     "--source: headless has no go.mod: want the root of a checkout of weir",
		"none/readme":  "--source: none/readme is not a folder",
		"nowhere":      "--source: lstat nowhere: no such file or directory",
		"weir/cmd/../": "",
	} {
		got, err := findSource(given, nil)
		if want != "" {
			if err == nil || err.Error() != want {
				t.Errorf("%s: got %q, %v, want %q", given, got, err, want)
			}
			continue
		}
		if err != nil || got != filepath.Join(root, "weir") {
			t.Errorf("%s: got %q, %v, want the checkout", given, got, err)
		}
	}
}

// The current folder's checkout goes before that which the test was built from.
func TestSourceFound(t *testing.T) {
	root := lookalikes(t)
	t.Chdir(filepath.Join(root, "weir/examples/h"))
	if got, err := findSource("", []string{filepath.Join(root, "quoted")}); err != nil || got != filepath.Join(root, "weir") {
		t.Errorf("got %q, %v, want the current folder's", got, err)
	}
}

// A binary of weir build knows where it has weir from, -trimpath or not.
func TestReplacement(t *testing.T) {
	info := &debug.BuildInfo{Deps: []*debug.Module{
		{Path: "example.com/h", Replace: &debug.Module{Path: "/src/h"}},
		{Path: "weir", Version: "v0.0.0", Replace: &debug.Module{Path: "/src/weir"}},
	}}
	if got := replacement(info); !slices.Equal(got, []string{"/src/weir"}) {
		t.Errorf("got %q, want /src/weir", got)
	}
	info.Deps[1].Replace = nil
	if got := replacement(info); got != nil {
		t.Errorf("got %q of a fetched weir, want none", got)
	}
}
