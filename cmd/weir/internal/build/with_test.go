package build

import (
	"os"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	tests := []struct {
		given   string
		want    pkg
		problem string
	}{
		{"example.com/h", pkg{path: "example.com/h"}, ""},
		{"example.com/h/fast@v1.2.0-rc.1+x", pkg{path: "example.com/h/fast", version: "v1.2.0-rc.1+x"}, ""},
		{"example.com/h@feature/x", pkg{path: "example.com/h", version: "feature/x"}, ""},
		{"example.com/h=../h", pkg{path: "example.com/h", folder: "../h"}, ""},
		{"h/fast=/src/a=b", pkg{path: "h/fast", folder: "/src/a=b"}, ""},
		{".", pkg{folder: "."}, ""},
		{"..", pkg{folder: ".."}, ""},
		{"./a@b=c", pkg{folder: "./a@b=c"}, ""},
		{"../a", pkg{folder: "../a"}, ""},
		{"/src/a", pkg{folder: "/src/a"}, ""},
		{"weir/plugin", pkg{path: "weir/plugin"}, ""},
		{"", pkg{}, "empty path"},
		{"example.com/h=", pkg{}, "no folder behind the ="},
		{"=../h", pkg{}, `"" is not an import path`},
		{"@v1", pkg{}, `"" is not an import path`},
		{"example.com/h@v1=../h", pkg{}, "a version and a folder exclude each other"},
		{"example.com/h@", pkg{}, `"" is not a version`},
		{"example.com/h@none", pkg{}, `"none" is not a version`},
		{"example.com/h@-x", pkg{}, `"-x" is not a version`},
		{"example.com/h@v1@v2", pkg{}, `"v1@v2" is not a version`},
		{"-x", pkg{}, `"-x" is not an import path`},
		{"example.com//h", pkg{}, `"example.com//h" is not an import path`},
		{"example.com/h/", pkg{}, `"example.com/h/" is not an import path`},
		{"example.com/../h", pkg{}, `"example.com/../h" is not an import path`},
		{"example.com/\"\n", pkg{}, `"example.com/\"\n" is not an import path`},
		{"https://example.com/h", pkg{}, `"https://example.com/h" is not an import path`},
		{"examples/h", pkg{}, "examples/h cannot be fetched, its first part is not a host"},
		{"there/h", pkg{}, "there/h is a folder, not an import path: write ./there/h"},
	}
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("there/h", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		got, err := parse(tt.given)
		if tt.problem != "" {
			if err == nil || !strings.HasPrefix(err.Error(), tt.problem) {
				t.Errorf("%q: got %+v, %v, want %q", tt.given, got, err, tt.problem)
			}
			continue
		}
		tt.want.given = tt.given
		if err != nil || got != tt.want {
			t.Errorf("%q: got %+v, %v, want %+v", tt.given, got, err, tt.want)
		}
	}
}

// A package that is named twice is there once.
func TestPackages(t *testing.T) {
	var p packages
	for _, given := range []string{"./a", "example.com/b", "./a"} {
		if err := p.Set(given); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := p.String(), "./a,example.com/b"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
