package floors

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

// Every file counts, whatever system or build tag it is for; go list would see
// only those of this one.
func TestFloors(t *testing.T) {
	packages := imports(t)
	if len(packages["reactor"]) == 0 {
		t.Fatal("reactor is not among the packages read: the test looks in the wrong place")
	}
	for _, pkg := range slices.Sorted(maps.Keys(packages)) {
		for _, fault := range faults(pkg, packages[pkg]) {
			t.Error(fault)
		}
	}
}

// A floor of bytes stays clear of sockets by way of other packages, too:
// net/textproto, say, imports net.
func TestFloorsOfBytes(t *testing.T) {
	for pkg, f := range floors {
		if !f.bytes {
			continue
		}
		t.Run(pkg, func(t *testing.T) {
			for _, dep := range dependencies(t, pkg) {
				if isSocket(dep) {
					t.Errorf("%s depends on %s: it sees bytes, never sockets", pkg, dep)
				}
				if !isStandard(dep) && !isOurs(dep) && !strings.HasPrefix(dep, "vendor/") {
					t.Errorf("%s depends on %s: only the standard library may be below it", pkg, dep)
				}
			}
		})
	}
}

// imports returns what the non-test files of each package of the module
// import, by the package's path below it.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	packages := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && isApart(path):
			return filepath.SkipDir
		case d.IsDir(), filepath.Ext(path) != ".go", strings.HasSuffix(path, "_test.go"):
			return nil
		}
		pkg, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg = filepath.ToSlash(pkg)
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			packages[pkg] = append(packages[pkg], name)
		}
		if _, ok := packages[pkg]; !ok {
			packages[pkg] = nil // a package without imports needs a floor as well
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg, names := range packages {
		slices.Sort(names)
		packages[pkg] = slices.Compact(names)
	}
	return packages
}

// isApart says that a directory is none of the module's: the go command does
// not look into it, or it is a module of its own.
func isApart(dir string) bool {
	name := filepath.Base(dir)
	if name == "testdata" || name == "node_modules" || name[0] == '.' || name[0] == '_' {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func dependencies(t *testing.T, pkg string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "./"+pkg)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, stderr.Bytes())
	}
	return strings.Fields(string(out))
}

// The rules themselves: what they let pass, and what they must not.
func TestFaults(t *testing.T) {
	const (
		gnet = "github.com/panjf2000/gnet/v2/pkg/netpoll"
		yaml = "sigs.k8s.io/yaml"
	)
	tests := []struct {
		name, pkg, path string
		ok              bool
	}{
		{"bytes import the standard library", "http1", "strconv", true},
		{"bytes import an address", "http1", "net/netip", true},
		{"bytes import net", "chunked", "net", false},
		{"bytes import net/http", "sse", "net/http", false},
		{"bytes import a part of net/http", "plugin", "net/http/httptest", false},
		{"bytes import a module", "http1", "github.com/valyala/bytebufferpool", false},
		{"chunked stands on http1", "chunked", "weir/http1", true},
		{"http1 does not climb to chunked", "http1", "weir/chunked", false},
		{"sse knows no http1", "sse", "weir/http1", false},
		{"reactor stands on gnet's netpoll", "reactor", gnet, true},
		{"reactor leaves gnet's engine alone", "reactor", "github.com/panjf2000/gnet/v2", false},
		{"reactor knows no HTTP of ours", "reactor", "weir/http1", false},
		{"the root does not pass reactor by", ".", gnet, false},
		{"nor does the binary", "cmd/weir", gnet, false},
		{"the root stands on reactor", ".", "weir/reactor", true},
		{"an arrow goes on", ".", "weir/chunked", true},
		{"the root does not climb to ws", ".", "weir/ws", false},
		{"the root does not climb to client", ".", "weir/client", false},
		{"client stands on reactor", "client", "weir/reactor", true},
		{"client does not climb to the root", "client", "weir", false},
		{"hub stands on the root", "hub", "weir", true},
		{"neighbours stay apart", "hub", "weir/ws", false},
		{"weirtest stands on the root", "weirtest", "weir", true},
		{"weirtest stands on the memory kernel", "weirtest", "weir/internal/memloop", true},
		{"the root does not climb to weirtest", ".", "weir/weirtest", false},
		{"nor does the binary", "cmd/weir/internal/serve", "weir/weirtest", false},
		{"cabi stands on plugin", "plugin/cabi", "weir/plugin", true},
		{"cabi uses cgo", "plugin/cabi", "C", true},
		{"and holds C's pointers", "plugin/cabi", "unsafe", true},
		{"reactor does not", "reactor", "C", false},
		{"the binary stands on client", "cmd/weir/internal/relay", "weir/client", true},
		{"the binary's packages know each other", "cmd/weir", "weir/cmd/weir/internal/tour", true},
		{"the binary takes modules", "cmd/weir/internal/serve", yaml, true},
		{"the library does not", ".", yaml, false},
		{"nobody stands on the binary", "static", "weir/cmd/weir/internal/tour", false},
		{"all may import internal packages", "chunked", "weir/internal/bytesx", true},
		{"but not one that stands on reactor", "http1", "weir/internal/memloop", false},
		{"the gateway is a user", "cmd/weir/internal/serve", "weir/internal/wheel", false},
		{"its own internal packages are its own", "cmd/weir/internal/serve", "weir/cmd/weir/internal/relay", true},
		{"internal packages do not climb", "internal/wheel", "weir/reactor", false},
		{"memloop stands on reactor", "internal/memloop", "weir/reactor", true},
		{"bytesx is unsafe", "internal/bytesx", "unsafe", true},
		{"reactor is not", "reactor", "unsafe", false},
		{"nor is the binary", "cmd/weir", "unsafe", false},
		{"a package without a floor", "common", "strings", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := faults(tt.pkg, []string{tt.path})
			if (len(got) == 0) != tt.ok {
				t.Errorf("%s importing %s: got faults %q, want allowed: %v", tt.pkg, tt.path, got, tt.ok)
			}
		})
	}
}
