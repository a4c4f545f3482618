package config

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// FuzzParse: nothing makes Parse panic; it returns either a configuration or
// problems; each problem names a file and something that is in the document;
// and a configuration that is taken is taken again as it prints itself.
func FuzzParse(f *testing.F) {
	setEnvironment(f)
	for _, glob := range []string{"testdata/*.yaml", "testdata/overlay/*.yaml", "testdata/bad/*.yaml"} {
		for _, name := range files(f, glob) {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text, []byte(nil))
			f.Add(text, []byte("upstreams: {a: null}\nmodels: {small: {policy: p2c, targets: [1]}}\nlog: 1"))
		}
	}
	f.Add([]byte("a: &a\n  <<: *a"), []byte("~"))
	f.Add([]byte("models: {a: {fallback: [a, b]}, b: {fallback: [b, a]}}"), []byte("[]"))
	f.Fuzz(func(t *testing.T, text, overlay []byte) {
		c, err := Parse(Source{"main", text}, Source{"overlay", overlay})
		if err == nil {
			if _, err := Parse(Source{"again", c.YAML()}); err != nil {
				t.Fatalf("got %v for what was taken before, printed as %s", err, c.YAML())
			}
			return
		}
		var problems Problems
		if !errors.As(err, &problems) || len(problems) == 0 || c != nil {
			t.Fatalf("got %v and %v, want problems alone", c, err)
		}
		checkProblems(t, problems, mergedOf(text, overlay))
	})
}

// mergedOf is the merged document, nil if one of its parts is none.
func mergedOf(text, overlay []byte) any {
	base, _ := readYAML("main", text)
	patch, _ := readYAML("overlay", overlay)
	if base.value == nil || patch.value == nil {
		return nil
	}
	return mergePatch(base.value, patch.value)
}

func checkProblems(t *testing.T, problems Problems, doc any) {
	for _, p := range problems {
		switch {
		case p.File != "main" && p.File != "overlay":
			t.Errorf("%v: got file %q", p, p.File)
		case p.Message == "" || strings.ContainsRune(p.Message, '\n'):
			t.Errorf("%v: got message %q, want one line", p, p.Message)
		case p.Pointer != "" && p.Line == 0:
			t.Errorf("%v: the line is not known", p)
		case doc != nil && !resolves(doc, p.Pointer):
			t.Errorf("%v: nothing is there", p)
		}
	}
}
