package api

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// public are the packages that are for users.
var public = []string{
	"weir", "weir/chunked", "weir/client", "weir/http1", "weir/hub", "weir/logq", "weir/middleware", "weir/middleware/compress", "weir/nethttp", "weir/plugin", "weir/plugin/cabi", "weir/reactor", "weir/static", "weir/ws",
	"weir/sse", "weir/weirtest",
}

// exceptions are exported identifiers that need a type that users cannot name,
// with the reason. One that is not needed any more fails the test.
var exceptions = map[string]string{}

// An exported identifier needs only types that its users can name without
// importing anything but the public packages and the standard library: none of
// an internal package, none that is not exported, and none of a dependency.
func TestTypesCanBeNamed(t *testing.T) {
	needed := map[string]bool{}
	for _, pkg := range load(t, public) {
		for _, f := range faults(pkg) {
			if needed[f] = true; exceptions[f] == "" {
				t.Error(f)
			}
		}
	}
	for f := range exceptions {
		if !needed[f] {
			t.Errorf("%q is an exception, but no fault", f)
		}
	}
}

// The test finds what it looks for, wherever that is.
func TestFaultsAreFound(t *testing.T) {
	const source = `package fixture
		import ("io"; "weir/internal/wheel")
		type hidden struct { Shown *wheel.Timer }
		func (*hidden) Method(hidden) {}
		type Alias = wheel.Timer
		type Struct struct { Field map[string]*wheel.Timer; inside wheel.Timer }
		type Embeds struct { hidden }
		type Interface interface { Method(func(...[]wheel.Timer)) }
		type Generic[T interface{ ~[]wheel.Timer }] struct{}
		type Channel chan hidden
		func Function() (*hidden, error) { return nil, nil }
		var Variable [2]hidden
		func (Struct) Method(w io.Writer, a Alias) {}
		func (Struct) private(hidden) {}
		func Fine(w io.Writer, s Struct, g []Interface) (interface{ Len() int }, error) { return nil, nil }`
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "fixture.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	config := types.Config{Importer: exported(t, []string{"io", "weir/internal/wheel"})}
	pkg, err := config.Check("fixture", files, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const timer = "weir/internal/wheel.Timer"
	want := []string{
		"fixture.Alias needs " + timer, "fixture.Channel needs fixture.hidden", "fixture.Embeds.Method needs fixture.hidden",
		"fixture.Embeds.Shown needs " + timer, "fixture.Function needs fixture.hidden", "fixture.Generic needs " + timer,
		"fixture.Interface.Method needs " + timer, "fixture.Struct.Field needs " + timer, "fixture.Struct.Method needs " + timer,
		"fixture.Variable needs fixture.hidden",
	}
	if got := faults(pkg); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// load returns the exported API of packages.
func load(t *testing.T, paths []string) (pkgs []*types.Package) {
	t.Helper()
	imports := exported(t, paths)
	for _, path := range paths {
		pkg, err := imports.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, pkg)
	}
	return pkgs
}

// exported imports packages, and those that they import, from what the go
// command compiles for that.
func exported(t *testing.T, paths []string) types.Importer {
	t.Helper()
	list := exec.Command("go", append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}, paths...)...)
	list.Dir, list.Stderr = "../..", os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		data[path] = file
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(data[path]) })
}

// faults returns what in the API of pkg needs a type that users cannot name,
// sorted.
func faults(pkg *types.Package) []string {
	c := checker{pkg: pkg}
	for _, name := range pkg.Scope().Names() {
		if obj := pkg.Scope().Lookup(name); obj.Exported() {
			c.object(pkg.Path()+"."+name, obj)
		}
	}
	slices.Sort(c.faults)
	return slices.Compact(c.faults)
}

type checker struct {
	pkg    *types.Package
	faults []string
}

// object looks at one identifier of the package and at all that is selected from it.
func (c *checker) object(at string, obj types.Object) {
	named, _ := obj.Type().(*types.Named)
	if _, isType := obj.(*types.TypeName); !isType || named == nil {
		c.needs(at, obj.Type())
		return
	}
	for p := range named.TypeParams().TypeParams() {
		c.needs(at, p.Constraint())
	}
	if s, ok := named.Underlying().(*types.Struct); ok {
		c.fields(at, s)
	} else if !types.IsInterface(named) {
		c.needs(at, named.Underlying())
	}
	var receiver types.Type = named
	if !types.IsInterface(named) {
		receiver = types.NewPointer(named)
	}
	for m := range types.NewMethodSet(receiver).Methods() {
		if m.Obj().Exported() {
			c.needs(at+"."+m.Obj().Name(), m.Type())
		}
	}
}

// fields looks at the fields of a struct that can be selected, those of an
// embedded struct included.
func (c *checker) fields(at string, s *types.Struct) {
	for f := range s.Fields() {
		if f.Exported() {
			c.needs(at+"."+f.Name(), f.Type())
			continue
		}
		if !f.Embedded() {
			continue
		}
		of := f.Type().Underlying()
		if p, ok := of.(*types.Pointer); ok {
			of = p.Elem().Underlying()
		}
		if embedded, ok := of.(*types.Struct); ok {
			c.fields(at, embedded)
		}
	}
}

// needs looks at the types that a type is written with.
func (c *checker) needs(at string, t types.Type) {
	switch t := t.(type) {
	case *types.Alias:
		c.name(at, t.Obj())
		c.needs(at, t.Rhs())
	case *types.Named:
		c.name(at, t.Obj())
		for arg := range t.TypeArgs().Types() {
			c.needs(at, arg)
		}
	case *types.Signature:
		for p := range t.TypeParams().TypeParams() {
			c.needs(at, p.Constraint())
		}
		for v := range t.Params().Variables() {
			c.needs(at, v.Type())
		}
		for v := range t.Results().Variables() {
			c.needs(at, v.Type())
		}
	case *types.Map:
		c.needs(at, t.Key())
		c.needs(at, t.Elem())
	case interface{ Elem() types.Type }: // pointers, slices, arrays and channels
		c.needs(at, t.Elem())
	case *types.Struct:
		c.fields(at, t)
	case *types.Interface:
		for e := range t.EmbeddedTypes() {
			c.needs(at, e)
		}
		for m := range t.ExplicitMethods() {
			c.needs(at, m.Type())
		}
	case *types.Union:
		for term := range t.Terms() {
			c.needs(at, term.Type())
		}
	}
}

// name notes a type whose name a user cannot write.
func (c *checker) name(at string, obj *types.TypeName) {
	pkg := obj.Pkg()
	if pkg == nil { // error, any
		return
	}
	ours := pkg == c.pkg || slices.Contains(public, pkg.Path())
	if first, _, _ := strings.Cut(pkg.Path(), "/"); obj.Exported() && (ours || first != "weir" && !strings.Contains(first, ".")) {
		return
	}
	c.faults = append(c.faults, fmt.Sprintf("%s needs %s.%s", at, pkg.Path(), obj.Name()))
}
