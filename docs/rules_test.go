package docs

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	rule     = regexp.MustCompile(`(?m)^\| ([A-Z]\d+(?:\.\d+)?)°? \|`)
	citation = regexp.MustCompile(`\b[CEGHKLMSTWX]\d{1,3}(?:\.\d{1,2})?\b`)
	foreign  = regexp.MustCompile(`\b(?:SEMANTICS|CHECKLIST|GATEWAY|FAULTS|FIELD|DIALECTS|HOUSE|TOUR|DESIGN)\b`)
)

// Every rule that is cited anywhere is in rules.md, and no other book is cited.
func TestRules(t *testing.T) {
	text, err := os.ReadFile("rules.md")
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]bool{}
	for _, m := range rule.FindAllStringSubmatch(string(text), -1) {
		if rules[m[1]] {
			t.Errorf("rules.md has %s twice", m[1])
		}
		rules[m[1]] = true
	}
	if len(rules) < 300 {
		t.Fatalf("got %d rules, want the whole book", len(rules))
	}
	cited := 0
	err = filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if name := d.Name(); name == "node_modules" || name == "results" || len(name) > 2 && name[0] == '.' {
				return filepath.SkipDir
			}
			return nil
		case !d.Type().IsRegular(), path == "../docs/rules_test.go":
			return nil
		}
		prose, err := proseOf(path)
		for _, name := range citation.FindAllString(prose, -1) {
			if cited++; !rules[name] {
				t.Errorf("%s cites %s, which is not in rules.md", path, name)
			}
		}
		for _, name := range foreign.FindAllString(prose, -1) {
			t.Errorf("%s cites %s, which is not in this repository", path, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if cited < 400 {
		t.Errorf("got %d citations, want those of the whole repository", cited)
	}
}

// proseOf is what may cite a rule: the comments and texts of a Go file, and a
// scenario file or a page as it is.
func proseOf(path string) (string, error) {
	src, err := os.ReadFile(path)
	switch filepath.Ext(path) {
	case ".go":
	case ".txt", ".md":
		return string(src), err
	default:
		return "", err
	}
	var (
		prose strings.Builder
		file  = token.NewFileSet()
		s     scanner.Scanner
	)
	s.Init(file.AddFile(path, -1, len(src)), src, nil, scanner.ScanComments)
	for {
		switch _, tok, text := s.Scan(); tok {
		case token.EOF:
			return prose.String(), err
		case token.COMMENT, token.STRING:
			prose.WriteString(text)
			prose.WriteByte('\n')
		}
	}
}
