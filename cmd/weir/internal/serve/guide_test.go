package serve

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"weir/docs"
)

// The guide's native handler in C is complete, and its configuration mounts it.
func TestGuide(t *testing.T) {
	page, err := fs.ReadFile(docs.Guide(), "native-handlers.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(language string) string {
		_, rest, _ := strings.Cut(string(page), "\n```"+language+"\n")
		text, _, ok := strings.Cut(rest, "\n```\n")
		if !ok {
			t.Fatalf("the guide has no block of %s", language)
		}
		return text + "\n"
	}
	dir := t.TempDir()
	sharedObject(t, dir, "libtiny.so", fileIn(t, dir, "tiny.c", block("c")), "-Wall", "-Wextra", "-Werror")
	config := fileIn(t, dir, "guide.yaml", block("yaml"))
	check := start(t, []string{asServe + "=1"}, os.Args[0], "--check", "--config", config) // a library is loaded once in a process
	if code := check.code(); code != 0 {
		t.Errorf("got %d, %s", code, check.log)
	}
	g := serve(t, "", "--overlay", config)
	if res, got := do(t, "POST", g.url+"/v1/generate/7", ""); res.StatusCode != 200 || got != strings.Repeat("data: token\n\n", 5) {
		t.Errorf("got %d %q", res.StatusCode, got)
	}
	if res, _ := do(t, "POST", g.url+chat, talk("babble", 1, true)); res.StatusCode != 200 {
		t.Errorf("got %d", res.StatusCode)
	}
	g.end()
}
