package weir

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The methods of locked that release the lock in any case.
var releases = []string{
	"unlock", "unlockOnLoop", "flush", "flushWith", "later", "report",
	"finish", "finishLater", "finishBuffered", "finishStream", "answerError",
}

// A locked is released once: whoever takes the lock releases it, or passes it
// on, and what comes behind the release does not use it any more.
func TestLockedIsReleasedOnce(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	seen := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			taken, released := 0, 0
			ast.Inspect(f.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.BlockStmt:
					for _, pos := range usedAfterRelease(n.List) {
						t.Errorf("%v: a locked is used after its release", files.Position(pos))
					}
				case *ast.CaseClause:
					for _, pos := range usedAfterRelease(n.Body) {
						t.Errorf("%v: a locked is used after its release", files.Position(pos))
					}
				case *ast.CallExpr:
					if name := calledMethod(n); name == "lock" {
						taken++
					} else if slices.Contains(releases, name) || name == "Defer" || name == "Unlock" || slices.ContainsFunc(n.Args, isLocked) {
						released++
					}
				}
				return true
			})
			if seen += taken; taken > 0 && released == 0 {
				t.Errorf("%v: %s takes the lock and does not release it", files.Position(f.Pos()), f.Name)
			}
		}
	}
	if seen < 20 {
		t.Errorf("found the lock taken in %d places, want all of them: is it still called so?", seen)
	}
}

// usedAfterRelease returns where one of the statements uses l behind one that
// has released it.
func usedAfterRelease(list []ast.Stmt) (used []token.Pos) {
	released := false
	for _, s := range list {
		if a, ok := s.(*ast.AssignStmt); ok && len(a.Lhs) > 0 && isLocked(a.Lhs[0]) {
			released = false // another one
			continue
		}
		if released {
			ast.Inspect(s, func(n ast.Node) bool {
				if e, ok := n.(ast.Expr); ok && isLocked(e) {
					used = append(used, n.Pos())
				}
				return true
			})
		}
		if e, ok := s.(*ast.ExprStmt); ok {
			call, ok := e.X.(*ast.CallExpr)
			if ok && slices.Contains(releases, calledMethod(call)) && isLocked(call.Fun.(*ast.SelectorExpr).X) {
				released = true
			}
		}
	}
	return used
}

// isLocked reports whether e is the variable that a locked is always in.
func isLocked(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "l"
}

func calledMethod(call *ast.CallExpr) string {
	if s, ok := call.Fun.(*ast.SelectorExpr); ok {
		return s.Sel.Name
	}
	return ""
}
