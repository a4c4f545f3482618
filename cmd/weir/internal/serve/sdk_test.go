package serve

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// said is a line of what the scripts in scripts/clients tell.
type said struct {
	Type, Text, Class, Code string
	Status                  int
	Usage                   map[string]any
}

// sdks are the official openai packages that are installed.
func sdks(t *testing.T) map[string]func(t *testing.T, base string, args ...string) []said {
	root := filepath.Join("..", "..", "..", "..")
	dir := filepath.Join(root, "scripts", "clients")
	found := map[string]func(t *testing.T, base string, args ...string) []said{}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "openai")); err == nil {
		found["npm"] = script("node", filepath.Join(dir, "openai_stream.mjs"))
	}
	python := filepath.Join(root, ".venv", "bin", "python")
	if exec.Command(python, "-c", "import openai").Run() == nil {
		found["PyPI"] = script(python, filepath.Join(dir, "openai_stream.py"))
	}
	if len(found) < 2 {
		t.Log("not both of the openai packages are installed: run scripts/install.sh")
	}
	if len(found) == 0 {
		t.Skip("no openai package is installed")
	}
	return found
}

func script(program, path string) func(t *testing.T, base string, args ...string) []said {
	return func(t *testing.T, base string, args ...string) []said {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, append([]string{path}, args...)...)
		cmd.Env = append(os.Environ(), "OPENAI_BASE_URL="+base+"/v1", "OPENAI_API_KEY=none")
		out, err := cmd.Output()
		var lines []said
		for text := range strings.Lines(string(out)) {
			var s said
			if err := json.Unmarshal([]byte(text), &s); err != nil {
				t.Fatalf("got %q: %v", text, err)
			}
			lines = append(lines, s)
		}
		if len(lines) == 0 {
			t.Fatalf("%s told nothing: %v", path, err)
		}
		return lines
	}
}
