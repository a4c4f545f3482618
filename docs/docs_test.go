package docs

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestGuidePages(t *testing.T) {
	pages, err := fs.Glob(Guide(), "*.md")
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) < 8 {
		t.Errorf("got %d pages, want at least 8: %q", len(pages), pages)
	}
	for _, name := range pages {
		page, err := fs.ReadFile(Guide(), name)
		if err != nil {
			t.Fatal(err)
		}
		text := string(page)
		if !strings.HasPrefix(text, "# ") {
			t.Errorf("%s: got first line %q, want a title", name, strings.SplitN(text, "\n", 2)[0])
		}
		if !utf8.ValidString(text) || strings.Contains(text, "\r") {
			t.Errorf("%s: want UTF-8 with LF line ends", name)
		}
		if strings.Count(text, "```")%2 != 0 {
			t.Errorf("%s: a code block is left open", name)
		}
		if !strings.Contains(Text(), text) {
			t.Errorf("%s is not in Text", name)
		}
		checkLinks(t, name, text)
	}
}

// checkLinks looks up every link to another page.
func checkLinks(t *testing.T, name, text string) {
	t.Helper()
	for _, rest := range strings.Split(text, "](")[1:] {
		target, _, _ := strings.Cut(rest, ")")
		if strings.Contains(target, "://") {
			continue
		}
		if _, err := fs.Stat(Guide(), target); err != nil {
			t.Errorf("%s links to %s: %v", name, target, err)
		}
	}
}

// The changelog says each thing once: merges tend to double its lines.
func TestChangelogSaysThingsOnce(t *testing.T) {
	text, err := os.ReadFile("../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		title, _, ok := strings.Cut(strings.TrimPrefix(line, "* **"), "**")
		if !ok || !strings.HasPrefix(line, "* **") {
			continue
		}
		if seen[title] {
			t.Errorf("CHANGELOG.md has two entries %q", title)
		}
		seen[title] = true
	}
	if len(seen) < 10 {
		t.Errorf("found %d entries with a title, want all of them: do they look different now?", len(seen))
	}
}
