package config

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"weir/docs"
	"weir/internal/tlstest"
)

var block = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// What the guide shows of a configuration can be pasted: it is one, together
// with the upstreams and models of the first page.
func TestGuide(t *testing.T) {
	setEnvironment(t)
	folder := t.TempDir()
	cert, key := tlstest.New(t, "gw.test").Files(t, folder)
	for from, to := range map[string]string{cert: "server.pem", key: "server.key"} {
		if err := os.Rename(from, filepath.Join(folder, to)); err != nil {
			t.Fatal(err)
		}
	}
	pages, err := fs.Glob(docs.Guide(), "*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = slices.Insert(slices.DeleteFunc(pages, func(p string) bool { return p == "gateway.md" }), 0, "gateway.md")
	var first Source
	checked := 0
	for _, page := range pages {
		text, err := fs.ReadFile(docs.Guide(), page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range block.FindAllSubmatch(text, -1) {
			s := Source{filepath.Join(folder, page), m[1]}
			switch {
			case bytes.HasPrefix(m[1], []byte("spec:")): // of Kubernetes
				continue
			case bytes.HasPrefix(m[1], []byte("event:")): // of a model
				s.YAML = append([]byte("models:\n  my-model:\n    "), bytes.ReplaceAll(m[1], []byte("\n"), []byte("\n    "))...)
			case first.YAML == nil:
				first = s
			}
			if _, err := Parse(first, s); err != nil {
				t.Errorf("%s: got %v for\n%s", page, err, s.YAML)
			}
			checked++
		}
	}
	if checked < 9 {
		t.Errorf("got %d blocks, want more", checked)
	}
}
