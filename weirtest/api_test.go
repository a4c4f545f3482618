package weirtest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// What the package exports names neither types of internal packages, which
// nobody outside of the module can, nor types of its own that are not exported.
func TestExportedTypesCanBeNamed(t *testing.T) {
	files, seen := token.NewFileSet(), 0
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var parsed []*ast.File
	hidden := map[string]bool{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, file)
		for _, decl := range file.Decls {
			for _, spec := range specs(decl) {
				if typ, ok := spec.(*ast.TypeSpec); ok && !typ.Name.IsExported() {
					hidden[typ.Name.Name] = true
				}
			}
		}
	}
	for _, file := range parsed {
		internal := internalImports(file)
		for _, node := range exported(file) {
			seen++
			ast.Inspect(node, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					if of, ok := n.X.(*ast.Ident); ok && internal[of.Name] {
						t.Errorf("%v: exported API names %s.%s", files.Position(n.Pos()), of.Name, n.Sel.Name)
					}
					return false
				case *ast.Field: // its name may be the type's
					ast.Inspect(n.Type, func(of ast.Node) bool {
						if id, ok := of.(*ast.Ident); ok && hidden[id.Name] {
							t.Errorf("%v: exported API names %s", files.Position(id.Pos()), id.Name)
						}
						return true
					})
				}
				return true
			})
		}
	}
	if seen < 30 {
		t.Errorf("got %d exported declarations: the test looks in the wrong place", seen)
	}
}

func specs(decl ast.Decl) []ast.Spec {
	if gen, ok := decl.(*ast.GenDecl); ok && gen.Tok != token.IMPORT {
		return gen.Specs
	}
	return nil
}

// internalImports returns the names of a file's internal packages.
func internalImports(file *ast.File) map[string]bool {
	found := map[string]bool{}
	for _, spec := range file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value) // the parser has checked it
		if strings.Contains("/"+path+"/", "/internal/") {
			name := path[strings.LastIndexByte(path, '/')+1:]
			if spec.Name != nil {
				name = spec.Name.Name
			}
			found[name] = true
		}
	}
	return found
}

// exported returns what others see of a file: signatures, and exported fields.
func exported(file *ast.File) (nodes []ast.Node) {
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Name.IsExported() && (f.Recv == nil || isExported(f.Recv.List[0].Type)) {
			nodes = append(nodes, f.Type)
		}
		for _, spec := range specs(decl) {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if !spec.Name.IsExported() {
					continue
				}
				fields, ok := spec.Type.(*ast.StructType)
				if !ok {
					nodes = append(nodes, spec.Type)
					continue
				}
				for _, f := range fields.Fields.List {
					if len(f.Names) == 0 || f.Names[0].IsExported() {
						nodes = append(nodes, f)
					}
				}
			case *ast.ValueSpec:
				if spec.Names[0].IsExported() {
					nodes = append(nodes, spec)
				}
			}
		}
	}
	return nodes
}

func isExported(receiver ast.Expr) bool {
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	id, ok := receiver.(*ast.Ident)
	return ok && id.IsExported()
}
