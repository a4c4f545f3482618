package build

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"weir/internal/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m)) }

// checkout is the root of this one. Tests change the current folder.
var checkout = func() string {
	root, err := filepath.Abs("../../../..")
	if err != nil {
		panic(err)
	}
	return root
}()

// write makes a folder with those files and returns its path, without links.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// result is what a call of weir build came to.
type result struct {
	code           int
	stdout, stderr string
}

func try(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// want checks the exit code, and standard error with a pattern.
func (r result) want(t *testing.T, code int, stderr string) {
	t.Helper()
	if r.code != code {
		t.Errorf("got exit code %d, want %d", r.code, code)
	}
	if !regexp.MustCompile(stderr).MatchString(r.stderr) {
		t.Errorf("got on stderr %q, want %s", r.stderr, stderr)
	}
}

// temporaries sets the folder for temporary files to an empty one, and checks
// that it is empty in the end.
func temporaries(t *testing.T) {
	t.Helper()
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	t.Cleanup(func() {
		left, err := os.ReadDir(folder)
		if err != nil || len(left) > 0 {
			t.Errorf("got %v left of temporary files (%v), want none", left, err)
		}
	})
}

// quoted is a pattern for just these words.
func quoted(words ...string) string { return regexp.QuoteMeta(strings.Join(words, " ")) }
