// Package clients runs the packages that people talk to models with, for tests:
// scripts/clients/dialects.py and dialects.mjs, which do the same with those of
// PyPI and of npm.
package clients

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A Client is a package, in the dialect that it speaks.
type Client struct {
	Name string
	Path string // of its requests
	node bool
	need string // the package
}

// All are the clients.
var All = []Client{
	{"openai-chat", "/v1/chat/completions", false, "openai"},
	{"openai-completions", "/v1/completions", false, "openai"},
	{"openai-responses", "/v1/responses", false, "openai"},
	{"anthropic", "/v1/messages", false, "anthropic"},
	{"ollama-chat", "/api/chat", false, "ollama"},
	{"ollama-generate", "/api/generate", false, "ollama"},
	{"openai-agents", "/v1/responses", false, "agents"},
	{"pydantic-ai-openai", "/v1/responses", false, "pydantic_ai"},
	{"pydantic-ai-anthropic", "/v1/messages", false, "pydantic_ai"},
	{"openai-chat", "/v1/chat/completions", true, "openai"},
	{"openai-responses", "/v1/responses", true, "openai"},
	{"anthropic", "/v1/messages", true, "@anthropic-ai/sdk"},
	{"ollama-chat", "/api/chat", true, "ollama"},
	{"ai-openai", "/v1/responses", true, "@ai-sdk/openai"},
	{"ai-anthropic", "/v1/messages", true, "@ai-sdk/anthropic"},
	{"ai-compatible", "/v1/chat/completions", true, "@ai-sdk/openai-compatible"},
}

// Tools reports whether the client can have tools run.
func (c Client) Tools() bool { return c.Path != "/v1/completions" && c.Path != "/api/generate" }

// String is the client's name, with where its package comes from.
func (c Client) String() string {
	if c.node {
		return c.Name + " (npm)"
	}
	return c.Name + " (PyPI)"
}

// Result is what a client had at the end.
type Result struct {
	Text    string
	Calls   []string // the tools that it ran
	Finish  any      // in its own words
	Error   string   // the type of what it raised; "" = nothing
	Status  int      // of the response, if the error says
	Message string
}

// root is the repository's, seen from a package three folders below it.
var root = filepath.Join("..", "..", "..", "..")

// Installed reports whether scripts/install.sh has installed the client.
func (c Client) Installed() bool {
	at := filepath.Join(root, "scripts", "clients", "node_modules", c.need)
	if !c.node {
		at = filepath.Join(root, ".venv", "lib", "*", "site-packages", c.need)
	}
	found, err := filepath.Glob(at)
	return err == nil && len(found) > 0
}

// A Case is one of dialects.py's, done at a server.
type Case struct {
	Base    string            `json:"base"`
	Case    string            `json:"case"`
	Headers map[string]string `json:"headers"`
}

// Run has the client do the cases, one after the other in one process, and
// returns what came of each. It skips the test if the client is not installed.
func (c Client) Run(t *testing.T, cases ...Case) []Result {
	t.Helper()
	if !c.Installed() {
		t.Skipf("%s is not installed: run scripts/install.sh", c)
	}
	program, script := filepath.Join(root, ".venv", "bin", "python"), "dialects.py"
	if c.node {
		program, script = "node", "dialects.mjs"
	}
	var plan bytes.Buffer
	for _, one := range cases {
		if one.Headers == nil {
			one.Headers = map[string]string{}
		}
		if err := json.NewEncoder(&plan).Encode(one); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), program, filepath.Join(root, "scripts", "clients", script), c.Name)
	cmd.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "OPENAI_AGENTS_DISABLE_TRACING=1")
	cmd.Stdin = &plan
	out, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		t.Fatalf("%s: %v\n%s", c, err, failed.Stderr)
	}
	var results []Result
	for line := range bytes.Lines(out) {
		if line[0] != '{' {
			continue // a package's own remarks
		}
		var r Result
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%s: %v: %q", c, err, line)
		}
		results = append(results, r)
	}
	if len(results) != len(cases) {
		t.Fatalf("%s: got %d results, want %d: %s", c, len(results), len(cases), out)
	}
	return results
}
